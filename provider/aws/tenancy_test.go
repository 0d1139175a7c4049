package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// poolOn is a NodePool of a class.
func poolOn(name, class string, reqs ...karpenterv1.Requirement) *karpenterv1.NodePool {
	r := ref(class)
	pool := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}}
	pool.Spec.Template.Spec.NodeClassRef, pool.Spec.Template.Spec.Requirements = &r, reqs
	return pool
}

// tenancy is on whose hardware the simulated EC2 runs a machine.
func (b *bench) tenancy(t *testing.T, m provider.Machine) string {
	t.Helper()
	i, err := b.instance(t.Context(), m.ProviderID)
	if err != nil {
		t.Fatal(err)
	}
	return string(i.Placement.Tenancy)
}

// offeringsOf counts what is on offer of a class by tenancy; the empty one where offerings do not say it.
func (b *bench) offeringsOf(t *testing.T, class string) map[string]int {
	t.Helper()
	types, err := b.InstanceTypes(t.Context(), ref(class))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, it := range types {
		for i := range it.Offerings {
			tenancy, _ := shape.LabelValue(
				it.Offerings[i].Extra,
				awsv1.LabelInstanceTenancy,
			) // empty without the label
			out[tenancy]++
		}
	}
	return out
}

func TestTenancyOfLaunches(t *testing.T) {
	t.Parallel()
	on := func(values ...string) karpenterv1.Requirement { return oneOf(awsv1.LabelInstanceTenancy, values...) }
	cases := map[string]struct {
		why   string
		pool  []karpenterv1.Requirement
		claim []karpenterv1.Requirement // what the planner makes of the pool and its pods
		want  string
	}{
		"Required": {
			"the pool takes no other",
			[]karpenterv1.Requirement{on("dedicated")},
			[]karpenterv1.Requirement{on("dedicated")},
			"dedicated",
		},
		"BothAllowed": {
			"shared machines are cheaper",
			[]karpenterv1.Requirement{on("default", "dedicated")},
			[]karpenterv1.Requirement{on("default", "dedicated")},
			"default",
		},
		"AskedFor": {
			"a pod asks for it",
			[]karpenterv1.Requirement{on("default", "dedicated")},
			[]karpenterv1.Requirement{on("dedicated")},
			"dedicated",
		},
		"Spot": {"spot machines are dedicated too", []karpenterv1.Requirement{on("dedicated")},
			[]karpenterv1.Requirement{on("dedicated"), oneOf(shape.LabelCapacityType, shape.Spot)}, "dedicated"},
		"Unmentioned": {"nobody speaks of it", nil, nil, "default"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, poolOn("general", "default", tc.pool...))
			c := claim("general-1", "default", tc.claim...)
			m, err := b.Launch(t.Context(), b.orderFor(t, c))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.tenancy(t, m); got != tc.want || m.Labels[awsv1.LabelInstanceTenancy] != tc.want {
				t.Errorf(
					"%s: EC2 runs it as %s, its label says %s; want %s",
					tc.why,
					got,
					m.Labels[awsv1.LabelInstanceTenancy],
					tc.want,
				)
			}
			c.Status.ProviderID, c.Status.ImageID = m.ProviderID, m.ImageID
			c.Labels = m.Labels
			if reason, err := b.Drift(t.Context(), c); reason != "" || err != nil {
				t.Errorf("it drifts at once: %q, %v", reason, err)
			}
		})
	}
}

// Who never speaks of tenancy plans with half as many offerings as who does.
func TestDedicatedMachinesAreOnOfferOnceANodePoolSpeaksOfThem(t *testing.T) {
	t.Parallel()
	other := nodeClass("other")
	b := newBench(
		t,
		other,
		poolOn("general", "default"),
		poolOn("elsewhere", "other", oneOf(awsv1.LabelInstanceTenancy, "dedicated")),
		poolOn("shared", "default", oneOf(awsv1.LabelInstanceTenancy, "default")),
	)
	before := b.offeringsOf(t, "default")
	if len(before) != 1 || before[""] == 0 {
		t.Errorf("on offer by tenancy: %v; want none that says it", before)
	}
	if got := b.offeringsOf(t, "other"); got["dedicated"] == 0 || got["dedicated"] >= got["default"]+got[""] {
		t.Errorf("of the other class by tenancy: %v; want dedicated machines of all types but t1 and t2", got)
	}
	if err := b.kube.Create(
		t.Context(),
		poolOn(
			"own",
			"default",
			karpenterv1.Requirement{Key: awsv1.LabelInstanceTenancy, Operator: "NotIn", Values: []string{"default"}},
		),
	); err != nil {
		t.Fatal(err)
	}
	if got := b.offeringsOf(t, "default"); got["dedicated"] == 0 || got["default"]+got[""] != before[""] {
		t.Errorf(
			"on offer by tenancy: %v, once a pool speaks of it; want the %d of before and dedicated ones",
			got,
			before[""],
		)
	}
}

