package world

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// Profile is an IAM instance profile. It carries one role at most.
type Profile struct {
	ID, Name, Path string
	Created        time.Time
	Roles          []*Role
	Tags           []launchspec.Tag
	Built          bool // the account was made with it; it does not keep its role from going
}

// buildRoles makes the roles that nodes may have, and the ready-made profile
// that eksctl's stack has for the first.
func (s *State) buildRoles() {
	for _, name := range s.Cluster.NodeRoles {
		s.Roles[name] = s.newRole(
			Role{Name: name, Trust: trustEC2, Built: true, Policies: nodePolicies(s.Partition())},
		)
		s.AccessEntries[s.RoleARN(s.Roles[name])] = &AccessEntry{
			Principal: s.RoleARN(
				s.Roles[name],
			),
			Kind:    EC2Linux,
			User:    nodeUser,
			Groups:  []string{"system:nodes"},
			Created: s.Now,
			Built:   true,
		}
	}
	if len(s.Cluster.NodeRoles) > 0 {
		name := "KarpenterNodeInstanceProfile-" + s.Cluster.Name
		s.Profiles[name] = &Profile{
			ID: s.iamID("AIPA", name), Name: name, Path: "/", Created: s.Now.Truncate(time.Second),
			Roles: []*Role{s.Roles[s.Cluster.NodeRoles[0]]}, Built: true,
		}
	}
}

// iamID makes an id of IAM's form: a prefix and 17 capitals or digits.
func (s *State) iamID(prefix, name string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	out := []byte(prefix)
	for _, part := range []string{"a", "b"} {
		for v, i := s.fate(prefix, name, part), 0; i < 9 && len(out) < 21; i++ {
			out = append(out, letters[v%32])
			v /= 32
		}
	}
	return string(out)
}

// Profile finds an instance profile by name.
func (s *State) Profile(name string) (*Profile, error) {
	if p := s.Profiles[name]; p != nil {
		return p, nil
	}
	return nil, apierror.WithStatus(http.StatusNotFound, "NoSuchEntity", "Instance Profile %s cannot be found.", name)
}

// CreateProfile makes an empty instance profile.
func (s *State) CreateProfile(name, path string, tags []launchspec.Tag) (*Profile, error) {
	if s.Profiles[name] != nil {
		return nil, apierror.WithStatus(
			http.StatusConflict,
			"EntityAlreadyExists",
			"Instance Profile %s already exists.",
			name,
		)
	}
	p := &Profile{
		ID: s.iamID("AIPA", name+path+s.Now.String()), Name: name, Path: path,
		Created: s.Now.Truncate(time.Second), Tags: launchspec.SetTags(nil, tags),
	}
	s.Profiles[name] = p
	return p, nil
}

// AddRole puts a role into a profile.
func (s *State) AddRole(p *Profile, name string) error {
	role := s.Roles[name]
	if role == nil {
		return apierror.WithStatus(
			http.StatusNotFound,
			"NoSuchEntity",
			"The role with name %s cannot be found.",
			name,
		)
	}
	if len(p.Roles) > 0 {
		return apierror.WithStatus(
			http.StatusConflict,
			"LimitExceeded",
			"Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
		)
	}
	p.Roles = []*Role{role}
	return nil
}

// RemoveRole takes a role out of a profile.
func (s *State) RemoveRole(p *Profile, name string) error {
	i := slices.IndexFunc(p.Roles, func(r *Role) bool { return r.Name == name })
	if i < 0 {
		return apierror.WithStatus(
			http.StatusNotFound,
			"NoSuchEntity",
			"The role with name %s cannot be found.",
			name,
		)
	}
	p.Roles = slices.Delete(p.Roles, i, i+1)
	return nil
}

// DeleteProfile removes an empty profile.
func (s *State) DeleteProfile(p *Profile) error {
	if len(p.Roles) > 0 {
		return apierror.WithStatus(
			http.StatusConflict,
			"DeleteConflict",
			"Cannot delete entity, must remove roles from instance profile first.",
		)
	}
	delete(s.Profiles, p.Name)
	return nil
}

// launchProfile resolves what a launch says about its profile to a name.
func (s *State) launchProfile(ref *launchspec.Profile) (string, error) {
	if ref == nil || (ref.Name == "" && ref.Arn == "") {
		return "", nil
	}
	name := ref.Name
	if name == "" {
		name = ref.Arn[strings.LastIndex(ref.Arn, "/")+1:]
	}
	if s.Profiles[name] == nil {
		return "", apierror.Invalid(
			"Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
			name,
		)
	}
	return name, nil
}

// ProfileARN names a profile.
func (s *State) ProfileARN(p *Profile) string { return s.ARN("iam", "instance-profile"+p.Path+p.Name) }

// RoleARN names a role.
func (s *State) RoleARN(r *Role) string { return s.ARN("iam", "role"+r.Path+r.Name) }
