package world

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// Descriptions are eventually consistent: what they show is Lag old. Calls
// that change something see the present.

// seenAt is the time that descriptions show.
func (s *State) seenAt() time.Time { return s.Now.Add(-s.Lag) }

// Seen says whether descriptions show an instance yet.
func (s *State) Seen(in *Instance) bool { return !in.Launched.After(s.seenAt()) }

// SeenState is the state in which descriptions show an instance.
func (s *State) SeenState(in *Instance) InstanceState { return in.State(s.seenAt()) }

// staleTags are a resource's tags before its last changes.
type staleTags struct {
	tags  []launchspec.Tag
	until time.Time
}

// SeenTags returns a resource's tags as descriptions show them.
func (s *State) SeenTags(tags *[]launchspec.Tag) []launchspec.Tag {
	if old, ok := s.stale[tags]; ok && s.Now.Before(old.until) {
		return old.tags
	}
	return *tags
}

// retag changes a resource's tags. The change shows when Lag has passed.
func (s *State) retag(tags *[]launchspec.Tag, changed []launchspec.Tag) {
	if s.Lag > 0 {
		if _, ok := s.stale[tags]; !ok {
			s.after(s.Lag, func() { delete(s.stale, tags) })
			s.stale[tags] = staleTags{*tags, s.Now.Add(s.Lag)}
		}
	}
	*tags = changed
}

// SeenTemplates returns the templates that descriptions show, in order of
// creation: the newest not yet, those just deleted still.
func (s *State) SeenTemplates() []*Template {
	var out []*Template
	for _, t := range s.Templates {
		if !t.made.After(s.seenAt()) {
			out = append(out, t)
		}
	}
	s.ghosts = slices.DeleteFunc(s.ghosts, func(t *Template) bool { return !t.deleted.After(s.seenAt()) })
	out = append(out, s.ghosts...)
	slices.SortFunc(
		out,
		func(a, b *Template) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) },
	)
	return out
}

// SeenTemplate finds a template by id or by name among those that descriptions
// show.
func (s *State) SeenTemplate(id, name string) (*Template, error) {
	for _, t := range s.SeenTemplates() {
		if id != "" && t.ID == id || name != "" && t.Name == name {
			return t, nil
		}
	}
	if id != "" {
		return nil, noTemplate(id)
	}
	return nil, apierror.New(
		"InvalidLaunchTemplateName.NotFoundException",
		"At least one of the launch templates specified in the request does not exist.",
	)
}
