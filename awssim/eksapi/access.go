package eksapi

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// seconds writes a time as EKS does.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// orEmpty has JSON say {} where there is nothing.
func orEmpty(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

type entry struct {
	Cluster   string            `json:"clusterName"`
	Principal string            `json:"principalArn"`
	Groups    []string          `json:"kubernetesGroups"`
	ARN       string            `json:"accessEntryArn"`
	Created   float64           `json:"createdAt"`
	Modified  float64           `json:"modifiedAt"`
	Tags      map[string]string `json:"tags"`
	User      string            `json:"username"`
	Kind      string            `json:"type"`
}

func entryJSON(s *world.State, e *world.AccessEntry) entry {
	groups := e.Groups
	if groups == nil {
		groups = []string{}
	}
	return entry{
		s.Cluster.Name,
		e.Principal,
		groups,
		s.ARN(
			"eks",
			"access-entry/"+s.Cluster.Name+"/"+strings.ReplaceAll(
				e.Principal[strings.LastIndex(e.Principal, ":")+1:],
				":",
				"/",
			),
		),
		seconds(e.Created),
		seconds(e.Modified),
		orEmpty(e.Tags),
		e.User,
		e.Kind,
	}
}

type entryOut struct {
	Entry entry `json:"accessEntry"`
}

type entryIn struct {
	Principal string            `json:"principalArn"`
	Groups    []string          `json:"kubernetesGroups"`
	Tags      map[string]string `json:"tags"`
	User      string            `json:"username"`
	Kind      string            `json:"type"`
}

func (a access) createEntry(_ context.Context, c *wire.Call, in *entryIn) (*entryOut, error) {
	out := &entryOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		e, err := s.AddAccessEntry(
			world.AccessEntry{
				Principal: in.Principal,
				Groups:    in.Groups,
				Tags:      in.Tags,
				User:      in.User,
				Kind:      in.Kind,
			},
		)
		if err == nil {
			out.Entry = entryJSON(s, e)
		}
		return err
	})
}

// onEntry runs act on the access entry that a call names.
func (a access) onEntry(c *wire.Call, act func(*world.State, *world.AccessEntry) error) error {
	return a.onCluster(c, func(s *world.State) error {
		e := s.AccessEntries[c.Path["principal"]]
		if e == nil {
			return world.NotFound(
				"The specified principalArn could not be found. You can view your available access entries with " +
					"'list-access-entries'.",
			)
		}
		return act(s, e)
	})
}

func (a access) describeEntry(_ context.Context, c *wire.Call, _ *struct{}) (*entryOut, error) {
	out := &entryOut{}
	return out, a.onEntry(c, func(s *world.State, e *world.AccessEntry) error {
		out.Entry = entryJSON(s, e)
		return nil
	})
}

func (a access) updateEntry(_ context.Context, c *wire.Call, in *entryIn) (*entryOut, error) {
	out := &entryOut{}
	return out, a.onEntry(c, func(s *world.State, e *world.AccessEntry) error {
		if in.Groups != nil {
			e.Groups = in.Groups
		}
		if in.User != "" {
			e.User = in.User
		}
		e.Modified = s.Now
		out.Entry = entryJSON(s, e)
		return nil
	})
}

func (a access) deleteEntry(_ context.Context, c *wire.Call, _ *struct{}) (*struct{}, error) {
	return &struct{}{}, a.onEntry(c, func(s *world.State, e *world.AccessEntry) error {
		delete(s.AccessEntries, e.Principal)
		return nil
	})
}

type entriesOut struct {
	Entries []string `json:"accessEntries"`
}

func (a access) listEntries(_ context.Context, c *wire.Call, _ *struct{}) (*entriesOut, error) {
	out := &entriesOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		out.Entries = append([]string{}, slices.Sorted(maps.Keys(s.AccessEntries))...)
		return nil
	})
}

// accessPolicies are some of those that EKS has.
var accessPolicies = []string{
	"AmazonEKSAdminPolicy",
	"AmazonEKSAdminViewPolicy",
	"AmazonEKSClusterAdminPolicy",
	"AmazonEKSEditPolicy",
	"AmazonEKSViewPolicy",
}

type accessPolicy struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

type policiesOut struct {
	Policies []accessPolicy `json:"accessPolicies"`
}

func (a access) listPolicies(context.Context, *wire.Call, *struct{}) (*policiesOut, error) {
	out := &policiesOut{}
	return out, a.world.Do(func(s *world.State) error {
		for _, name := range accessPolicies {
			out.Policies = append(
				out.Policies,
				accessPolicy{name, "arn:" + s.Partition() + ":eks::aws:cluster-access-policy/" + name},
			)
		}
		return nil
	})
}

type scope struct {
	Kind       string   `json:"type"`
	Namespaces []string `json:"namespaces"`
}

type association struct {
	ARN      string  `json:"policyArn"`
	Scope    scope   `json:"accessScope"`
	Since    float64 `json:"associatedAt"`
	Modified float64 `json:"modifiedAt"`
}

func associationJSON(p world.AccessPolicy) association {
	return association{p.ARN, scope{p.Scope, append([]string{}, p.Namespaces...)}, seconds(p.Since), seconds(p.Since)}
}

type associateOut struct {
	Cluster   string      `json:"clusterName"`
	Principal string      `json:"principalArn"`
	Policy    association `json:"associatedAccessPolicy"`
}

type associateIn struct {
	ARN   string `json:"policyArn"`
	Scope scope  `json:"accessScope"`
}

