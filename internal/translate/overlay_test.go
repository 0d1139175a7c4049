package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

const gpu = "nvidia.com/gpu"

// stall sells one GPU type in two zones, on demand and spot.
func stall() []*shape.InstanceType {
	t := &shape.InstanceType{
		Name:         "g5.xlarge",
		Requirements: []shape.Requirement{{Key: shape.LabelArch, Operator: shape.In, Values: []string{"amd64"}}},
		Capacity:     shape.Vector{CPU: 4000, Extended: []shape.Amount{{Resource: gpu, Value: 1}}},
		Allocatable:  shape.Vector{CPU: 3900, Extended: []shape.Amount{{Resource: gpu, Value: 1}}},
	}
	for _, zone := range []string{"a", "b"} {
		for _, capacityType := range []string{shape.OnDemand, shape.Spot} {
			t.Offerings = append(
				t.Offerings,
				shape.Offering{Zone: zone, CapacityType: capacityType, Price: 1_006_001, Available: true},
			)
		}
	}
	return []*shape.InstanceType{t}
}

func shelf(labels map[string]string) *karpenterv1.NodePool {
	np := &karpenterv1.NodePool{}
	np.Name = "gpus"
	for k, v := range labels {
		if np.Spec.Template.Labels == nil {
			np.Spec.Template.Labels = map[string]karpenterv1.LabelValue{}
		}
		np.Spec.Template.Labels[k] = karpenterv1.LabelValue(v)
	}
	return np
}

func in(key string, values ...string) karpenterv1alpha1.Requirement {
	return karpenterv1alpha1.Requirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

// overlaying makes overlays of "price=…", "adjust=…" and "gpu=…" for what meets the requirement.
func overlaying(t *testing.T, name string, weight int32, what string, reqs ...karpenterv1alpha1.Requirement) Overlay {
	t.Helper()
	o := &karpenterv1alpha1.NodeOverlay{}
	o.Name, o.Spec.Weight, o.Spec.Requirements = name, &weight, reqs
	field, value, _ := strings.Cut(what, "=")
	switch field {
	case "price":
		o.Spec.Price = &value
	case "adjust":
		o.Spec.PriceAdjustment = &value
	case "gpu":
		o.Spec.Capacity = corev1.ResourceList{gpu: resource.MustParse(value)}
	}
	out, err := ReadOverlay(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pricesOf(o Overlaid) (out []shape.Money) {
	for _, of := range o.Types[0].Offerings {
		out = append(out, of.Price)
	}
	return out
}

func TestOverlayPrices(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why      string
		overlays []Overlay
		want     []shape.Money // a on demand, a spot, b on demand, b spot
	}{
		"Fixed": {
			"A price replaces the cloud's.",
			[]Overlay{overlaying(t, "x", 1, "price=0.5")},
			[]shape.Money{500_000, 500_000, 500_000, 500_000},
		},
		"Zone": {
			"Only offerings that meet the requirements change.",
			[]Overlay{overlaying(t, "x", 1, "price=0.5", in(shape.LabelZone, "a"))},
			[]shape.Money{500_000, 500_000, 1_006_001, 1_006_001},
		},
		"Percent": {
			"1.006001 less 12.5 % is 0.880250875.",
			[]Overlay{overlaying(t, "x", 1, "adjust=-12.5%")},
			[]shape.Money{880_251, 880_251, 880_251, 880_251},
		},
		"Absolute": {
			"Dollars are added.",
			[]Overlay{overlaying(t, "x", 1, "adjust=+0.000001", in(shape.LabelCapacityType, "spot"))},
			[]shape.Money{1_006_001, 1_006_002, 1_006_001, 1_006_002},
		},
		"Floor": {
			"No price is negative.",
			[]Overlay{overlaying(t, "x", 1, "adjust=-7")},
			[]shape.Money{0, 0, 0, 0},
		},
		"Weight": {
			"The higher weight wins where both speak.",
			[]Overlay{overlaying(t, "a", 9, "price=3", in(shape.LabelZone, "b")), overlaying(t, "z", 1, "price=2")},
			[]shape.Money{2_000_000, 2_000_000, 3_000_000, 3_000_000},
		},
		"Pool": {
			"The pool's template counts.",
			[]Overlay{overlaying(t, "x", 1, "price=2", in("team", "red"))},
			[]shape.Money{2_000_000, 2_000_000, 2_000_000, 2_000_000},
		},
		"OtherPool": {
			"Another pool's overlay does not.",
			[]Overlay{overlaying(t, "x", 1, "price=2", in(karpenterv1.NodePoolLabelKey, "other"))},
			[]shape.Money{1_006_001, 1_006_001, 1_006_001, 1_006_001},
		},
		"NoSuchName": {
			"A label that nothing has is not in a list.",
			[]Overlay{overlaying(t, "x", 1, "price=2", in("unheard", "of"))},
			[]shape.Money{1_006_001, 1_006_001, 1_006_001, 1_006_001},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := OverlayTypes(tc.overlays, shelf(map[string]string{"team": "red"}), stall())
			if diff := cmp.Diff(tc.want, pricesOf(got)); diff != "" {
				t.Errorf("%s\nprices: -want +got\n%s", tc.why, diff)
			}
		})
	}
}

// A percentage is exact: the result differs from the true product by half a micro-dollar at most.
func TestPercentagesAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Int64Range(0, 100_000_000).Draw(t, "price")
		tenths := rapid.Int64Range(0, 999).Draw(t, "tenths of a percent")
		text := "-" + string(
			rune('0'+tenths/100),
		) + string(
			rune('0'+tenths/10%10),
		) + "." + string(
			rune('0'+tenths%10),
		) + "%"
		a, err := changedPrice(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, thousandths := a.of(
			shape.Money(price),
		), price*(1000-tenths); max(
			int64(got)*1000-thousandths,
			thousandths-int64(got)*1000,
		) > 500 {
			t.Fatalf("%d%s is %d, want %d/1000", price, text, got, thousandths)
		}
	})
}

