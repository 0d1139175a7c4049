// Package iamapi answers the part of the IAM API about roles, policies,
// instance profiles and identity providers from a world. What policies say is
// kept and never enforced.
package iamapi

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// roles has the actions on roles, policies those on managed policies and
// identity providers.
type (
	roles    struct{ *api }
	policies struct{ *api }
)

// New makes IAM.
func New(w *world.World) wire.API {
	a := &api{w}
	r, p := roles{a}, policies{a}
	return wire.API{
		Name:      wire.IAM,
		Version:   "2010-05-08",
		Namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
		Actions: wire.Service{
			"CreateInstanceProfile":         wire.Handle(a.create),
			"GetInstanceProfile":            wire.Handle(a.get),
			"DeleteInstanceProfile":         wire.Handle(a.delete),
			"ListInstanceProfiles":          wire.Handle(a.list),
			"AddRoleToInstanceProfile":      wire.Handle(a.addRole),
			"RemoveRoleFromInstanceProfile": wire.Handle(a.removeRole),
			"TagInstanceProfile":            wire.Handle(a.tag),
			"UntagInstanceProfile":          wire.Handle(a.untag),
			"ListInstanceProfileTags":       wire.Handle(a.listTags),

			"CreateRole":                         wire.Handle(r.createRole),
			"GetRole":                            wire.Handle(r.getRole),
			"UpdateRole":                         wire.Handle(r.updateRole),
			"DeleteRole":                         wire.Handle(r.deleteRole),
			"ListRoles":                          wire.Handle(r.listRoles),
			"UpdateAssumeRolePolicy":             wire.Handle(r.updateTrust),
			"TagRole":                            wire.Handle(r.tagRole),
			"UntagRole":                          wire.Handle(r.untagRole),
			"ListRoleTags":                       wire.Handle(r.listRoleTags),
			"AttachRolePolicy":                   wire.Handle(r.attachPolicy),
			"DetachRolePolicy":                   wire.Handle(r.detachPolicy),
			"ListAttachedRolePolicies":           wire.Handle(r.listAttached),
			"PutRolePolicy":                      wire.Handle(r.putInline),
			"GetRolePolicy":                      wire.Handle(r.getInline),
			"DeleteRolePolicy":                   wire.Handle(r.deleteInline),
			"ListRolePolicies":                   wire.Handle(r.listInline),
			"ListInstanceProfilesForRole":        wire.Handle(r.profilesOfRole),
			"CreateServiceLinkedRole":            wire.Handle(r.createServiceRole),
			"DeleteServiceLinkedRole":            wire.Handle(r.deleteServiceRole),
			"GetServiceLinkedRoleDeletionStatus": wire.Handle(r.serviceRoleDeletion),

			"CreatePolicy":          wire.Handle(p.createPolicy),
			"GetPolicy":             wire.Handle(p.getPolicy),
			"DeletePolicy":          wire.Handle(p.deletePolicy),
			"ListPolicies":          wire.Handle(p.listPolicies),
			"CreatePolicyVersion":   wire.Handle(p.createPolicyVersion),
			"GetPolicyVersion":      wire.Handle(p.getPolicyVersion),
			"ListPolicyVersions":    wire.Handle(p.listPolicyVersions),
			"ListEntitiesForPolicy": wire.Handle(p.entitiesOfPolicy),

			"CreateOpenIDConnectProvider": wire.Handle(p.createProvider),
			"GetOpenIDConnectProvider":    wire.Handle(p.getProvider),
			"ListOpenIDConnectProviders":  wire.Handle(p.listProviders),
			"DeleteOpenIDConnectProvider": wire.Handle(p.deleteProvider),

			"GetUser":            wire.Handle(r.getUser),
			"ListAccountAliases": wire.Handle(r.listAliases),
		},
	}
}

// tag is IAM's tag, which has capitals where EC2's has none.
type tag struct{ Key, Value string }

func fromTags(tags []tag) []launchspec.Tag {
	var out []launchspec.Tag
	for _, t := range tags {
		out = append(out, launchspec.Tag{Key: t.Key, Value: t.Value})
	}
	return launchspec.SetTags(nil, out)
}

func toTags(tags []launchspec.Tag) []tag {
	var out []tag
	for _, t := range tags {
		out = append(out, tag{t.Key, t.Value})
	}
	return out
}

type profile struct {
	Path       string
	Name       string `xml:"InstanceProfileName"`
	ID         string `xml:"InstanceProfileId"`
	Arn        string
	CreateDate string
	Roles      []role `xml:"Roles>member"`
	Tags       []tag  `xml:"Tags>member,omitempty"`
}

func profileXML(s *world.State, p *world.Profile) profile {
	out := profile{
		Path:       p.Path,
		Name:       p.Name,
		ID:         p.ID,
		Arn:        s.ProfileARN(p),
		CreateDate: p.Created.UTC().Format(time.RFC3339),
		Tags:       toTags(p.Tags),
	}
	for _, r := range p.Roles {
		out.Roles = append(out.Roles, roleXML(s, r))
	}
	return out
}

type profileOut struct {
	Profile profile `xml:"InstanceProfile"`
}

type createIn struct {
	Name string `query:"InstanceProfileName"`
	Path string
	Tags []tag
}

var validName = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)

