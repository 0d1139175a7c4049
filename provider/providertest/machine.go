package providertest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/provider"
)

var machinePromises = []promise{
	{"MachinesSeesALaunchedMachine", machinesSeesALaunchedMachine},
	{"MachineIsWhatWasLaunched", machineIsWhatWasLaunched},
	{"MachineThatNeverWasIsErrNotFound", machineThatNeverWasIsErrNotFound},
	{"TerminateOfMissingMachineIsErrNotFound", terminateOfMissingMachineIsErrNotFound},
	{"TerminateEndsInErrNotFound", terminateEndsInErrNotFound},
	{"TerminateEndsOneMachineOnly", terminateEndsOneMachineOnly},
	{"AFreshMachineHasNotDrifted", aFreshMachineHasNotDrifted},
}

// same is what a look-up must tell of a machine as Launch did.
type same struct{ ID, Claim, Pool, Type, Zone, CapacityType, Image string }

func sameOf(m provider.Machine) same {
	return same{m.ProviderID, m.Claim, m.Pool, m.InstanceType, m.Zone, m.CapacityType, m.ImageID}
}

func machinesSeesALaunchedMachine(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	m := b.launch(t, order)
	all := b.machines(t)
	if len(all) != 1 {
		t.Fatalf("Machines lists %v, want just %s", ids(all), m.ProviderID)
	}
	if diff := cmp.Diff(sameOf(m), sameOf(all[0])); diff != "" {
		t.Errorf("-launched +listed\n%s", diff)
	}
	if all[0].Claim != order.Claim.Name || all[0].Pool != "general" {
		t.Errorf(
			"the machine is tagged with claim %q and pool %q, want %q and %q",
			all[0].Claim,
			all[0].Pool,
			order.Claim.Name,
			"general",
		)
	}
}

func machineIsWhatWasLaunched(t *testing.T, b *bench) {
	m := b.launch(t, b.order(t, b.claim()))
	got, err := b.cloud.Machine(t.Context(), m.ProviderID)
	if err != nil {
		t.Fatalf("Machine(%s): %v", m.ProviderID, err)
	}
	if diff := cmp.Diff(sameOf(m), sameOf(got)); diff != "" {
		t.Errorf("-launched +found\n%s", diff)
	}
	if got.State != provider.Pending && got.State != provider.Running {
		t.Errorf("state is %q, want pending or running", got.State)
	}
}

func machineThatNeverWasIsErrNotFound(t *testing.T, b *bench) {
	m := b.launch(t, b.order(t, b.claim()))
	for _, id := range []string{never(m.ProviderID), "other-cloud:///x/y", "", "rubbish"} {
		_, err := b.cloud.Machine(t.Context(), id)
		wantIs(t, "Machine("+id+")", err, provider.ErrNotFound)
	}
}

func terminateOfMissingMachineIsErrNotFound(t *testing.T, b *bench) {
	m := b.launch(t, b.order(t, b.claim()))
	for _, id := range []string{never(m.ProviderID), "other-cloud:///x/y", "", "rubbish"} {
		wantIs(t, "Terminate("+id+")", b.cloud.Terminate(t.Context(), id), provider.ErrNotFound)
	}
	if all := b.machines(t); len(all) != 1 {
		t.Errorf("Machines lists %v, want %s still", ids(all), m.ProviderID)
	}
}

// never is an ID of the same form that no machine has.
func never(id string) string {
	last := id[len(id)-1]
	other := byte('0')
	if last == other {
		other = '1'
	}
	return id[:len(id)-1] + string(other)
}

func terminateEndsInErrNotFound(t *testing.T, b *bench) {
	m := b.launch(t, b.order(t, b.claim()))
	for i := 0; ; i++ {
		err := b.cloud.Terminate(t.Context(), m.ProviderID)
		if errors.Is(err, provider.ErrNotFound) && i > 0 {
			break
		}
		if err != nil {
			t.Fatalf("call %d of Terminate: %v", i+1, err)
		}
		if i == 100 {
			t.Fatalf("after %d calls of Terminate the machine is still there", i)
		}
		b.Pass(10 * time.Second)
	}
	_, err := b.cloud.Machine(t.Context(), m.ProviderID)
	wantIs(t, "Machine", err, provider.ErrNotFound)
	if all := b.machines(t); len(all) != 0 {
		t.Errorf("Machines lists %v, want none", ids(all))
	}
}

func terminateEndsOneMachineOnly(t *testing.T, b *bench) {
	first, second := b.launch(t, b.order(t, b.claim())), b.launch(t, b.order(t, b.claim()))
	if err := b.cloud.Terminate(t.Context(), first.ProviderID); err != nil {
		t.Fatal(err)
	}
	b.Pass(10 * time.Minute)
	got, err := b.cloud.Machine(t.Context(), second.ProviderID)
	if err != nil || got.State == provider.Stopping {
		t.Errorf("the other machine is %q, %v", got.State, err)
	}
}

func aFreshMachineHasNotDrifted(t *testing.T, b *bench) {
	order := b.order(t, b.claim())
	class, err := b.cloud.Class(t.Context(), b.Ready)
	if err != nil {
		t.Fatal(err)
	}
	m := b.launch(t, order)
	claim := order.Claim
	claim.Status.ProviderID, claim.Status.ImageID = m.ProviderID, m.ImageID
	claim.Annotations = map[string]string{}
	for _, from := range []map[string]string{class.Stamp, m.Annotations} {
		for k, v := range from {
			claim.Annotations[k] = v
		}
	}
	for k, v := range m.Labels {
		claim.Labels[k] = v
	}
	if reason, err := b.cloud.Drift(t.Context(), claim); err != nil || reason != "" {
		t.Errorf("Drift = %q, %v; want none", reason, err)
	}
}
