package world

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// maxTags is EC2's limit on tags of one resource.
const maxTags = 50

// Tagged is a resource's tags, with what EC2 calls its kind.
type Tagged struct {
	ID, Kind string
	Tags     *[]launchspec.Tag

	state *State
}

// kinds maps an id's prefix to EC2's name of the resource.
var kinds = map[string]string{
	"i":      "instance",
	"lt":     "launch-template",
	"subnet": "subnet",
	"sg":     "security-group",
	"ami":    "image",
	"vpc":    "vpc",
	"cr":     "capacity-reservation",
	"pg":     "placement-group",
}

// Tagged finds the tags of any resource by id.
func (s *State) Tagged(id string) (Tagged, error) {
	prefix, _, _ := strings.Cut(id, "-")
	kind, known := kinds[prefix]
	if !known {
		return Tagged{}, apierror.New("InvalidID", "The ID '%s' is not valid", id)
	}
	out := Tagged{ID: id, Kind: kind, state: s}
	var err error
	switch prefix {
	case "i":
		var in *Instance
		if in, err = s.Instance(id); err == nil {
			out.Tags = &in.Tags
		}
	case "lt":
		var t *Template
		if t, err = s.Template(id, ""); err == nil {
			out.Tags = &t.Tags
		}
	case "subnet":
		var n *Subnet
		if n, err = s.Subnet(id); err == nil {
			out.Tags = &n.Tags
		}
	case "sg":
		var g *SecurityGroup
		if g, err = s.Group(id); err == nil {
			out.Tags = &g.Tags
		}
	case "ami":
		var im *Image
		if im, err = s.Image(id); err == nil {
			out.Tags = &im.Tags
		}
	case "cr":
		var r *CapacityReservation
		if r, err = s.Reservation(id); err == nil {
			out.Tags = &r.Tags
		}
	case "pg":
		var g *PlacementGroup
		if g, err = s.PlacementGroup(id, ""); err == nil {
			out.Tags = &g.Tags
		}
	default:
		out.Tags = &s.VPC.Tags
	}
	return out, err
}

// AllTagged lists every resource that can have tags, ascending by id.
func (s *State) AllTagged() []Tagged {
	out := []Tagged{{s.VPC.ID, "vpc", &s.VPC.Tags, s}}
	for _, in := range s.Instances {
		out = append(out, Tagged{in.ID, "instance", &in.Tags, s})
	}
	for _, t := range s.Templates {
		out = append(out, Tagged{t.ID, "launch-template", &t.Tags, s})
	}
	for _, n := range s.Subnets {
		out = append(out, Tagged{n.ID, "subnet", &n.Tags, s})
	}
	for _, g := range s.Groups {
		out = append(out, Tagged{g.ID, "security-group", &g.Tags, s})
	}
	for _, im := range s.Images {
		out = append(out, Tagged{im.ID, "image", &im.Tags, s})
	}
	for _, r := range s.Reservations {
		out = append(out, Tagged{r.ID, "capacity-reservation", &r.Tags, s})
	}
	for _, g := range s.PlacementGroups {
		out = append(out, Tagged{g.ID, "placement-group", &g.Tags, s})
	}
	slices.SortFunc(out, func(a, b Tagged) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// CheckTags refuses tags that no resource may be made with.
func CheckTags(specs []launchspec.TagSpecification) error {
	for _, spec := range specs {
		seen := map[string]bool{}
		for _, tag := range spec.Tags {
			if seen[tag.Key] {
				return apierror.Invalid("Duplicate tag key '%s' specified.", tag.Key)
			}
			seen[tag.Key] = true
		}
		if err := checkTags(spec.Tags, len(spec.Tags)); err != nil {
			return err
		}
	}
	return nil
}

// checkTags refuses tags, and more of them than a resource may have.
func checkTags(tags []launchspec.Tag, all int) error {
	for _, tag := range tags {
		switch {
		case tag.Key == "" || len(tag.Key) > 128:
			return apierror.Invalid("Tag keys must have 1 to 128 characters, got %q", tag.Key)
		case len(tag.Value) > 256:
			return apierror.Invalid("Tag value exceeds the maximum length of 256 characters")
		case strings.HasPrefix(tag.Key, "aws:"):
			return apierror.Invalid(
				"Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use",
				tag.Key,
			)
		}
	}
	if all > maxTags {
		return apierror.New(
			"TagLimitExceeded",
			"The maximum number of Tags for a resource has been reached: %d",
			maxTags,
		)
	}
	return nil
}

// Tag lays tags over a resource's own. The slice is made anew: it may be
// shared with the launch that gave it.
func (t Tagged) Tag(tags []launchspec.Tag) error {
	merged := launchspec.SetTags(*t.Tags, tags)
	if err := checkTags(tags, len(merged)); err != nil {
		return err
	}
	t.state.retag(t.Tags, merged)
	return nil
}

// Untag removes tags. A tag with a value is removed only if the value is the
// same; nil means any.
func (t Tagged) Untag(key string, value *string) {
	t.state.retag(t.Tags, slices.DeleteFunc(slices.Clone(*t.Tags), func(tag launchspec.Tag) bool {
		return tag.Key == key && (value == nil || *value == tag.Value)
	}))
}

// Clear removes all tags.
func (t Tagged) Clear() { t.state.retag(t.Tags, nil) }
