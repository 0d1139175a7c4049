package require

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Set is a conjunction of wishes about labels. The zero Set wishes for nothing.
type Set struct {
	values []Values // ascending by key, one for each key
}

// New is the conjunction of requirements, which may repeat keys and come in any order.
func New(reqs []shape.Requirement) Set {
	if len(reqs) == 0 {
		return Set{}
	}
	values := make([]Values, 0, len(reqs))
	for _, r := range reqs {
		values = append(values, Of(r))
	}
	return collect(values)
}

// OfLabels is the set that exactly these values satisfy, with no wish about other keys.
func OfLabels(labels []shape.Label) Set {
	values := make([]Values, 0, len(labels))
	for _, l := range labels {
		values = append(values, Only(l.Key, l.Value))
	}
	return collect(values)
}

// collect sorts values and merges those of one key, in place.
func collect(values []Values) Set {
	slices.SortStableFunc(values, func(a, b Values) int { return cmp.Compare(a.key, b.key) })
	out := values[:0]
	for _, v := range values {
		if n := len(out); n > 0 && out[n-1].key == v.key {
			out[n-1] = out[n-1].And(v)
			continue
		}
		out = append(out, v)
	}
	return Set{out}
}

// All returns one Values for each key that the set mentions, ascending by key.
// The slice must not be written to.
func (s Set) All() []Values { return s.values }

// Get is what the set says about a key: [Any] if it says nothing.
func (s Set) Get(key string) Values {
	if i, ok := s.find(key); ok {
		return s.values[i]
	}
	return Any(key)
}

// Mentions reports whether the set says something about a key.
func (s Set) Mentions(key string) bool {
	_, ok := s.find(key)
	return ok
}

func (s Set) find(key string) (int, bool) {
	return slices.BinarySearchFunc(s.values, key, func(v Values, k string) int { return cmp.Compare(v.key, k) })
}

// And is the conjunction of two sets.
func (s Set) And(t Set) Set {
	if len(s.values) == 0 {
		return t
	}
	if len(t.values) == 0 {
		return s
	}
	return collect(slices.Concat(s.values, t.values))
}

// With is the set with one more wish.
func (s Set) With(v Values) Set { return s.And(Set{[]Values{v}}) }

// Without is the set without what it says about a key.
func (s Set) Without(key string) Set {
	i, ok := s.find(key)
	if !ok {
		return s
	}
	return Set{slices.Concat(s.values[:i], s.values[i+1:])}
}

// Empty reports the first key for which nothing is possible.
func (s Set) Empty() (key string, empty bool) {
	for _, v := range s.values {
		if v.Empty() {
			return v.key, true
		}
	}
	return "", false
}

// HasLabels reports whether a node with exactly these labels (ascending by key)
// satisfies the set, and else the first key that does not. This is kube-scheduler's
// meaning: a missing label satisfies NotIn and DoesNotExist only.
func (s Set) HasLabels(labels []shape.Label) (key string, ok bool) {
	for _, v := range s.values {
		value, found := shape.LabelValue(labels, v.key)
		if found && v.Has(value) || !found && v.HasAbsent() {
			continue
		}
		return v.key, false
	}
	return "", true
}

// Compatible reports whether a node that will satisfy s can also satisfy t, and else
// the first key that stands in the way. A key that only s mentions is no obstacle. A
// key that only t mentions is one unless t allows it to be absent, or chosen says that
// its value is still to be picked by whoever makes the node: well-known labels, for a
// NodePool that does not mention them. chosen may be nil.
func (s Set) Compatible(t Set, chosen func(key string) bool) (key string, ok bool) {
	for _, want := range t.values {
		i, mentioned := s.find(want.key)
		switch {
		case mentioned && s.values[i].Overlaps(want):
		case !mentioned && want.HasAbsent():
		case !mentioned && want.HasSome() && chosen != nil && chosen(want.key):
		default:
			return want.key, false
		}
	}
	return "", true
}

// Requirements describe the set again, ascending by key.
func (s Set) Requirements() []shape.Requirement {
	var out []shape.Requirement
	for _, v := range s.values {
		out = append(out, v.Requirements()...)
	}
	return out
}

// String is the set for people: "arch In amd64, zone In a,b".
func (s Set) String() string {
	words := make([]string, 0, len(s.values))
	for _, v := range s.values {
		words = append(words, v.String())
	}
	return strings.Join(words, ", ")
}