func (a access) associatePolicy(_ context.Context, c *wire.Call, in *associateIn) (*associateOut, error) {
	out := &associateOut{}
	return out, a.onEntry(c, func(s *world.State, e *world.AccessEntry) error {
		e.Policies = slices.DeleteFunc(
			slices.Clone(e.Policies),
			func(p world.AccessPolicy) bool { return p.ARN == in.ARN },
		)
		p := world.AccessPolicy{ARN: in.ARN, Scope: in.Scope.Kind, Namespaces: in.Scope.Namespaces, Since: s.Now}
		e.Policies = append(e.Policies, p)
		*out = associateOut{s.Cluster.Name, e.Principal, associationJSON(p)}
		return nil
	})
}

func (a access) disassociatePolicy(_ context.Context, c *wire.Call, _ *struct{}) (*struct{}, error) {
	return &struct{}{}, a.onEntry(c, func(_ *world.State, e *world.AccessEntry) error {
		had := len(e.Policies)
		e.Policies = slices.DeleteFunc(
			slices.Clone(e.Policies),
			func(p world.AccessPolicy) bool { return p.ARN == c.Path["policy"] },
		)
		if len(e.Policies) == had {
			return world.NotFound("The access policy %s is not associated.", c.Path["policy"])
		}
		return nil
	})
}

type associatedOut struct {
	Cluster   string        `json:"clusterName"`
	Principal string        `json:"principalArn"`
	Policies  []association `json:"associatedAccessPolicies"`
}

func (a access) associatedPolicies(_ context.Context, c *wire.Call, _ *struct{}) (*associatedOut, error) {
	out := &associatedOut{Policies: []association{}}
	return out, a.onEntry(c, func(s *world.State, e *world.AccessEntry) error {
		out.Cluster, out.Principal = s.Cluster.Name, e.Principal
		for _, p := range e.Policies {
			out.Policies = append(out.Policies, associationJSON(p))
		}
		return nil
	})
}

type podIdentity struct {
	Cluster   string            `json:"clusterName"`
	Namespace string            `json:"namespace"`
	Account   string            `json:"serviceAccount"`
	Role      string            `json:"roleArn,omitempty"`
	ARN       string            `json:"associationArn"`
	ID        string            `json:"associationId"`
	Tags      map[string]string `json:"tags,omitempty"`
	Created   float64           `json:"createdAt,omitempty"`
	Modified  float64           `json:"modifiedAt,omitempty"`
}

func podIdentityJSON(s *world.State, p *world.PodIdentity) podIdentity {
	return podIdentity{
		s.Cluster.Name,
		p.Namespace,
		p.ServiceAccount,
		p.Role,
		s.ARN("eks", "podidentityassociation/"+s.Cluster.Name+"/"+p.ID),
		p.ID,
		orEmpty(p.Tags),
		seconds(p.Created),
		seconds(p.Modified),
	}
}

type podIdentityOut struct {
	Association podIdentity `json:"association"`
}

type podIdentityIn struct {
	Namespace string            `json:"namespace"`
	Account   string            `json:"serviceAccount"`
	Role      string            `json:"roleArn"`
	Tags      map[string]string `json:"tags"`
}

func (a access) createAssociation(_ context.Context, c *wire.Call, in *podIdentityIn) (*podIdentityOut, error) {
	out := &podIdentityOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		p, err := s.AddPodIdentity(
			world.PodIdentity{Namespace: in.Namespace, ServiceAccount: in.Account, Role: in.Role, Tags: in.Tags},
		)
		if err == nil {
			out.Association = podIdentityJSON(s, p)
		}
		return err
	})
}

// onAssociation runs act on the association that a call names.
func (a access) onAssociation(c *wire.Call, act func(*world.State, *world.PodIdentity)) (*podIdentityOut, error) {
	out := &podIdentityOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		p := s.Associations[c.Path["id"]]
		if p == nil {
			return world.NotFound("Association not found: %s", c.Path["id"])
		}
		act(s, p)
		out.Association = podIdentityJSON(s, p)
		return nil
	})
}

func (a access) describeAssociation(_ context.Context, c *wire.Call, _ *struct{}) (*podIdentityOut, error) {
	return a.onAssociation(c, func(*world.State, *world.PodIdentity) {})
}

func (a access) updateAssociation(_ context.Context, c *wire.Call, in *podIdentityIn) (*podIdentityOut, error) {
	return a.onAssociation(c, func(s *world.State, p *world.PodIdentity) {
		if in.Role != "" {
			p.Role = in.Role
		}
		p.Modified = s.Now
	})
}

func (a access) deleteAssociation(_ context.Context, c *wire.Call, _ *struct{}) (*podIdentityOut, error) {
	return a.onAssociation(c, func(s *world.State, p *world.PodIdentity) { delete(s.Associations, p.ID) })
}

type podIdentitiesOut struct {
	Associations []podIdentity `json:"associations"`
}

func (a access) listAssociations(_ context.Context, c *wire.Call, _ *struct{}) (*podIdentitiesOut, error) {
	out := &podIdentitiesOut{Associations: []podIdentity{}}
	return out, a.onCluster(c, func(s *world.State) error {
		for _, id := range slices.Sorted(maps.Keys(s.Associations)) {
			p := podIdentityJSON(s, s.Associations[id])
			fits := func(name, value string) bool { return !c.Query.Has(name) || c.Query.Get(name) == value }
			if fits("namespace", p.Namespace) && fits("serviceAccount", p.Account) {
				p.Role, p.Tags, p.Created, p.Modified = "", nil, 0, 0 // as in EKS: a list has only names
				out.Associations = append(out.Associations, p)
			}
		}
		return nil
	})
}