// A dedicated machine whose launch was not answered is found again as what it is.
func TestADedicatedLaunchIsFoundAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, poolOn("general", "default", oneOf(awsv1.LabelInstanceTenancy, "dedicated")))
	c := claim("general-1", "default", oneOf(awsv1.LabelInstanceTenancy, "dedicated"))
	c.CreationTimestamp.Time = b.clock.Now().Add(-1)
	order := b.orderFor(t, c)
	first, err := b.Launch(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	b.restart(t)
	second, err := b.Launch(t.Context(), order)
	if err != nil || second.ProviderID != first.ProviderID ||
		second.Labels[awsv1.LabelInstanceTenancy] != "dedicated" {
		t.Errorf(
			"found %s with labels %v, %v; want %s, dedicated",
			second.ProviderID,
			second.Labels,
			err,
			first.ProviderID,
		)
	}
}

// What is sold out on hardware of the account's own is not sold out elsewhere.
func TestAShortageOfDedicatedMachinesIsTheirOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t, poolOn("general", "default", oneOf(awsv1.LabelInstanceTenancy, "default", "dedicated")))
	reqs := append(
		slices.Clone(onDemandAMD64),
		oneOf(shape.LabelInstanceType, "m5.large"),
		oneOf(awsv1.LabelInstanceTenancy, "dedicated"),
	)
	order := b.orderFor(t, claim("own-1", "default", reqs...))
	b.sellOut(t, order.Candidates)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("launched with %v, want no capacity", err)
	}
	b.refill(t, order.Candidates)
	m, err := b.Launch(
		t.Context(),
		b.orderFor(
			t,
			claim(
				"general-1",
				"default",
				oneOf(shape.LabelInstanceType, "m5.large"),
				oneOf(awsv1.LabelInstanceTenancy, "default", "dedicated"),
			),
		),
	)
	if err != nil || m.Labels[awsv1.LabelInstanceTenancy] != "default" {
		t.Errorf("launched %v, %v; want a shared one", m.Labels, err)
	}
}

// Instances of a reservation have its tenancy, and no other instance fits in.
func TestAReservationOfDedicatedMachines(t *testing.T) {
	t.Parallel()
	b, tr := withReservations(t)
	tr.on(
		"DescribeCapacityReservations",
		answer(
			200,
			strings.Replace(
				reservations,
				"<instanceType>m5.large",
				"<tenancy>dedicated</tenancy><instanceType>m5.large",
				1,
			),
		),
	)
	b.clock.Step(time.Minute)
	if err := b.resolve(t, "reserved"); err != nil {
		t.Fatal(err)
	}
	o := b.reservedOfferings(t)["cr-1"]
	if tenancy, _ := shape.LabelValue(o.Extra, awsv1.LabelInstanceTenancy); tenancy != "dedicated" || !o.Available {
		t.Fatalf("cr-1 is %+v; want it available and dedicated", o)
	}
	tr.on("CreateFleet", answer(200, exceeded))
	order := b.orderFor(
		t,
		claim(
			"general-1",
			"reserved",
			oneOf(shape.LabelInstanceType, "m5.large"),
			oneOf(shape.LabelCapacityType, "reserved"),
		),
	)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatal(err)
	}
	made := tr.asked["CreateLaunchTemplate"]
	last := made[len(made)-1]
	const at = "LaunchTemplateData."
	if got, into := last.Get(
		at+"Placement.Tenancy",
	), last.Get(
		at+"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId",
	); got != "dedicated" ||
		into != "cr-1" {
		t.Errorf("launched into %q as %q; want cr-1, dedicated", into, got)
	}
	for _, shared := range b.orderFor(t, claim("general-2", "reserved", oneOf(shape.LabelInstanceType, "m5.large"), oneOf(awsv1.LabelInstanceTenancy, "default"))).Candidates {
		if shared.Offering.Reservation != "" {
			t.Errorf("who wants a shared machine is offered %+v", shared.Offering)
		}
	}
}

// An account may forbid shared machines. A class all of whose pools want dedicated ones is tried with one.
func TestTheDryRunHasTheTenancyOfTheNodePools(t *testing.T) {
	t.Parallel()
	b := newBench(t, poolOn("general", "new", oneOf(awsv1.LabelInstanceTenancy, "dedicated")))
	tr := b.withTrouble(t)
	b.create(t, nodeClass("new"))
	b.validation(t, "new")
	made := tr.asked["CreateLaunchTemplate"]
	if len(made) == 0 || made[len(made)-1].Get("LaunchTemplateData.Placement.Tenancy") != "dedicated" {
		t.Errorf("tried with templates %v", made)
	}
}
