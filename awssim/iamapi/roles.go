package iamapi

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type role struct {
	Path        string
	RoleName    string
	RoleID      string `xml:"RoleId"`
	Arn         string
	CreateDate  string
	Trust       string `xml:"AssumeRolePolicyDocument"`
	Description string `xml:",omitempty"`
	MaxSession  int    `xml:"MaxSessionDuration,omitempty"`
	Tags        []tag  `xml:"Tags>member,omitempty"`
}

// roleXML is a role as others name it; documents go in the URL encoding that
// IAM answers with.
func roleXML(s *world.State, r *world.Role) role {
	return role{
		Path:       r.Path,
		RoleName:   r.Name,
		RoleID:     r.ID,
		Arn:        s.RoleARN(r),
		CreateDate: r.Created.UTC().Format(time.RFC3339),
		Trust:      encoded(r.Trust),
	}
}

// wholeRole is a role with all that is known of it.
func wholeRole(s *world.State, r *world.Role) role {
	out := roleXML(s, r)
	out.Description, out.MaxSession, out.Tags = r.Description, r.MaxSession, toTags(r.Tags)
	return out
}

func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

type roleOut struct {
	Role role
}

type createRoleIn struct {
	RoleName           string
	Path               string
	Trust              string `query:"AssumeRolePolicyDocument"`
	Description        string
	MaxSessionDuration int
	Boundary           string `query:"PermissionsBoundary"`
	Tags               []tag
}

func (a roles) createRole(_ context.Context, _ *wire.Call, in *createRoleIn) (*roleOut, error) {
	if !validRole(in.RoleName) {
		return nil, apierror.New(
			"ValidationError",
			"The specified value for roleName is invalid. It must contain only alphanumeric characters "+
				"and/or the following: +=,.@_- and have at most 64 of them",
		)
	}
	out := &roleOut{}
	return out, a.world.Do(func(s *world.State) error {
		r, err := s.CreateRole(world.Role{
			Name:        in.RoleName,
			Path:        in.Path,
			Trust:       in.Trust,
			Description: in.Description,
			MaxSession:  in.MaxSessionDuration,
			Tags:        fromTags(in.Tags),
		})
		if err == nil {
			out.Role = wholeRole(s, r)
		}
		return err
	})
}

func validRole(name string) bool { return validName.MatchString(name) && len(name) <= 64 }

type roleNamed struct{ RoleName string }

// onRole runs act on the role that a call names.
func (a roles) onRole(name string, act func(*world.State, *world.Role) error) error {
	return a.world.Do(func(s *world.State) error {
		r, err := s.Role(name)
		if err != nil {
			return err
		}
		return act(s, r)
	})
}

func (a roles) getRole(_ context.Context, _ *wire.Call, in *roleNamed) (*roleOut, error) {
	out := &roleOut{}
	return out, a.onRole(in.RoleName, func(s *world.State, r *world.Role) error {
		out.Role = wholeRole(s, r)
		return nil
	})
}

type updateRoleIn struct {
	roleNamed
	Description        *string
	MaxSessionDuration int
}

func (a roles) updateRole(_ context.Context, _ *wire.Call, in *updateRoleIn) (any, error) {
	return nil, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration > 0 {
			r.MaxSession = in.MaxSessionDuration
		}
		return nil
	})
}

func (a roles) deleteRole(_ context.Context, _ *wire.Call, in *roleNamed) (any, error) {
	return nil, a.onRole(in.RoleName, func(s *world.State, r *world.Role) error { return s.DeleteRole(r) })
}

type listRolesOut struct {
	Roles []role `xml:"Roles>member"`
	truncation
}

func (a roles) listRoles(_ context.Context, _ *wire.Call, in *listIn) (*listRolesOut, error) {
	out := &listRolesOut{}
	return out, a.world.Do(func(s *world.State) (err error) {
		var names []string
		for name, r := range s.Roles {
			if strings.HasPrefix(r.Path, in.PathPrefix) {
				names = append(names, name)
			}
		}
		if names, out.truncation, err = in.page(names); err != nil {
			return err
		}
		for _, name := range names {
			one := wholeRole(s, s.Roles[name])
			one.Tags = nil // as in IAM: a list has no tags
			out.Roles = append(out.Roles, one)
		}
		return nil
	})
}

type trustIn struct {
	roleNamed
	PolicyDocument string
}

func (a roles) updateTrust(_ context.Context, _ *wire.Call, in *trustIn) (any, error) {
	return nil, a.onRole(
		in.RoleName,
		func(s *world.State, r *world.Role) error { return s.SetTrust(r, in.PolicyDocument) },
	)
}

type tagRoleIn struct {
	roleNamed
	Tags []tag
}

func (a roles) tagRole(_ context.Context, _ *wire.Call, in *tagRoleIn) (any, error) {
	return nil, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		r.Tags = launchspec.SetTags(r.Tags, fromTags(in.Tags))
		return nil
	})
}

type untagRoleIn struct {
	roleNamed
	Keys []string `query:"TagKeys"`
}

func (a roles) untagRole(_ context.Context, _ *wire.Call, in *untagRoleIn) (any, error) {
	return nil, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		r.Tags = slices.DeleteFunc(
			slices.Clone(r.Tags),
			func(t launchspec.Tag) bool { return slices.Contains(in.Keys, t.Key) },
		)
		return nil
	})
}

type listOfRole struct {
	roleNamed
	listIn
}

func (a roles) listRoleTags(_ context.Context, _ *wire.Call, in *listOfRole) (*tagsOut, error) {
	out := &tagsOut{}
	return out, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		out.Tags = toTags(r.Tags)
		return nil
	})
}

type attachIn struct {
	roleNamed
	PolicyArn string
}

