package world

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// Role is an IAM role. What its policies allow is not enforced.
type Role struct {
	ID, Name, Path string
	Description    string
	Trust          string // the policy document of who may assume it, JSON
	MaxSession     int    // seconds
	Created        time.Time
	Policies       []string          // ARNs of the managed policies, in the order they were attached
	Inline         map[string]string // policy documents by name
	Tags           []launchspec.Tag
	// Built says that the account was made with it: the first stack that
	// declares it takes it over.
	Built bool
}

// Policy is a customer-managed policy. Documents are kept, not enforced.
type Policy struct {
	ID, Name, Path, Description string
	Created, Updated            time.Time
	Documents                   []string // by version, from 1
	Tags                        []launchspec.Tag
}

// OIDCProvider is an identity provider that roles may trust.
type OIDCProvider struct {
	URL         string // without https://
	Clients     []string
	Thumbprints []string
	Created     time.Time
	Tags        []launchspec.Tag
}

// trustEC2 lets EC2 assume a role.
const trustEC2 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// nodePolicies are what EKS wants of a node's role.
func nodePolicies(partition string) []string {
	var out []string
	for _, name := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"} {
		out = append(out, "arn:"+partition+":iam::aws:policy/"+name)
	}
	return out
}

func (s *State) newRole(r Role) *Role {
	r.ID, r.Created = s.iamID("AROA", r.Name+r.Path), s.Now.Truncate(time.Second)
	if r.Path == "" {
		r.Path = "/"
	}
	if r.MaxSession == 0 {
		r.MaxSession = 3600
	}
	r.Inline = map[string]string{}
	r.Tags = launchspec.SetTags(nil, r.Tags)
	return &r
}

// CreateRole makes a role.
func (s *State) CreateRole(r Role) (*Role, error) {
	if s.Roles[r.Name] != nil {
		return nil, apierror.WithStatus(
			http.StatusConflict,
			"EntityAlreadyExists",
			"Role with name %s already exists.",
			r.Name,
		)
	}
	if err := checkDocument(r.Trust); err != nil {
		return nil, err
	}
	s.Roles[r.Name] = s.newRole(r)
	return s.Roles[r.Name], nil
}

// checkDocument refuses a policy that is no JSON object with statements.
func checkDocument(text string) error {
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &document); err != nil || len(document.Statement) == 0 {
		return apierror.New("MalformedPolicyDocument", "This policy contains invalid Json")
	}
	return nil
}

// Role finds a role by name.
func (s *State) Role(name string) (*Role, error) {
	if r := s.Roles[name]; r != nil {
		return r, nil
	}
	return nil, NoEntity("The role with name %s cannot be found.", name)
}

// NoEntity is IAM's answer about what does not exist.
func NoEntity(format string, args ...any) error {
	return apierror.WithStatus(http.StatusNotFound, "NoSuchEntity", format, args...)
}

// DeleteRole removes a role that nothing hangs on.
func (s *State) DeleteRole(r *Role) error {
	conflict := func(what string) error {
		return apierror.WithStatus(
			http.StatusConflict,
			"DeleteConflict",
			"Cannot delete entity, must %s first.",
			what,
		)
	}
	switch {
	case len(r.Policies) > 0:
		return conflict("detach all policies")
	case len(r.Inline) > 0:
		return conflict("delete policies")
	}
	for _, p := range s.Profiles {
		if slices.Contains(p.Roles, r) {
			return conflict("remove roles from instance profile")
		}
	}
	delete(s.Roles, r.Name)
	return nil
}

// AttachPolicy attaches a managed policy to a role. AWS's own policies are
// taken by their names, whatever these are.
func (s *State) AttachPolicy(r *Role, arn string) error {
	if !strings.Contains(arn, ":iam::aws:policy/") && s.Policies[arn] == nil {
		return NoEntity("Policy %s does not exist or is not attachable.", arn)
	}
	if !slices.Contains(r.Policies, arn) {
		r.Policies = append(r.Policies, arn)
	}
	return nil
}

// DetachPolicy detaches a managed policy from a role.
func (s *State) DetachPolicy(r *Role, arn string) error {
	i := slices.Index(r.Policies, arn)
	if i < 0 {
		return NoEntity("Policy %s was not found.", arn)
	}
	r.Policies = slices.Delete(slices.Clone(r.Policies), i, i+1)
	return nil
}

