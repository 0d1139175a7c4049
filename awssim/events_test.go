package awssim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// befall has something befall an instance, over the admin API.
func (a *account) befall(t *testing.T, e control.Event) {
	t.Helper()
	if err := control.New(a.URL()).Befall(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func TestScheduledWorkIsAnnouncedAndDone(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	inbox := a.mailbox(t)
	a.befall(
		t,
		control.Event{
			Kind:   control.ScheduledChange,
			Target: awssim.Target{Instance: id},
			Code:   "instance-retirement",
			After:  fault.Duration(24 * time.Hour),
		},
	)
	e := inbox.of(t, "AWS Health Event")
	entities, _ := e.Detail["affectedEntities"].([]any)
	if e.Source != "aws.health" || e.Detail["service"] != "EC2" || e.Detail["eventTypeCategory"] != "scheduledChange" ||
		e.Detail["eventTypeCode"] != "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED" ||
		len(entities) != 1 ||
		e.Detail["startTime"] != "Sun, 22 Nov 2026 12:00:10 GMT" ||
		e.Detail["page"] != "1" {
		t.Errorf("event %s", e.body)
	}
	status := must[*ec2.DescribeInstanceStatusOutput](
		t,
	)(
		a.ec2.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{
			Filters: []ec2types.Filter{filterBy("event.code", "instance-retirement", "instance-reboot")},
		}),
	).InstanceStatuses
	if len(status) != 1 || len(status[0].Events) != 1 ||
		!status[0].Events[0].NotBefore.Equal(noon.Add(24*time.Hour+10*time.Second)) {
		t.Fatalf("status %+v", status)
	}
	a.clock.Step(23 * time.Hour)
	if got := a.describe(t, id).State.Name; got != "running" {
		t.Errorf("an hour before the work the instance is %s", got)
	}
	a.clock.Step(time.Hour)
	if got := a.describe(t, id).State.Name; got != "shutting-down" {
		t.Errorf("when its host is retired the instance is %s", got)
	}
}

func TestImpairedInstances(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	other := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	impaired := func(check string) []string {
		var ids []string
		for _, s := range must[*ec2.DescribeInstanceStatusOutput](t)(a.ec2.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{
			Filters: []ec2types.Filter{filterBy(check+"-status.status", "impaired")},
		})).InstanceStatuses {
			ids = append(ids, *s.InstanceId)
			details := slices.Concat(s.InstanceStatus.Details, s.SystemStatus.Details)
			if !slices.ContainsFunc(details, func(d ec2types.InstanceStatusDetails) bool {
				return d.Status == "failed" && d.ImpairedSince.Equal(noon.Add(10*time.Second))
			}) {
				t.Errorf("the status does not say since when it is impaired: %+v", details)
			}
		}
		return ids
	}
	a.befall(t, control.Event{Kind: control.Impaired, Target: awssim.Target{Instance: id}, Code: "instance"})
	a.befall(t, control.Event{Kind: control.Impaired, Target: awssim.Target{Instance: other}, Code: "system"})
	if got := impaired("instance"); len(got) != 1 || got[0] != id {
		t.Errorf("instance status impaired: %v, want %s", got, id)
	}
	if got := impaired("system"); len(got) != 1 || got[0] != other {
		t.Errorf("system status impaired: %v, want %s", got, other)
	}
	a.befall(t, control.Event{Kind: control.Healed, Target: awssim.Target{Instance: id}, Code: "instance"})
	if got := impaired("instance"); len(got) != 0 {
		t.Errorf("after it healed: %v", got)
	}
}

func TestReclaimedReservations(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	inbox := a.mailbox(t)
	a.befall(t, control.Event{Kind: control.Reclaim, Target: awssim.Target{Instance: id}})
	e := inbox.of(t, "EC2 Capacity Reservation Instance Interruption Warning")
	if e.Detail["instance-action"] != "terminate" || e.Detail["azId"] != "use1-az1" ||
		e.Detail["instance-termination-time"] != "2026-11-21T12:02:10Z" {
		t.Errorf("event %s", e.body)
	}
	a.clock.Step(2 * time.Minute)
	if got := a.describe(t, id); got.State.Name != "shutting-down" {
		t.Errorf("after the notice the instance is %s", got.State.Name)
	}
}

func TestOldShapes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	spot, reserved := a.one(t, "lt-a", true), a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	inbox := a.mailbox(t)
	old := true
	a.set(t, awssim.Settings{OldShapes: &old})
	if err := a.Interrupt(awssim.Target{Instance: spot}); err != nil {
		t.Fatal(err)
	}
	if e := inbox.of(
		t,
		"EC2 Spot Instance Interruption Warning",
	); !strings.Contains(
		string(e.Resources),
		"arn:aws:ec2:us-east-1a:instance/",
	) {
		t.Errorf("spot interruption: resources %s, want a zone and no account", e.Resources)
	}
	a.befall(t, control.Event{Kind: control.Reclaim, Target: awssim.Target{Instance: reserved}})
	e := inbox.of(t, "EC2 Interruptible Capacity Reservation Instance Interruption Warning")
	if want := `"arn:aws:ec2:us-east-1:111122223333:instance/` + reserved + `"`; string(e.Resources) != want {
		t.Errorf("reservation: resources %s, want the bare string %s", e.Resources, want)
	}
	a.clock.Step(3 * time.Minute)
	if e := inbox.of(t, "EC2 Instance State-change Notification"); e.Version != "" {
		t.Errorf("state change: version %q, want none", e.Version)
	}
	a.befall(t, control.Event{Kind: control.Message, Body: `{"rub": "bish"}`})
	for inbox.next(t).body != `{"rub": "bish"}` {
	}
}

