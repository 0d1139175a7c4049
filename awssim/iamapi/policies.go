package iamapi

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type policy struct {
	Name             string `xml:"PolicyName"`
	ID               string `xml:"PolicyId"`
	Arn              string
	Path             string
	DefaultVersionID string `xml:"DefaultVersionId"`
	AttachmentCount  int
	IsAttachable     bool
	Description      string `xml:",omitempty"`
	CreateDate       string
	UpdateDate       string
	Tags             []tag `xml:"Tags>member,omitempty"`
}

func policyXML(s *world.State, arn string, p *world.Policy) policy {
	return policy{
		p.Name, p.ID, arn, p.Path, versionID(len(p.Documents)), len(s.AttachedTo(arn)), true, p.Description,
		p.Created.UTC().Format(time.RFC3339), p.Updated.UTC().Format(time.RFC3339), toTags(p.Tags),
	}
}

func versionID(n int) string { return "v" + strconv.Itoa(n) }

type createPolicyIn struct {
	PolicyName     string
	Path           string
	PolicyDocument string
	Description    string
	Tags           []tag
}

type policyOut struct {
	Policy policy
}

func (a policies) createPolicy(_ context.Context, _ *wire.Call, in *createPolicyIn) (*policyOut, error) {
	if !validName.MatchString(in.PolicyName) {
		return nil, apierror.New(
			"ValidationError",
			"The specified value for policyName is invalid. It must contain only alphanumeric characters "+
				"and/or the following: +=,.@_- and have at most 128 of them",
		)
	}
	out := &policyOut{}
	return out, a.world.Do(func(s *world.State) error {
		p, err := s.CreatePolicy(world.Policy{
			Name:        in.PolicyName,
			Path:        in.Path,
			Description: in.Description,
			Documents:   []string{in.PolicyDocument},
			Tags:        fromTags(in.Tags),
		})
		if err == nil {
			out.Policy = policyXML(s, s.PolicyARN(p), p)
		}
		return err
	})
}

type policyNamed struct{ PolicyArn string }

// onPolicy runs act on the policy that a call names.
func (a policies) onPolicy(arn string, act func(*world.State, *world.Policy) error) error {
	return a.world.Do(func(s *world.State) error {
		p, err := s.Policy(arn)
		if err != nil {
			return err
		}
		return act(s, p)
	})
}

func (a policies) getPolicy(_ context.Context, _ *wire.Call, in *policyNamed) (*policyOut, error) {
	out := &policyOut{}
	return out, a.onPolicy(in.PolicyArn, func(s *world.State, p *world.Policy) error {
		out.Policy = policyXML(s, in.PolicyArn, p)
		return nil
	})
}

func (a policies) deletePolicy(_ context.Context, _ *wire.Call, in *policyNamed) (any, error) {
	return nil, a.world.Do(func(s *world.State) error { return s.DeletePolicy(in.PolicyArn) })
}

type listPoliciesIn struct {
	Scope        string
	OnlyAttached bool
	Usage        string `query:"PolicyUsageFilter"`
	listIn
}

type listPoliciesOut struct {
	Policies []policy `xml:"Policies>member"`
	truncation
}

// listPolicies lists the account's own; of AWS's, those that a role has.
func (a policies) listPolicies(_ context.Context, _ *wire.Call, in *listPoliciesIn) (*listPoliciesOut, error) {
	out := &listPoliciesOut{}
	return out, a.world.Do(func(s *world.State) (err error) {
		arns := slices.Collect(maps.Keys(s.Policies))
		for _, r := range s.Roles {
			arns = append(arns, r.Policies...)
		}
		slices.Sort(arns)
		arns = slices.DeleteFunc(slices.Compact(arns), func(arn string) bool {
			own := s.Policies[arn]
			wrongScope := in.Scope == "Local" && own == nil || in.Scope == "AWS" && own != nil
			return wrongScope || in.OnlyAttached && len(s.AttachedTo(arn)) == 0 ||
				own != nil && !strings.HasPrefix(own.Path, in.PathPrefix)
		})
		if arns, out.truncation, err = in.page(arns); err != nil {
			return err
		}
		for _, arn := range arns {
			p, err := s.Policy(arn)
			if err != nil {
				return err
			}
			out.Policies = append(out.Policies, policyXML(s, arn, p))
		}
		return nil
	})
}

type policyVersion struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

type versionIn struct {
	PolicyArn      string
	VersionID      string `query:"VersionId"`
	PolicyDocument string
	SetAsDefault   bool
}

type versionOut struct {
	Version policyVersion `xml:"PolicyVersion"`
}

// createPolicyVersion makes the newest version the default: others than the
// newest can not be it here.
func (a policies) createPolicyVersion(_ context.Context, _ *wire.Call, in *versionIn) (*versionOut, error) {
	if !in.SetAsDefault {
		return nil, apierror.New(
			"InvalidInput",
			"Versions that are not the default are not simulated: use SetAsDefault.",
		)
	}
	out := &versionOut{}
	return out, a.onPolicy(in.PolicyArn, func(s *world.State, p *world.Policy) error {
		if s.Policies[in.PolicyArn] == nil {
			return world.NoEntity("Policy %s was not found.", in.PolicyArn)
		}
		p.Documents, p.Updated = append(p.Documents, in.PolicyDocument), s.Now.Truncate(time.Second)
		out.Version = versionXML(p, len(p.Documents))
		return nil
	})
}

