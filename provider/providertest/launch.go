package providertest

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

var launchPromises = []promise{
	{"TheCheapestCandidateIsTaken", theCheapestCandidateIsTaken},
	{"LaunchTwiceWithOneTokenMakesOneMachine", launchTwiceWithOneTokenMakesOneMachine},
	{"LaunchAgainWithOtherCandidatesMakesOneMachine", launchAgainWithOtherCandidatesMakesOneMachine},
	{"LaunchAtOnceWithOneTokenMakesOneMachine", launchAtOnceWithOneTokenMakesOneMachine},
	{"EveryTokenMakesAMachine", everyTokenMakesAMachine},
	{"LabelsMatchTheOffering", labelsMatchTheOffering},
	{"SpotIsLaunchedAsSpot", spotIsLaunchedAsSpot},
	{"AZoneThatIsAskedForIsKept", aZoneThatIsAskedForIsKept},
	{"ResourcesAreThoseThatWerePlannedWith", resourcesAreThoseThatWerePlannedWith},
	{"NoCapacityIsErrNoCapacity", noCapacityIsErrNoCapacity},
	{"NoCapacityLeavesNoMachine", noCapacityLeavesNoMachine},
	{"WhatIsSoldOutStaysListed", whatIsSoldOutStaysListed},
	{"ClassMissingIsErrClassNotFound", classMissingIsErrClassNotFound},
	{"ClassNotReadyIsErrClassNotReady", classNotReadyIsErrClassNotReady},
}

func theCheapestCandidateIsTaken(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	m := b.launch(t, order)
	paid := shape.Money(-1)
	for _, c := range order.Candidates {
		if c.Type.Name == m.InstanceType && c.Offering.Zone == m.Zone && c.Offering.CapacityType == m.CapacityType {
			paid = c.Offering.Price
		}
	}
	if best := order.Candidates[0].Offering.Price; paid != best {
		t.Errorf(
			"launched %s in %s (%s) at %s; the cheapest candidate costs %s",
			m.InstanceType,
			m.Zone,
			m.CapacityType,
			paid,
			best,
		)
	}
}

func launchTwiceWithOneTokenMakesOneMachine(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	first, second := b.launch(t, order), b.launch(t, order)
	wantOneMachine(t, b, first, second)
}

// The prices have moved or the controller has learned of a sell-out since the answer was lost.
func launchAgainWithOtherCandidatesMakesOneMachine(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	first := b.launch(t, order)
	order.Candidates = order.Candidates[len(order.Candidates)/2:]
	second := b.launch(t, order)
	wantOneMachine(t, b, first, second)
}

func launchAtOnceWithOneTokenMakesOneMachine(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	got := make([]provider.Machine, 4)
	errs := make([]error, len(got))
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], errs[i] = b.cloud.Launch(t.Context(), order) })
	}
	wg.Wait()
	var launched []provider.Machine
	for i, err := range errs {
		if err == nil {
			launched = append(launched, got[i])
		}
	}
	if len(launched) == 0 {
		t.Fatalf("no call came through: %v", errs)
	}
	wantOneMachine(t, b, launched...)
}

func wantOneMachine(t *testing.T, b *bench, got ...provider.Machine) {
	t.Helper()
	for _, m := range got {
		if m.ProviderID == "" || m.ProviderID != got[0].ProviderID {
			t.Errorf("Launch answered machine %q, then %q", got[0].ProviderID, m.ProviderID)
		}
	}
	if all := b.machines(t); len(all) != 1 {
		t.Errorf("there are %d machines, want 1: %v", len(all), ids(all))
	}
}

func everyTokenMakesAMachine(t *testing.T, b *bench) {
	first, second := b.launch(t, b.order(t, b.claim())), b.launch(t, b.order(t, b.claim()))
	if first.ProviderID == second.ProviderID {
		t.Errorf("two claims got the same machine %s", first.ProviderID)
	}
	if all := b.machines(t); len(all) != 2 {
		t.Errorf("there are %d machines, want 2: %v", len(all), ids(all))
	}
}

func labelsMatchTheOffering(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	m := b.launch(t, order)
	chosen := find(t, order, m)
	for key, want := range chosen.Labels() {
		if got, ok := m.Labels[key]; !ok || got != want {
			t.Errorf("label %s is %q, the offering says %q", key, got, want)
		}
	}
	reqs, err := provider.RequirementsOf(order.Claim, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := require.New(reqs).HasLabels(shape.LabelsOf(m.Labels)); !ok {
		t.Errorf("label %s=%q breaks the claim's requirement", key, m.Labels[key])
	}
}

func spotIsLaunchedAsSpot(t *testing.T, b *bench) {
	m := b.launch(t, b.order(t, b.claim(karpenterv1.Requirement{
		Key:      karpenterv1.CapacityTypeLabelKey,
		Operator: corev1.NodeSelectorOpIn,
		Values:   []string{karpenterv1.CapacityTypeSpot},
	})))
	if m.CapacityType != karpenterv1.CapacityTypeSpot ||
		m.Labels[karpenterv1.CapacityTypeLabelKey] != karpenterv1.CapacityTypeSpot {
		t.Errorf(
			"capacity type is %q, its label %q, want spot",
			m.CapacityType,
			m.Labels[karpenterv1.CapacityTypeLabelKey],
		)
	}
}

func aZoneThatIsAskedForIsKept(t *testing.T, b *bench) {
	all := b.order(t, b.claim()).Candidates
	zone := all[len(all)-1].Offering.Zone
	m := b.launch(t, b.order(t, b.claim(karpenterv1.Requirement{
		Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone},
	})))
	if m.Zone != zone {
		t.Errorf("launched in zone %s, want %s", m.Zone, zone)
	}
}