func (a *api) create(_ context.Context, _ *wire.Call, in *createIn) (*profileOut, error) {
	if !validName.MatchString(in.Name) {
		return nil, apierror.New(
			"ValidationError",
			"The specified value for instanceProfileName is invalid. It must contain only "+
				"alphanumeric characters and/or the following: +=,.@_- and have at most 128 of them",
		)
	}
	if in.Path == "" {
		in.Path = "/"
	}
	if !strings.HasPrefix(in.Path, "/") || !strings.HasSuffix(in.Path, "/") || len(in.Path) > 512 {
		return nil, apierror.New(
			"ValidationError",
			"The specified value for path is invalid. It must begin and end with / and contain at most 512 characters",
		)
	}
	out := &profileOut{}
	return out, a.world.Do(func(s *world.State) error {
		p, err := s.CreateProfile(in.Name, in.Path, fromTags(in.Tags))
		if err == nil {
			out.Profile = profileXML(s, p)
		}
		return err
	})
}

type named struct {
	Name string `query:"InstanceProfileName"`
}

// with runs act on the profile that a call names.
func (a *api) with(name string, act func(*world.State, *world.Profile) error) error {
	return a.world.Do(func(s *world.State) error {
		p, err := s.Profile(name)
		if err != nil {
			return err
		}
		return act(s, p)
	})
}

func (a *api) get(_ context.Context, _ *wire.Call, in *named) (*profileOut, error) {
	out := &profileOut{}
	return out, a.with(in.Name, func(s *world.State, p *world.Profile) error {
		out.Profile = profileXML(s, p)
		return nil
	})
}

func (a *api) delete(_ context.Context, _ *wire.Call, in *named) (any, error) {
	return nil, a.with(in.Name, func(s *world.State, p *world.Profile) error { return s.DeleteProfile(p) })
}

type roleIn struct {
	Name string `query:"InstanceProfileName"`
	Role string `query:"RoleName"`
}

func (a *api) addRole(_ context.Context, _ *wire.Call, in *roleIn) (any, error) {
	return nil, a.with(in.Name, func(s *world.State, p *world.Profile) error { return s.AddRole(p, in.Role) })
}

func (a *api) removeRole(_ context.Context, _ *wire.Call, in *roleIn) (any, error) {
	return nil, a.with(in.Name, func(s *world.State, p *world.Profile) error { return s.RemoveRole(p, in.Role) })
}

type tagIn struct {
	Name string `query:"InstanceProfileName"`
	Tags []tag
}

func (a *api) tag(_ context.Context, _ *wire.Call, in *tagIn) (any, error) {
	return nil, a.with(in.Name, func(s *world.State, p *world.Profile) error {
		p.Tags = launchspec.SetTags(p.Tags, fromTags(in.Tags))
		return nil
	})
}

type untagIn struct {
	Name string   `query:"InstanceProfileName"`
	Keys []string `query:"TagKeys"`
}

func (a *api) untag(_ context.Context, _ *wire.Call, in *untagIn) (any, error) {
	return nil, a.with(in.Name, func(s *world.State, p *world.Profile) error {
		p.Tags = slices.DeleteFunc(p.Tags, func(t launchspec.Tag) bool { return slices.Contains(in.Keys, t.Key) })
		return nil
	})
}

type tagsOut struct {
	Tags        []tag `xml:"Tags>member"`
	IsTruncated bool
}

func (a *api) listTags(_ context.Context, _ *wire.Call, in *named) (*tagsOut, error) {
	out := &tagsOut{}
	return out, a.with(in.Name, func(_ *world.State, p *world.Profile) error {
		out.Tags = toTags(p.Tags)
		return nil
	})
}

// paged is what every list of IAM takes.
type paged struct {
	Marker   string
	MaxItems *int

	half bool
}

// Halve has the answer hold half a page.
func (in *paged) Halve() { in.half = true }

// truncation ends every list of IAM.
type truncation struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// page sorts names and cuts one page out of them. The marker is the last name
// that was given out.
func (in *paged) page(names []string) ([]string, truncation, error) {
	most := 100
	if in.MaxItems != nil {
		most = *in.MaxItems
	}
	if most < 1 || most > 1000 {
		return nil, truncation{}, apierror.New("ValidationError", "MaxItems must be from 1 to 1000, got %d", most)
	}
	after, err := base64.RawURLEncoding.DecodeString(in.Marker)
	if err != nil {
		return nil, truncation{}, apierror.New("ValidationError", "Invalid Marker: %s", in.Marker)
	}
	slices.Sort(names)
	start, found := slices.BinarySearch(names, string(after))
	if found {
		start++
	}
	names = names[start:]
	if in.half {
		most = min(most, (len(names)+1)/2)
	}
	if len(names) <= most {
		return names, truncation{}, nil
	}
	return names[:most], truncation{true, base64.RawURLEncoding.EncodeToString([]byte(names[most-1]))}, nil
}

type listIn struct {
	PathPrefix string
	paged
}

type listOut struct {
	Profiles []profile `xml:"InstanceProfiles>member"`
	truncation
}

func (a *api) list(_ context.Context, _ *wire.Call, in *listIn) (*listOut, error) {
	out := &listOut{}
	return out, a.world.Do(func(s *world.State) (err error) {
		var names []string
		for name, p := range s.Profiles {
			if strings.HasPrefix(p.Path, in.PathPrefix) {
				names = append(names, name)
			}
		}
		if names, out.truncation, err = in.page(names); err != nil {
			return err
		}
		for _, name := range names {
			p := profileXML(s, s.Profiles[name])
			p.Tags = nil // as in IAM: a list has no tags
			out.Profiles = append(out.Profiles, p)
		}
		return nil
	})
}