func TestMessagesComeTwiceAndOutOfOrder(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) { d.UserData = nil })
	always, late := 1.0, fault.Duration(5*time.Minute)
	a.set(t, awssim.Settings{Duplicates: &always, Disorder: &late})
	const machines = 20
	out := a.launch(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"m5.large"},
			zones:    []string{"us-east-1a"},
			count:    machines,
		},
	)
	launched := out.Instances[0].InstanceIds
	inbox := a.mailbox(t)
	waitFor(t, "every message to be sent", func() bool { return inbox.count(t) == 2*machines })
	a.clock.Step(4*time.Minute + 59*time.Second) // retention is 5 minutes
	var order []string
	for range machines {
		if e := inbox.next(t); e.Detail["state"] == "pending" {
			order = append(order, e.Detail["instance-id"].(string))
		}
	}
	if len(order) == 0 || slices.Equal(order, launched[:len(order)]) {
		t.Errorf("messages came in the order of the launches: %v", order)
	}
}

func TestMachinesInTrouble(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	a.fault(t, fault.Rule{Kind: fault.BootFailure, Params: map[string]string{"InstanceType": "c5.*"}})
	a.fault(
		t,
		fault.Rule{
			Kind:   fault.SlowBoot,
			Params: map[string]string{"InstanceType": "r5.*"},
			Hold:   fault.Duration(10 * time.Minute),
		},
	)
	a.fault(
		t,
		fault.Rule{
			Kind:   fault.LostHeartbeat,
			Params: map[string]string{"InstanceType": "m5.*"},
			Hold:   fault.Duration(time.Hour),
		},
	)
	launch := func(kind ec2types.InstanceType) string {
		out := a.launch(
			t,
			fleet{template: "lt-a", types: []ec2types.InstanceType{kind}, zones: []string{"us-east-1a"}, count: 1},
		)
		return out.Instances[0].InstanceIds[0]
	}
	dead, slow, silent := launch("c5.large"), launch("r5.large"), launch("m5.large")
	a.clock.Step(10 * time.Second)
	name := *a.describe(t, silent).PrivateDnsName
	if got := a.nodes.next(t); got != "registered "+name {
		t.Errorf("first change %q, want only the m5 to have joined", got)
	}
	if reason := a.waitForFailures(t, 1)[dead]; !strings.Contains(reason, "fault") {
		t.Errorf("the machine that can not boot says %q", reason)
	}
	waitFor(t, "two machines to wait", func() bool { return a.clock.HasWaiters() })
	a.step(t, 10*time.Minute, func() bool { return a.nodes.get(*a.describe(t, slow).PrivateDnsName) != nil })
	if got := a.nodes.next(t); got != "registered "+*a.describe(t, slow).PrivateDnsName {
		t.Errorf("next change %q, want the slow machine to have joined", got)
	}
	a.step(t, time.Hour, func() bool { return len(a.nodes.changes) > 0 })
	if got := a.nodes.next(t); got != "silenced "+name {
		t.Errorf("next change %q, want the m5 to fall silent", got)
	}
	if got := a.describe(t, silent).State.Name; got != "running" {
		t.Errorf("the silent machine is %s, want it to run on", got)
	}
	a.befall(t, control.Event{Kind: control.Silence, Target: awssim.Target{Instance: slow}})
	if got := a.nodes.next(t); !strings.HasPrefix(got, "silenced") {
		t.Errorf("next change %q, want the other machine silenced on request", got)
	}
}

func TestMachineJoinsWithOtherRoom(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	room := fault.Room{"memory": "50%", "pods": "8", "example.com/dongle": "2"}
	a.fault(t, fault.Rule{Kind: fault.OtherRoom, Count: 1, Room: room})
	a.fault(t, fault.Rule{Kind: fault.OtherRoom, Count: 1, Room: room, Capacity: true})
	join := func() corev1.NodeStatus {
		a.one(t, "lt-a", false)
		a.clock.Step(10 * time.Second)
		name, _ := strings.CutPrefix(a.nodes.next(t), "registered ")
		return a.nodes.get(name).Status
	}
	allocatableOnly, both, plain := join(), join(), join()
	for what, tc := range map[string]struct{ got, want corev1.ResourceList }{
		"AllocatableOnly/Allocatable": {allocatableOnly.Allocatable, halved(plain.Allocatable)},
		"AllocatableOnly/Capacity":    {allocatableOnly.Capacity, plain.Capacity},
		"Both/Allocatable":            {both.Allocatable, halved(plain.Allocatable)},
		"Both/Capacity":               {both.Capacity, halved(plain.Capacity)},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
}

func halved(list corev1.ResourceList) corev1.ResourceList {
	out := list.DeepCopy()
	out[corev1.ResourceMemory] = *resource.NewQuantity(list.Memory().Value()/2, resource.BinarySI)
	out[corev1.ResourcePods] = resource.MustParse("8")
	out["example.com/dongle"] = resource.MustParse("2")
	return out
}

// step moves the clock on by d at a time until what it starts has come about:
// machines wait on the clock from when they are ready, which no test sees.
func (a *account) step(t *testing.T, d time.Duration, done func() bool) {
	t.Helper()
	waitFor(t, "the clock to bring it about", func() bool {
		if !done() {
			a.clock.Step(d)
		}
		return done()
	})
}

// waitFor polls until something holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited two minutes for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