func resourcesAreThoseThatWerePlannedWith(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	m := b.launch(t, order)
	chosen := find(t, order, m)
	if diff := cmp.Diff(chosen.Type.Capacity, provider.VectorOf(m.Capacity)); diff != "" {
		t.Errorf("capacity: -type +machine\n%s", diff)
	}
	if diff := cmp.Diff(chosen.Allocatable(), provider.VectorOf(m.Allocatable)); diff != "" {
		t.Errorf("allocatable: -type +machine\n%s", diff)
	}
}

func noCapacityIsErrNoCapacity(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	order.Candidates = b.SellOut(t, order.Candidates[:1])
	_, err := b.cloud.Launch(t.Context(), order)
	wantIs(t, "launching what is sold out", err, provider.ErrNoCapacity)
}

func noCapacityLeavesNoMachine(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	order.Candidates = b.SellOut(t, order.Candidates[:1])
	_, err := b.cloud.Launch(t.Context(), order)
	wantIs(t, "launching what is sold out", err, provider.ErrNoCapacity)
	if all := b.machines(t); len(all) != 0 {
		t.Errorf("there are machines after a launch that failed: %v", ids(all))
	}
}

func whatIsSoldOutStaysListed(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	order.Candidates = b.SellOut(t, order.Candidates[:1])
	_, err := b.cloud.Launch(t.Context(), order)
	wantIs(t, "launching what is sold out", err, provider.ErrNoCapacity)

	gone := order.Candidates[0]
	for _, it := range b.types(t) {
		for i := range it.Offerings {
			o := &it.Offerings[i]
			same := o.Zone == gone.Offering.Zone && o.CapacityType == gone.Offering.CapacityType &&
				o.Reservation == gone.Offering.Reservation
			if it.Name != gone.Type.Name || !same {
				continue
			}
			if o.Available {
				t.Errorf("%s in %s (%s) is sold out and still called available", it.Name, o.Zone, o.CapacityType)
			}
			return
		}
	}
	t.Errorf(
		"%s in %s (%s) is sold out and no longer listed",
		gone.Type.Name,
		gone.Offering.Zone,
		gone.Offering.CapacityType,
	)
}

func classMissingIsErrClassNotFound(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	order.Claim.Spec.NodeClassRef.Name = "there-is-none"
	ref := *order.Claim.Spec.NodeClassRef
	_, err := b.cloud.Class(t.Context(), ref)
	wantIs(t, "Class", err, provider.ErrClassNotFound)
	_, err = b.cloud.InstanceTypes(t.Context(), ref)
	wantIs(t, "InstanceTypes", err, provider.ErrClassNotFound)
	_, err = b.cloud.Launch(t.Context(), order)
	wantIs(t, "Launch", err, provider.ErrClassNotFound)
	_, err = b.cloud.ResolveClass(t.Context(), ref)
	wantIs(t, "ResolveClass", err, provider.ErrClassNotFound)
}

func classNotReadyIsErrClassNotReady(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	order.Claim.Spec.NodeClassRef.Name = b.NotReady.Name
	class, err := b.cloud.Class(t.Context(), b.NotReady)
	if err != nil || class.Ready || class.Reason == "" || class.Message == "" {
		t.Errorf("Class(%s) = %+v, %v; want one that is not ready, and why", b.NotReady.Name, class, err)
	}
	_, err = b.cloud.InstanceTypes(t.Context(), b.NotReady)
	wantIs(t, "InstanceTypes", err, provider.ErrClassNotReady)
	_, err = b.cloud.Launch(t.Context(), order)
	wantIs(t, "Launch", err, provider.ErrClassNotReady)
	if all := b.machines(t); len(all) != 0 {
		t.Errorf("there are machines: %v", ids(all))
	}
}

// find is the candidate that a machine was launched from.
func find(t *testing.T, order provider.Order, m provider.Machine) provider.Candidate {
	t.Helper()
	for _, c := range order.Candidates {
		if c.Type.Name == m.InstanceType && c.Offering.Zone == m.Zone && c.Offering.CapacityType == m.CapacityType {
			return c
		}
	}
	t.Fatalf("launched %q in %q (%q), which was not among the candidates", m.InstanceType, m.Zone, m.CapacityType)
	return provider.Candidate{}
}

func ids(machines []provider.Machine) []string {
	out := make([]string, len(machines))
	for i, m := range machines {
		out[i] = m.ProviderID
	}
	return out
}
