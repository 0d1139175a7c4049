package provider

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func in(key string, values ...string) shape.Requirement {
	return shape.Requirement{Key: key, Operator: shape.In, Values: values}
}

// market has a small type with a GPU label that is absent, and a large one.
func market() []*shape.InstanceType {
	offer := func(price shape.Money) []shape.Offering {
		return []shape.Offering{
			{
				Zone:         "b",
				CapacityType: shape.OnDemand,
				Price:        price,
				Available:    true,
				Extra:        []shape.Label{{Key: "zone-id", Value: "z2"}},
			},
			{
				Zone:         "a",
				CapacityType: shape.OnDemand,
				Price:        price,
				Available:    true,
				Extra:        []shape.Label{{Key: "zone-id", Value: "z1"}},
			},
			{
				Zone:         "a",
				CapacityType: shape.Spot,
				Price:        price / 2,
				Available:    true,
				Extra:        []shape.Label{{Key: "zone-id", Value: "z1"}},
			},
			{
				Zone:         "b",
				CapacityType: shape.Spot,
				Price:        price / 4,
				Available:    false,
				Extra:        []shape.Label{{Key: "zone-id", Value: "z2"}},
			},
		}
	}
	reqs := func(cpu, gpu string) []shape.Requirement {
		g := shape.Requirement{Key: "gpu", Operator: shape.DoesNotExist}
		if gpu != "" {
			g = in("gpu", gpu)
		}
		return []shape.Requirement{
			in("cpu", cpu),
			g,
			in(shape.LabelCapacityType, shape.OnDemand, shape.Reserved, shape.Spot),
			{
				Key:      "reservation",
				Operator: shape.DoesNotExist,
			},
			in(shape.LabelZone, "a", "b"),
			in("zone-id", "z1", "z2"),
		}
	}
	reserved := shape.Offering{
		Zone: "a", CapacityType: shape.Reserved, Price: 1, Available: true, Reservation: "r1",
		Extra: []shape.Label{{Key: "reservation", Value: "r1"}, {Key: "zone-id", Value: "z1"}},
	}
	return []*shape.InstanceType{
		{
			Name:         "small",
			Requirements: reqs("4", ""),
			Allocatable:  shape.Vector{CPU: 3900, Pods: 10},
			Offerings:    offer(100),
		},
		{
			Name:         "large",
			Requirements: reqs("8", "1"),
			Allocatable:  shape.Vector{CPU: 7900, Pods: 10},
			Offerings:    append(offer(200), reserved),
		},
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why  string
		reqs []shape.Requirement
		need shape.Vector
		want []string
	}{
		"All": {
			why: "Cheapest first; equal prices by type, then zone, then capacity type; what is sold out is left out.",
			want: []string{
				"large a reserved",
				"small a spot",
				"large a spot",
				"small a on-demand",
				"small b on-demand",
				"large a on-demand",
				"large b on-demand",
			},
		},
		"TooSmall": {
			why:  "What cannot hold the need is no candidate, however cheap.",
			need: shape.Vector{CPU: 5000},
			want: []string{"large a reserved", "large a spot", "large a on-demand", "large b on-demand"},
		},
		"CapacityTypeAndZone": {
			why:  "The offering, not the type, decides zone and capacity type.",
			reqs: []shape.Requirement{in(shape.LabelCapacityType, shape.OnDemand), in(shape.LabelZone, "b")},
			want: []string{"small b on-demand", "large b on-demand"},
		},
		"FurtherLabelsOfOfferings": {
			why:  "A label that offerings add narrows them one by one.",
			reqs: []shape.Requirement{in("zone-id", "z2")},
			want: []string{"small b on-demand", "large b on-demand"},
		},
		"LabelThatIsAbsent": {
			why:  "A type that says a label does not exist cannot satisfy a wish for it.",
			reqs: []shape.Requirement{{Key: "gpu", Operator: shape.Exists}, in(shape.LabelCapacityType, shape.Spot)},
			want: []string{"large a spot"},
		},
		"LabelThatOnlyAnOfferingHas": {
			why:  "What an offering says of a label counts instead of what its type says.",
			reqs: []shape.Requirement{in("reservation", "r1")},
			want: []string{"large a reserved"},
		},
		"NotOfAReservation": {
			why: "A wish for absence leaves the reservation out.",
			reqs: []shape.Requirement{
				{Key: "reservation", Operator: shape.DoesNotExist},
				in(shape.LabelZone, "a"),
				in("cpu", "8"),
			},
			want: []string{"large a spot", "large a on-demand"},
		},
		"Numbers": {
			why: "Requirements on one key hold together.",
			reqs: []shape.Requirement{
				{Key: "cpu", Operator: shape.Gt, Values: []string{"2"}},
				{Key: "cpu", Operator: shape.Lt, Values: []string{"8"}},
				in(shape.LabelCapacityType, shape.Spot),
			},
			want: []string{"small a spot"},
		},
		"UnknownLabel": {
			why:  "A NodePool's own label says nothing about machines.",
			reqs: []shape.Requirement{in("team", "red"), in(shape.LabelCapacityType, shape.Spot)},
			want: []string{"small a spot", "large a spot"},
		},
		"Nothing": {why: "No type has both.", reqs: []shape.Requirement{in("cpu", "4"), in("gpu", "1")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, c := range Candidates(market(), tc.reqs, tc.need) {
				got = append(got, c.Type.Name+" "+c.Offering.Zone+" "+c.Offering.CapacityType)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestRequirementsOf(t *testing.T) {
	t.Parallel()
	two := 2
	claim := &karpenterv1.NodeClaim{Spec: karpenterv1.NodeClaimSpec{Requirements: []karpenterv1.Requirement{
		{Key: "zeta", Operator: karpenterv1.OpGte, Values: []string{"3"}},
		{
			Key:       corev1.LabelInstanceType,
			Operator:  corev1.NodeSelectorOpIn,
			Values:    []string{"b", "a", "b"},
			MinValues: &two,
		},
	}}}
	got, err := RequirementsOf(claim, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []shape.Requirement{
		{Key: shape.LabelInstanceType, Operator: shape.In, Values: []string{"a", "b"}, MinValues: 2},
		{Key: "zeta", Operator: shape.Gte, Values: []string{"3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	claim.Spec.Requirements[0].Operator = "Like"
	if _, err := RequirementsOf(claim, nil); err == nil {
		t.Error("an operator that does not exist is an error")
	}
}

func TestResourcesThereAndBack(t *testing.T) {
	t.Parallel()
	list := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1930m"),
		corev1.ResourceMemory: resource.MustParse("3055Mi"),
		corev1.ResourcePods:   resource.MustParse("29"),
		"nvidia.com/gpu":      resource.MustParse("2"),
	}
	v := VectorOf(list)
	if v.CPU != 1930 || v.Memory != 3055<<20 || v.Pods != 29 || v.Get("nvidia.com/gpu") != 2 {
		t.Errorf("VectorOf = %+v", v)
	}
	for name, want := range list {
		if got := ResourceListOf(v)[name]; got.Cmp(want) != 0 {
			t.Errorf("%s is %s, want %s", name, got.String(), want.String())
		}
	}
}

// Nothing that a user may write turns into less, or into nothing.
func TestAmountsSaturate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1": 1000, "1n": 1, "9E": MaxAmount, "1e30": MaxAmount, "9223372036854775807": MaxAmount, "-1e30": -MaxAmount,
	} {
		q := resource.MustParse(text)
		if got := Amount(&q, ScaleOf(corev1.ResourceCPU)); got != want {
			t.Errorf("%s cores are %dm, want %dm", text, got, want)
		}
	}
	v := VectorOf(corev1.ResourceList{
		corev1.ResourceMemory: resource.MustParse("1e30"), "x/y": resource.MustParse("9E"),
	})
	if v.Memory != MaxAmount || v.Get("x/y") != MaxAmount {
		t.Errorf("%+v, want %d of each", v, MaxAmount)
	}
}
