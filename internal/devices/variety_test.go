package devices_test

import (
	"testing"

	resourcev1 "k8s.io/api/resource/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// varied has a pool want launches of several instance types.
func (f *fleet) varied(types int32) {
	f.s.Pools[0].Requirements = []shape.Requirement{
		{Key: shape.LabelInstanceType, Operator: shape.Exists, MinValues: types},
	}
}

// What is taken out of a launch since devices do not suit there is missing for minValues as well.
func TestMinValuesHoldOfTheTypesThatAreLeft(t *testing.T) {
	t.Parallel()
	bus := resourcev1.FullyQualifiedName("gpu.example.com/bus")
	pair, apart := asks(exactly("gpu", 2)), asks(exactly("gpu", 2))
	pair.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	apart.Constraints = []resourcev1.DeviceConstraint{{DistinctAttribute: &bus}}
	// Both have room for a pair behind one switch and for a pair behind two; only this one has it for both at a time.
	roomy := func() *resourcev1.ResourceSlice {
		s, own := gpus(4, "t4", "16Gi"), "switch-own"
		s.Spec.Devices[3].Attributes["bus"] = resourcev1.DeviceAttribute{StringValue: &own}
		return s
	}
	cases := map[string]struct {
		third *resourcev1.ResourceSlice
		want  []string
	}{
		"Enough": {roomy(), []string{"a b → one"}},
		"TooFew": {gpus(4, "t4", "16Gi"), []string{"a → one", "b → one"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet()
			f.sells("one", 100, roomy())
			f.sells("two", 110, gpus(4, "t4", "16Gi"))
			f.sells("three", 120, tc.third)
			f.varied(2)
			f.template("pair", pair)
			f.template("apart", apart)
			f.pod("a", "pair")
			f.pod("b", "apart")
			for _, n := range f.want(t, tc.want...).Decision.Open {
				types := map[string]bool{}
				for _, o := range n.Options {
					types[o.Type] = true
				}
				if len(types) < 2 {
					t.Errorf("the node of %s may be launched as %v only", n.Pods, types)
				}
			}
		})
	}
}