func TestOverlayCapacity(t *testing.T) {
	t.Parallel()
	sold := stall()
	four := OverlayTypes([]Overlay{overlaying(t, "shared", 1, "gpu=4")}, shelf(nil), sold)
	it := four.Types[0]
	if it.Capacity.Get(gpu) != 4 || it.Allocatable.Get(gpu) != 4 || it.Allocatable.CPU != 3900 ||
		!four.Resized["g5.xlarge"] ||
		four.Priced["g5.xlarge"] {
		t.Errorf("a time-sliced GPU: %+v, resized %v, priced %v", it, four.Resized, four.Priced)
	}
	if sold[0].Capacity.Get(gpu) != 1 {
		t.Error("the cloud's own list changed")
	}
	one := OverlayTypes([]Overlay{overlaying(t, "shared", 1, "gpu=4", in(shape.LabelZone, "b"))}, shelf(nil), stall()).Types[0]
	if got := one.Offerings[2].Allocatable; got == nil || got.Get(gpu) != 4 {
		t.Errorf("zone b has %v, want 4 GPUs", got)
	}
	if got := one.Offerings[0].Allocatable; one.Allocatable.Get(gpu) != 1 || got != nil && got.Get(gpu) != 1 {
		t.Errorf("zone a has %v of %v, want 1 GPU", got, one.Allocatable)
	}
	if one.Capacity.Get(gpu) != 4 {
		t.Errorf("limits see %d GPUs, want the most that there may be", one.Capacity.Get(gpu))
	}
}

func TestConflictsNameWhatMeets(t *testing.T) {
	t.Parallel()
	stocks := []Stock{{shelf(nil), stall()}}
	a, b := overlaying(t, "a", 5, "price=1"), overlaying(t, "b", 5, "adjust=+1%", in(shape.LabelZone, "b"))
	heavy, size := overlaying(t, "heavy", 6, "price=2"), overlaying(t, "size", 5, "gpu=4")
	hold, conflicts := Settle([]Overlay{a, b, heavy, size}, stocks)
	var names []string
	for _, o := range hold {
		names = append(names, o.Name)
	}
	if diff := cmp.Diff([]string{"heavy", "size", "b"}, names); diff != "" {
		t.Errorf("those that hold: -want +got\n%s", diff)
	}
	if len(conflicts) != 1 || conflicts[0].Overlay != "a" ||
		!strings.Contains(
			conflicts[0].Error(),
			"NodeOverlay b of the same weight sets the price of g5.xlarge in NodePool gpus",
		) {
		t.Errorf("conflicts %v, want a with b", conflicts)
	}
	apart := overlaying(t, "c", 5, "price=1", in(shape.LabelZone, "a"))
	if _, conflicts := Settle([]Overlay{b, apart}, stocks); len(conflicts) > 0 {
		t.Errorf("two zones: %v", conflicts)
	}
}

func TestBadOverlaysNameTheField(t *testing.T) {
	t.Parallel()
	bad := "ten"
	o := &karpenterv1alpha1.NodeOverlay{}
	o.Spec.Price = &bad
	if _, err := ReadOverlay(o); err == nil || !strings.Contains(err.Error(), `price is "ten"`) {
		t.Errorf("price %q: %v", bad, err)
	}
	o.Spec.Price, o.Spec.PriceAdjustment = nil, &bad
	if _, err := ReadOverlay(o); err == nil || !strings.Contains(err.Error(), `priceAdjustment is "ten"`) {
		t.Errorf("priceAdjustment %q: %v", bad, err)
	}
}