func (a roles) attachPolicy(_ context.Context, _ *wire.Call, in *attachIn) (any, error) {
	return nil, a.onRole(
		in.RoleName,
		func(s *world.State, r *world.Role) error { return s.AttachPolicy(r, in.PolicyArn) },
	)
}

func (a roles) detachPolicy(_ context.Context, _ *wire.Call, in *attachIn) (any, error) {
	return nil, a.onRole(
		in.RoleName,
		func(s *world.State, r *world.Role) error { return s.DetachPolicy(r, in.PolicyArn) },
	)
}

type attached struct {
	Name string `xml:"PolicyName"`
	Arn  string `xml:"PolicyArn"`
}

type attachedOut struct {
	Policies []attached `xml:"AttachedPolicies>member"`
	truncation
}

func (a roles) listAttached(_ context.Context, _ *wire.Call, in *listOfRole) (*attachedOut, error) {
	out := &attachedOut{}
	return out, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		for _, arn := range r.Policies {
			out.Policies = append(out.Policies, attached{arn[strings.LastIndex(arn, "/")+1:], arn})
		}
		return nil
	})
}

type inlineIn struct {
	roleNamed
	PolicyName     string
	PolicyDocument string
}

func (a roles) putInline(_ context.Context, _ *wire.Call, in *inlineIn) (any, error) {
	return nil, a.onRole(
		in.RoleName,
		func(s *world.State, r *world.Role) error { return s.PutPolicy(r, in.PolicyName, in.PolicyDocument) },
	)
}

func (a roles) getInline(_ context.Context, _ *wire.Call, in *inlineIn) (*inlineIn, error) {
	out := &inlineIn{in.roleNamed, in.PolicyName, ""}
	return out, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		document, known := r.Inline[in.PolicyName]
		if !known {
			return world.NoEntity("The role policy with name %s cannot be found.", in.PolicyName)
		}
		out.PolicyDocument = encoded(document)
		return nil
	})
}

func (a roles) deleteInline(_ context.Context, _ *wire.Call, in *inlineIn) (any, error) {
	return nil, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		if _, known := r.Inline[in.PolicyName]; !known {
			return world.NoEntity("The role policy with name %s cannot be found.", in.PolicyName)
		}
		delete(r.Inline, in.PolicyName)
		return nil
	})
}

type inlineOut struct {
	Names []string `xml:"PolicyNames>member"`
	truncation
}

func (a roles) listInline(_ context.Context, _ *wire.Call, in *listOfRole) (*inlineOut, error) {
	out := &inlineOut{}
	return out, a.onRole(in.RoleName, func(_ *world.State, r *world.Role) error {
		out.Names = slices.Sorted(maps.Keys(r.Inline))
		return nil
	})
}

func (a roles) profilesOfRole(_ context.Context, _ *wire.Call, in *listOfRole) (*listOut, error) {
	out := &listOut{}
	return out, a.onRole(in.RoleName, func(s *world.State, r *world.Role) error {
		for _, name := range slices.Sorted(maps.Keys(s.Profiles)) {
			if p := s.Profiles[name]; slices.Contains(p.Roles, r) {
				out.Profiles = append(out.Profiles, profileXML(s, p))
			}
		}
		return nil
	})
}

type serviceRoleIn struct {
	Service      string `query:"AWSServiceName"`
	Description  string
	CustomSuffix string
}

func (a roles) createServiceRole(_ context.Context, _ *wire.Call, in *serviceRoleIn) (*roleOut, error) {
	if in.CustomSuffix != "" {
		return nil, apierror.New("InvalidInput", "Custom suffix is not allowed for %s", in.Service)
	}
	out := &roleOut{}
	return out, a.world.Do(func(s *world.State) error {
		r, err := s.ServiceRole(in.Service)
		if err == nil {
			r.Description = in.Description
			out.Role = wholeRole(s, r)
		}
		return err
	})
}

type deletionOut struct {
	ID string `xml:"DeletionTaskId"`
}

func (a roles) deleteServiceRole(_ context.Context, _ *wire.Call, in *roleNamed) (*deletionOut, error) {
	out := &deletionOut{}
	return out, a.onRole(in.RoleName, func(s *world.State, r *world.Role) error {
		out.ID = "task" + r.Path + r.Name + "/" + s.UUID()
		return s.DeleteRole(r)
	})
}

type deletionIn struct {
	ID string `query:"DeletionTaskId"`
}

type deletionStatus struct{ Status string }

func (a roles) serviceRoleDeletion(context.Context, *wire.Call, *deletionIn) (*deletionStatus, error) {
	return &deletionStatus{"SUCCEEDED"}, nil
}

type userIn struct{ UserName string }

type userOut struct {
	User struct {
		Path       string
		UserName   string
		UserID     string `xml:"UserId"`
		Arn        string
		CreateDate string
	}
}

// getUser knows the one user whom all calls come from.
func (a roles) getUser(_ context.Context, _ *wire.Call, in *userIn) (*userOut, error) {
	out := &userOut{}
	return out, a.world.Do(func(s *world.State) error {
		u := &out.User
		u.Path, u.Arn, u.UserID, u.CreateDate = "/", s.Caller(), s.CallerID(), "2020-01-01T00:00:00Z"
		u.UserName = u.Arn[strings.LastIndex(u.Arn, "/")+1:]
		if in.UserName != "" && in.UserName != u.UserName {
			return world.NoEntity("The user with name %s cannot be found.", in.UserName)
		}
		return nil
	})
}

type aliasesOut struct {
	Aliases []string `xml:"AccountAliases>member"`
	truncation
}

func (a roles) listAliases(context.Context, *wire.Call, *paged) (*aliasesOut, error) {
	return &aliasesOut{}, nil
}
