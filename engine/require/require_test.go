package require

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// samples cover every way in which a value can relate to the generated requirements.
var samples = []string{
	"", "0", "1", "2", "3", "5", "007", "a", "b", "c", "-4", "9223372036854775807", "9223372036854775808",
}

func requirements() *rapid.Generator[shape.Requirement] {
	return rapid.Custom(func(t *rapid.T) shape.Requirement {
		r := shape.Requirement{
			Key:      rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key"),
			Operator: shape.Operator(rapid.IntRange(0, 7).Draw(t, "operator")),
		}
		switch r.Operator {
		case shape.In, shape.NotIn:
			r.Values = rapid.SliceOfN(rapid.SampledFrom(samples), 0, 4).Draw(t, "values")
		case shape.Gt, shape.Lt, shape.Gte, shape.Lte:
			r.Values = []string{rapid.SampledFrom(samples).Draw(t, "bound")}
		}
		return r
	})
}

// meets is the plain reading of one requirement, written without any of the package.
func meets(r shape.Requirement, value string, present bool) bool {
	switch r.Operator {
	case shape.In:
		return present && slices.Contains(r.Values, value)
	case shape.NotIn:
		return !present || !slices.Contains(r.Values, value)
	case shape.Exists:
		return present
	case shape.DoesNotExist:
		return !present
	}
	bound, err1 := strconv.ParseInt(r.Values[0], 10, 64)
	have, err2 := strconv.ParseInt(value, 10, 64)
	if !present || err1 != nil || err2 != nil {
		return false
	}
	return map[shape.Operator]bool{
		shape.Gt: have > bound, shape.Lt: have < bound, shape.Gte: have >= bound, shape.Lte: have <= bound,
	}[r.Operator]
}

func TestASetIsTheConjunctionOfItsRequirements(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		reqs := rapid.SliceOfN(requirements(), 0, 5).Draw(t, "requirements")
		var labels []shape.Label
		for _, key := range []string{"k", "l"} {
			if rapid.Bool().Draw(t, key+" present") {
				labels = append(labels, shape.Label{Key: key, Value: rapid.SampledFrom(samples).Draw(t, key)})
			}
		}
		want := true
		for _, r := range reqs {
			value, present := shape.LabelValue(labels, r.Key)
			want = want && meets(r, value, present)
		}
		set := New(reqs)
		if key, got := set.HasLabels(labels); got != want {
			t.Fatalf("%v has %v: got %v (%s), want %v", set, labels, got, key, want)
		}
		if _, empty := set.Empty(); want && empty {
			t.Fatalf("%v is called empty but %v satisfies it", set, labels)
		}
		if _, got := New(set.Requirements()).HasLabels(labels); got != want {
			t.Fatalf("%v described again is %v, which disagrees on %v", set, New(set.Requirements()), labels)
		}
		if _, ok := OfLabels(labels).Compatible(set, nil); want && !ok {
			t.Fatalf("%v satisfies %v but is called incompatible", labels, set)
		}
	})
}

func TestSomeIsAMember(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := Any("k")
		for _, r := range rapid.SliceOfN(requirements(), 0, 4).Draw(t, "requirements") {
			r.Key = "k"
			v = v.And(Of(r))
		}
		some, ok := v.Some()
		if ok && !v.Has(some) {
			t.Fatalf("%q was picked from %v", some, v)
		}
	})
}

func TestCompatible(t *testing.T) {
	t.Parallel()
	in := func(key string, values ...string) shape.Requirement {
		return shape.Requirement{Key: key, Values: values}
	}
	cases := map[string]struct {
		why  string
		have []shape.Requirement
		want []shape.Requirement
		key  string
	}{
		"Overlap": {
			why:  "Two lists that share a value can be satisfied together.",
			have: []shape.Requirement{in("zone", "a", "b")}, want: []shape.Requirement{in("zone", "b", "c")},
		},
		"Disjoint": {
			why:  "No zone is in both lists.",
			have: []shape.Requirement{in("zone", "a")}, want: []shape.Requirement{in("zone", "b")}, key: "zone",
		},
		"UndefinedWellKnown": {
			why:  "A NodePool that is silent about zones leaves the choice to the pod.",
			want: []shape.Requirement{in("zone", "b")},
		},
		"UndefinedCustom": {
			why:  "A NodePool that does not define team makes no node with it.",
			want: []shape.Requirement{in("team", "x")}, key: "team",
		},
		"UndefinedCustomNotIn": {
			why:  "A node without the label satisfies NotIn.",
			want: []shape.Requirement{{Key: "team", Operator: shape.NotIn, Values: []string{"x"}}},
		},
	}
	wellKnown := func(key string) bool { return key == "zone" }
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, ok := New(tc.have).Compatible(New(tc.want), wellKnown)
			if diff := cmp.Diff(tc.key, key); diff != "" || ok != (tc.key == "") {
				t.Errorf("%s\nCompatible: ok %v, -want +got\n%s", tc.why, ok, diff)
			}
		})
	}
}
