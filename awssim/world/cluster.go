package world

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// Authentication modes of a cluster.
const (
	AuthAPI  = "API"
	AuthBoth = "API_AND_CONFIG_MAP"
	AuthMap  = "CONFIG_MAP"
)

// Kinds of access entries. Those of nodes let machines with the role join.
const (
	EC2Linux   = "EC2_LINUX"
	EC2Windows = "EC2_WINDOWS"
	Standard   = "STANDARD"
)

var entryKinds = []string{EC2Linux, EC2Windows, Standard, "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"}

// nodeUser is what the kubelet of a node is called in the cluster.
const nodeUser = "system:node:{{EC2PrivateDNSName}}"

// AccessEntry lets an IAM principal into the cluster.
type AccessEntry struct {
	Principal, Kind, User string
	Groups                []string
	Policies              []AccessPolicy
	Created, Modified     time.Time
	Tags                  map[string]string
	// Built says that the account was made with it: the first stack that
	// declares it takes it over.
	Built bool
}

// AccessPolicy is a policy of EKS that an access entry has.
type AccessPolicy struct {
	ARN, Scope string
	Namespaces []string
	Since      time.Time
}

// Addon is an add-on of the cluster. It is only noted: nothing runs.
type Addon struct {
	Name, Version, Role, Configuration string
	Created                            time.Time
	Tags                               map[string]string
}

// PodIdentity gives a service account a role.
type PodIdentity struct {
	ID, Namespace, ServiceAccount, Role string
	Created, Modified                   time.Time
	Tags                                map[string]string
}

// ClusterUpdate is a change of the cluster, which is done at once.
type ClusterUpdate struct {
	ID, Kind string
	Params   map[string]string
	Created  time.Time
}

// MayJoin says whether machines with a role may join the cluster as nodes.
func (s *State) MayJoin(role string) bool {
	r := s.Roles[role]
	if r == nil {
		return false
	}
	if s.AuthMode == AuthMap {
		return slices.Contains(s.Cluster.NodeRoles, role) // as the config map aws-auth would say
	}
	entry := s.AccessEntries[s.RoleARN(r)]
	return entry != nil && strings.HasPrefix(entry.Kind, "EC2")
}

// AddAccessEntry lets a principal in.
func (s *State) AddAccessEntry(e AccessEntry) (*AccessEntry, error) {
	if e.Kind == "" {
		e.Kind = Standard
	}
	switch {
	case s.AuthMode == AuthMap:
		return nil, apierror.New(
			"InvalidRequestException",
			"The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
		)
	case !strings.HasPrefix(e.Principal, "arn:"):
		return nil, apierror.New(
			"InvalidParameterException",
			"The specified principalArn is invalid: invalid principal.",
		)
	case !slices.Contains(entryKinds, e.Kind):
		return nil, apierror.New(
			"InvalidParameterException",
			"The specified type %s is not one of %s.",
			e.Kind,
			strings.Join(entryKinds, ", "),
		)
	case s.AccessEntries[e.Principal] != nil:
		return nil, InUse("The specified access entry resource is already in use on this cluster.")
	}
	if strings.HasPrefix(e.Kind, "EC2") {
		e.User, e.Groups = nodeUser, []string{"system:nodes"}
	}
	if e.User == "" {
		e.User = e.Principal
	}
	e.Created, e.Modified = s.Now, s.Now
	s.AccessEntries[e.Principal] = &e
	return &e, nil
}

// InUse is EKS's answer about what exists already.
func InUse(format string, args ...any) error {
	return apierror.WithStatus(http.StatusConflict, "ResourceInUseException", format, args...)
}

// NotFound is EKS's answer about what does not exist.
func NotFound(format string, args ...any) error {
	return apierror.WithStatus(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

// AddAddon notes an add-on.
func (s *State) AddAddon(a Addon) (*Addon, error) {
	if s.Addons[a.Name] != nil {
		return nil, InUse("Addon already exists.")
	}
	if a.Version == "" {
		a.Version = "v1.0.0-eksbuild.1"
	}
	a.Created = s.Now
	s.Addons[a.Name] = &a
	return &a, nil
}

// AddPodIdentity gives a service account a role.
func (s *State) AddPodIdentity(p PodIdentity) (*PodIdentity, error) {
	for _, other := range s.Associations {
		if other.Namespace == p.Namespace && other.ServiceAccount == p.ServiceAccount {
			return nil, InUse("Association already exists: %s", other.ID)
		}
	}
	if s.Roles[p.Role[strings.LastIndex(p.Role, "/")+1:]] == nil {
		return nil, apierror.New("InvalidParameterException", "Role provided in the request does not exist.")
	}
	p.ID, p.Created, p.Modified = strings.Replace(s.id("a"), "a-0", "a-", 1), s.Now, s.Now
	s.Associations[p.ID] = &p
	return &p, nil
}

// AddUpdate notes a change of the cluster.
func (s *State) AddUpdate(kind string, params map[string]string) *ClusterUpdate {
	u := &ClusterUpdate{ID: s.UUID(), Kind: kind, Params: params, Created: s.Now}
	s.Updates[u.ID] = u
	return u
}

// Issuer is the cluster's OIDC issuer.
func (s *State) Issuer() string {
	return "https://oidc.eks." + s.Region.Name + ".amazonaws.com/id/" + strings.ToUpper(
		strings.TrimPrefix(s.fixedID("x", "issuer"), "x-0")+strings.TrimPrefix(s.fixedID("x", "issuer again"), "x-0"),
	)
}
