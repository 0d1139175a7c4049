package cfnapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

func (m *maker) putRole(t *thing, p props) error {
	name := m.name(t, p.text("RoleName"))
	return m.world.Do(func(s *world.State) error {
		r := s.Roles[name]
		switch {
		case r == nil:
			made, err := s.CreateRole(world.Role{
				Name:        name,
				Path:        p.text("Path"),
				Trust:       p.document("AssumeRolePolicyDocument"),
				Description: p.text("Description"),
				Tags:        p.tags(),
			})
			if err != nil {
				return err
			}
			r = made
		case r.Built || t.physical == name:
			r.Built, r.Policies, r.Inline = false, nil, map[string]string{}
			if err := s.SetTrust(r, p.document("AssumeRolePolicyDocument")); err != nil {
				return err
			}
		default:
			return exists(t, name)
		}
		t.physical, t.ref = name, name
		t.attributes = map[string]any{"Arn": s.RoleARN(r), "RoleId": r.ID}
		for _, arn := range p.texts("ManagedPolicyArns") {
			if err := s.AttachPolicy(r, arn); err != nil {
				return err
			}
		}
		inline, _ := p["Policies"].([]any)
		for _, item := range inline {
			one, _ := item.(map[string]any)
			if err := s.PutPolicy(
				r,
				props(one).text("PolicyName"),
				props(one).document("PolicyDocument"),
			); err != nil {
				return err
			}
		}
		return nil
	})
}

// exists refuses to make what somebody else has made.
func exists(t *thing, name string) error {
	return apierror.WithStatus(
		http.StatusConflict,
		"AlreadyExists",
		"Resource of type '%s' with identifier '%s' already exists.",
		t.kind,
		name,
	)
}

func (m *maker) removeRole(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		r := s.Roles[t.physical]
		if r == nil {
			return nil
		}
		r.Policies, r.Inline = nil, map[string]string{}
		for _, profile := range s.Profiles {
			if profile.Built {
				profile.Roles = slices.DeleteFunc(
					slices.Clone(profile.Roles),
					func(other *world.Role) bool { return other == r },
				)
			}
		}
		return s.DeleteRole(r)
	})
}

func (m *maker) putServiceRole(t *thing, p props) error {
	return m.world.Do(func(s *world.State) error {
		r, err := s.ServiceRole(p.text("AWSServiceName"))
		if err == nil {
			t.physical, t.ref, t.attributes = r.Name, r.Name, map[string]any{"RoleName": r.Name}
		}
		return err
	})
}

func (m *maker) putPolicy(t *thing, p props) error {
	name := p.text("ManagedPolicyName")
	if name == "" && t.physical != "" {
		name = t.physical[strings.LastIndex(t.physical, "/")+1:]
	}
	name = m.name(&thing{logical: t.logical}, name)
	return m.world.Do(func(s *world.State) error {
		arn := s.PolicyARN(&world.Policy{Name: name, Path: pathOf(p)})
		if old := s.Policies[arn]; old != nil {
			if t.physical != arn {
				return exists(t, arn)
			}
			old.Documents, old.Updated = append(old.Documents, p.document("PolicyDocument")), s.Now
		} else if _, err := s.CreatePolicy(world.Policy{
			Name:        name,
			Path:        pathOf(p),
			Description: p.text("Description"),
			Documents:   []string{p.document("PolicyDocument")},
		}); err != nil {
			return err
		}
		t.physical, t.ref, t.attributes = arn, arn, map[string]any{"PolicyArn": arn}
		for _, role := range p.texts("Roles") {
			r, err := s.Role(role)
			if err != nil {
				return err
			}
			if err := s.AttachPolicy(r, arn); err != nil {
				return err
			}
		}
		return nil
	})
}

func pathOf(p props) string {
	if path := p.text("Path"); path != "" {
		return path
	}
	return "/"
}

func (m *maker) removePolicy(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		for _, r := range s.AttachedTo(t.physical) {
			if err := s.DetachPolicy(r, t.physical); err != nil {
				return err
			}
		}
		delete(s.Policies, t.physical)
		return nil
	})
}

func (m *maker) putInline(t *thing, p props) error {
	name := p.text("PolicyName")
	t.physical, t.ref, t.attributes = name, name, map[string]any{"Id": name}
	return m.world.Do(func(s *world.State) error {
		for _, role := range p.texts("Roles") {
			r, err := s.Role(role)
			if err != nil {
				return err
			}
			if err := s.PutPolicy(r, name, p.document("PolicyDocument")); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *maker) removeInline(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		for _, r := range s.Roles {
			delete(r.Inline, t.physical)
		}
		return nil
	})
}

func (m *maker) putProfile(t *thing, p props) error {
	name := m.name(t, p.text("InstanceProfileName"))
	return m.world.Do(func(s *world.State) error {
		profile := s.Profiles[name]
		if profile != nil && t.physical != name {
			return exists(t, name)
		}
		if profile == nil {
			made, err := s.CreateProfile(name, pathOf(p), nil)
			if err != nil {
				return err
			}
			profile = made
		}
		t.physical, t.ref, t.attributes = name, name, map[string]any{"Arn": s.ProfileARN(profile)}
		profile.Roles = nil
		for _, role := range p.texts("Roles") {
			if err := s.AddRole(profile, role); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *maker) removeProfile(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		delete(s.Profiles, t.physical)
		return nil
	})
}

func (m *maker) putProvider(t *thing, p props) error {
	return m.world.Do(func(s *world.State) error {
		address := strings.TrimPrefix(p.text("Url"), "https://")
		arn := s.ARN("iam", "oidc-provider/"+address)
		if s.Providers[arn] != nil && t.physical != arn {
			return exists(t, arn)
		}
		s.Providers[arn] = &world.OIDCProvider{
			URL:         address,
			Clients:     p.texts("ClientIdList"),
			Thumbprints: p.texts("ThumbprintList"),
			Created:     s.Now,
		}
		t.physical, t.ref, t.attributes = arn, arn, map[string]any{"Arn": arn}
		return nil
	})
}

func (m *maker) removeProvider(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		delete(s.Providers, t.physical)
		return nil
	})
}