// PutPolicy puts an inline policy into a role.
func (s *State) PutPolicy(r *Role, name, document string) error {
	if err := checkDocument(document); err != nil {
		return err
	}
	r.Inline[name] = document
	return nil
}

// SetTrust says who may assume a role.
func (s *State) SetTrust(r *Role, document string) error {
	if err := checkDocument(document); err != nil {
		return err
	}
	r.Trust = document
	return nil
}

// CreatePolicy makes a managed policy.
func (s *State) CreatePolicy(p Policy) (*Policy, error) {
	if p.Path == "" {
		p.Path = "/"
	}
	arn := s.PolicyARN(&p)
	if s.Policies[arn] != nil {
		return nil, apierror.WithStatus(
			http.StatusConflict,
			"EntityAlreadyExists",
			"A policy called %s already exists. Duplicate names are not allowed.",
			p.Name,
		)
	}
	for _, document := range p.Documents {
		if err := checkDocument(document); err != nil {
			return nil, err
		}
	}
	p.ID, p.Created, p.Tags = s.iamID("ANPA", arn), s.Now.Truncate(time.Second), launchspec.SetTags(nil, p.Tags)
	p.Updated = p.Created
	s.Policies[arn] = &p
	return &p, nil
}

// Policy finds a managed policy; one of AWS's own is made up as it is asked for.
func (s *State) Policy(arn string) (*Policy, error) {
	if p := s.Policies[arn]; p != nil {
		return p, nil
	}
	if _, name, ok := strings.Cut(arn, ":iam::aws:policy/"); ok && name != "" {
		name = name[strings.LastIndex(name, "/")+1:]
		return &Policy{
			ID:        s.iamID("ANPA", arn),
			Name:      name,
			Path:      "/",
			Created:   day("2020-01-01"),
			Updated:   day("2020-01-01"),
			Documents: []string{allowNothing},
		}, nil
	}
	return nil, NoEntity("Policy %s does not exist.", arn)
}

// allowNothing stands for the documents of AWS's own policies, which are not
// simulated.
const allowNothing = `{"Version":"2012-10-17","Statement":[]}`

// AttachedTo lists the roles that have a managed policy, ascending by name.
func (s *State) AttachedTo(arn string) []*Role {
	var out []*Role
	for _, r := range s.Roles {
		if slices.Contains(r.Policies, arn) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *Role) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// DeletePolicy removes a managed policy that no role has.
func (s *State) DeletePolicy(arn string) error {
	switch {
	case s.Policies[arn] == nil:
		return NoEntity("Policy %s was not found.", arn)
	case len(s.AttachedTo(arn)) > 0:
		return apierror.WithStatus(
			http.StatusConflict,
			"DeleteConflict",
			"Cannot delete a policy attached to entities.",
		)
	}
	delete(s.Policies, arn)
	return nil
}

// PolicyARN names a managed policy of the account.
func (s *State) PolicyARN(p *Policy) string { return s.ARN("iam", "policy"+p.Path+p.Name) }

// ServiceRole makes the role that an AWS service acts with.
func (s *State) ServiceRole(service string) (*Role, error) {
	prefix, _, known := strings.Cut(service, ".")
	name, isKnown := serviceRoles[prefix]
	if !known || !isKnown {
		return nil, apierror.New("InvalidInput", "The service-linked role of %s is not simulated.", service)
	}
	if s.Roles[name] != nil {
		return nil, apierror.New(
			"InvalidInput",
			"Service role name %s has been taken in this account, please try a different suffix.",
			name,
		)
	}
	return s.CreateRole(Role{
		Name:  name,
		Path:  "/aws-service-role/" + service + "/",
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`,
	})
}

// serviceRoles are the service-linked roles that clusters on EC2 need.
var serviceRoles = map[string]string{
	"spot":                 "AWSServiceRoleForEC2Spot",
	"spotfleet":            "AWSServiceRoleForEC2SpotFleet",
	"ec2fleet":             "AWSServiceRoleForEC2Fleet",
	"autoscaling":          "AWSServiceRoleForAutoScaling",
	"eks":                  "AWSServiceRoleForAmazonEKS",
	"eks-nodegroup":        "AWSServiceRoleForAmazonEKSNodegroup",
	"eks-fargate":          "AWSServiceRoleForAmazonEKSForFargate",
	"fis":                  "AWSServiceRoleForFIS",
	"elasticloadbalancing": "AWSServiceRoleForElasticLoadBalancing",
}