func versionXML(p *world.Policy, n int) policyVersion {
	return policyVersion{
		encoded(p.Documents[n-1]),
		versionID(n),
		n == len(p.Documents),
		p.Updated.UTC().Format(time.RFC3339),
	}
}

func (a policies) getPolicyVersion(_ context.Context, _ *wire.Call, in *versionIn) (*versionOut, error) {
	out := &versionOut{}
	return out, a.onPolicy(in.PolicyArn, func(_ *world.State, p *world.Policy) error {
		n, err := strconv.Atoi(strings.TrimPrefix(in.VersionID, "v"))
		if err != nil || n < 1 || n > len(p.Documents) {
			return world.NoEntity(
				"Policy %s version %s does not exist or is not attachable.",
				in.PolicyArn,
				in.VersionID,
			)
		}
		out.Version = versionXML(p, n)
		return nil
	})
}

type listVersionsIn struct {
	policyNamed
	paged
}

type versionsOut struct {
	Versions []policyVersion `xml:"Versions>member"`
	truncation
}

func (a policies) listPolicyVersions(_ context.Context, _ *wire.Call, in *listVersionsIn) (*versionsOut, error) {
	out := &versionsOut{}
	return out, a.onPolicy(in.PolicyArn, func(_ *world.State, p *world.Policy) error {
		for n := len(p.Documents); n > 0; n-- {
			v := versionXML(p, n)
			v.Document = "" // as in IAM: a list has no documents
			out.Versions = append(out.Versions, v)
		}
		return nil
	})
}

type entitiesIn struct {
	policyNamed
	EntityFilter string
	listIn
}

type entity struct {
	RoleName string
	RoleID   string `xml:"RoleId"`
}

type entitiesOut struct {
	Roles []entity `xml:"PolicyRoles>member"`
	truncation
}

func (a policies) entitiesOfPolicy(_ context.Context, _ *wire.Call, in *entitiesIn) (*entitiesOut, error) {
	out := &entitiesOut{}
	return out, a.onPolicy(in.PolicyArn, func(s *world.State, _ *world.Policy) error {
		for _, r := range s.AttachedTo(in.PolicyArn) {
			out.Roles = append(out.Roles, entity{r.Name, r.ID})
		}
		return nil
	})
}

type providerIn struct {
	Arn         string   `query:"OpenIDConnectProviderArn"`
	URL         string   `query:"Url"`
	Clients     []string `query:"ClientIDList"`
	Thumbprints []string `query:"ThumbprintList"`
	Tags        []tag
}

type providerArn struct {
	Arn string `xml:"OpenIDConnectProviderArn,omitempty"`
}

func (a policies) createProvider(_ context.Context, _ *wire.Call, in *providerIn) (*providerArn, error) {
	address, secure := strings.CutPrefix(in.URL, "https://")
	if !secure {
		return nil, apierror.New("ValidationError", "Invalid Open ID Connect Provider URL")
	}
	out := &providerArn{}
	return out, a.world.Do(func(s *world.State) error {
		out.Arn = s.ARN("iam", "oidc-provider/"+address)
		if s.Providers[out.Arn] != nil {
			return apierror.WithStatus(409, "EntityAlreadyExists", "Provider with url %s already exists.", in.URL)
		}
		s.Providers[out.Arn] = &world.OIDCProvider{
			URL:         address,
			Clients:     in.Clients,
			Thumbprints: in.Thumbprints,
			Created:     s.Now,
			Tags:        fromTags(in.Tags),
		}
		return nil
	})
}

type providerOut struct {
	URL         string   `xml:"Url"`
	Clients     []string `xml:"ClientIDList>member"`
	Thumbprints []string `xml:"ThumbprintList>member"`
	CreateDate  string
	Tags        []tag `xml:"Tags>member,omitempty"`
}

func (a policies) getProvider(_ context.Context, _ *wire.Call, in *providerIn) (*providerOut, error) {
	out := &providerOut{}
	return out, a.world.Do(func(s *world.State) error {
		p := s.Providers[in.Arn]
		if p == nil {
			return world.NoEntity("OpenIDConnect Provider not found for arn %s", in.Arn)
		}
		*out = providerOut{p.URL, p.Clients, p.Thumbprints, p.Created.UTC().Format(time.RFC3339), toTags(p.Tags)}
		return nil
	})
}

type providerItem struct{ Arn string }

type providersOut struct {
	Providers []providerItem `xml:"OpenIDConnectProviderList>member"`
}

func (a policies) listProviders(context.Context, *wire.Call, *struct{}) (*providersOut, error) {
	out := &providersOut{}
	return out, a.world.Do(func(s *world.State) error {
		for _, arn := range slices.Sorted(maps.Keys(s.Providers)) {
			out.Providers = append(out.Providers, providerItem{arn})
		}
		return nil
	})
}

// deleteProvider succeeds too when there is no such provider, as in IAM.
func (a policies) deleteProvider(_ context.Context, _ *wire.Call, in *providerIn) (any, error) {
	if cmp.Or(in.Arn, in.URL) == "" {
		return nil, apierror.New("ValidationError", "OpenIDConnectProviderArn must be given")
	}
	return nil, a.world.Do(func(s *world.State) error {
		delete(s.Providers, in.Arn)
		return nil
	})
}
