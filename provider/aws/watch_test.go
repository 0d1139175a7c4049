package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
)

// statuses is EC2's answer about the status of instances.
func statuses(items string) mischief {
	return answer(
		200,
		`<DescribeInstanceStatusResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><instanceStatusSet>`+items+`</instanceStatusSet></DescribeInstanceStatusResponse>`,
	)
}

func impairedItem(id, check, since string) string {
	return `<item><instanceId>` + id + `</instanceId><` + check + `><status>impaired</status><details><item><name>reachability</name><status>failed</status><impairedSince>` +
		since + `</impairedSince></item></details></` + check + `></item>`
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	tr.on("DescribeInstanceStatus", func(r request) (*http.Response, error) {
		switch r.form.Get("Filter.1.Name") {
		case "instance-status.status":
			return statuses(
				impairedItem(
					"i-1",
					"instanceStatus",
					"2026-11-21T11:58:00Z",
				) + impairedItem(
					"i-2",
					"instanceStatus",
					"2026-11-21T11:58:01Z",
				),
			)(
				r,
			)
		case "system-status.status":
			return statuses(impairedItem("i-3", "systemStatus", "2026-11-21T10:00:00Z"))(r)
		default:
			return statuses(`<item><instanceId>i-4</instanceId><eventsSet>
<item><code>instance-retirement</code><description>The instance is running on degraded hardware</description><notBefore>2026-12-04T09:30:00Z</notBefore></item>
<item><code>system-reboot</code><description>[Completed] reboot</description><notBefore>2026-11-20T09:30:00Z</notBefore></item>
<item><code>something-new</code><notBefore>2026-11-20T09:30:00Z</notBefore></item></eventsSet></item>`)(r)
		}
	})
	got, err := b.Diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []provider.Notice{
		{Kind: provider.InstanceImpaired, Machines: []string{"i-1"}}, // i-2 is impaired for less than two minutes
		{Kind: provider.SystemImpaired, Machines: []string{"i-3"}},
		{
			Kind:     provider.EventPlanned,
			Machines: []string{"i-4"},
			Start:    time.Date(2026, 12, 4, 9, 30, 0, 0, time.UTC),
		},
		{
			Kind:     provider.EventPlanned,
			Machines: []string{"i-4"},
			Start:    time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC),
			Over:     true,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMissingPermissionsAreAllNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deps.Settings.ReservedCapacity = true
	tr := b.withTrouble(t)
	if err := b.checkPermissions(t.Context()); err != nil {
		t.Errorf("all is allowed, and the check says: %v", err)
	}
	denied := answer(400, `{"__type":"AccessDeniedException","message":"not allowed"}`)
	for _, action := range []string{"DescribeSubnets", "DescribeCapacityReservations"} {
		tr.on(action, refusal(403, "UnauthorizedOperation"))
	}
	tr.on(
		"ListInstanceProfiles",
		answer(
			403,
			`<ErrorResponse><Error><Code>AccessDenied</Code><Message>not allowed</Message></Error></ErrorResponse>`,
		),
	)
	tr.on("GetParameter", denied)
	tr.on("GetProducts", denied)
	err := b.checkPermissions(t.Context())
	if err == nil ||
		!strings.Contains(
			err.Error(),
			"ec2:DescribeCapacityReservations, ec2:DescribeSubnets, iam:ListInstanceProfiles, pricing:GetProducts, ssm:GetParameter;",
		) {
		t.Errorf("got %v", err)
	}
	tr.on("DescribeSubnets", refusal(503, "RequestLimitExceeded"))
	if err := b.checkPermissions(t.Context()); strings.Contains(err.Error(), "DescribeSubnets") {
		t.Errorf("a throttled call says nothing of permissions: %v", err)
	}
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default"))); err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"TerminateInstances", "DeleteLaunchTemplate"} {
		tr.on(action, refusal(403, "UnauthorizedOperation"))
	}
	if err := b.checkPermissions(
		t.Context(),
	); !strings.Contains(err.Error(), "ec2:DeleteLaunchTemplate") ||
		!strings.Contains(err.Error(), "ec2:TerminateInstances") {
		t.Errorf("what is bought cannot be given back, and the check says: %v", err)
	}
	tr.on("TerminateInstances", direct)
	tr.on("DeleteLaunchTemplate", direct)
	if err := b.checkPermissions(
		t.Context(),
	); strings.Contains(err.Error(), "Terminate") ||
		strings.Contains(err.Error(), "Delete") {
		t.Errorf("all that is bought can be given back, and the check says: %v", err)
	}
	if b.instances(t) != 1 || b.sim.Status().Templates == 0 {
		t.Error("the check has ended a machine or deleted a template")
	}
	b.deps.Settings.DisableDryRun = true
	b.restart(t)
	if err := b.checkPermissions(t.Context()); err != nil {
		t.Errorf("dry runs are switched off: %v", err)
	}
}

// A new leader plans at once. It must have learned by then what its tasks learn; it must not have changed anything
// before.
func TestStandbysLearnAndChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deps.Settings.ZonalShift = true
	b.restart(t)
	var got []string
	for _, task := range b.Tasks() {
		if task.Standby {
			got = append(got, task.Name)
		}
	}
	want := []string{"providers.pricing", "providers.instancetype", "providers.instancetype.capacity", "zonalshift"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks of standbys: -want +got\n%s", diff)
	}
}

// Whether traffic was shifted away is asked while everything else goes on, from the first moment on.
func TestAShiftThatCannotBeAskedForKeepsNothingFromStarting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deps.Settings.ZonalShift = true
	tr := b.withTrouble(t)
	tr.on("GetManagedResource", refusal(403, "AccessDeniedException"))
	b.restart(t)
	if err := b.followShifts(t.Context()); err == nil {
		t.Error("the task hides that it failed")
	}
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default"))); err != nil {
		t.Errorf("nothing is launched: %v", err)
	}
}

func TestNothingIsOfferedInAZoneThatTrafficWasShiftedAwayFrom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deps.Settings.ZonalShift = true
	var told []string
	b.deps.Shifted = func(_ context.Context, zoneID string, away bool) {
		told = append(told, fmt.Sprintf("%s %t", zoneID, away))
	}
	tr := b.withTrouble(t)
	inA := func() bool {
		return slices.ContainsFunc(
			b.available(t, "default", shape.OnDemand),
			func(o string) bool { return strings.HasSuffix(o, "/us-east-1a") },
		)
	}
	if !inA() {
		t.Fatal("us-east-1a has nothing to begin with")
	}
	id := zoneIDs(b.classNamed(t, "default"))["us-east-1a"]
	tr.on(
		"GetManagedResource",
		answer(200, `{"appliedWeights":{"`+id+`":0.0,"other":1.0},"zonalShifts":[],"arn":"a","name":"n"}`),
	)
	if err := b.followShifts(t.Context()); err != nil || inA() {
		t.Errorf("shifted away, and still on offer: %v", err)
	}
	tr.on("GetManagedResource", answer(500, `{"message":"trouble"}`))
	if err := b.followShifts(t.Context()); err == nil || inA() {
		t.Errorf("no answer is no end of a shift: %v", err)
	}
	tr.on("GetManagedResource", answer(404, `{"__type":"ResourceNotFoundException","message":"not registered"}`))
	if err := b.followShifts(t.Context()); err != nil || !inA() {
		t.Errorf("a cluster that is not registered has no shift: %v", err)
	}
	if diff := cmp.Diff([]string{id + " true", id + " false"}, told); diff != "" {
		t.Errorf("a zone is told of when it is left out and when it is back: -want +got\n%s", diff)
	}
}

func TestNothingIsOfferedWhereEverySubnetIsFull(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, s := range b.knownSubnets(b.classNamed(t, "default")) {
		if s.Zone == "us-east-1a" {
			b.subnets.RanOut(s.ID)
		}
	}
	for _, o := range b.available(t, "default", shape.OnDemand) {
		if strings.HasSuffix(o, "/us-east-1a") {
			t.Fatalf("%s is on offer, and no address is left there", o)
		}
	}
	b.clock.Step(time.Hour)
	if !slices.ContainsFunc(
		b.available(t, "default", shape.OnDemand),
		func(o string) bool { return strings.HasSuffix(o, "/us-east-1a") },
	) {
		t.Error("addresses come back, and the offers with them")
	}
}

// A full subnet says nothing about the types that were to go there: another class has other subnets in the zone.
func TestAFullSubnetIsNoShortageOfItsTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nodeClass("public", func(c *awsv1.EC2NodeClass) {
		c.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{
			{Tags: map[string]string{"kubernetes.io/role/elb": "1"}},
		}
	}))
	order := b.orderFor(
		t,
		claim("general-1", "default", append(slices.Clone(onDemandAMD64), oneOf(shape.LabelZone, "us-east-1a"))...),
	)
	for _, s := range b.knownSubnets(b.classNamed(t, "default")) {
		if s.Zone == "us-east-1a" {
			b.subnets.RanOut(s.ID)
		}
	}
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("got %v, want ErrNoCapacity", err)
	}
	want := order.Candidates[0].Type.Name + "/us-east-1a"
	if !slices.Contains(b.available(t, "public", shape.OnDemand), want) {
		t.Errorf("class public has addresses left and does not offer %s any more", want)
	}
}

func TestReservationsThatEndAreTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	c := b.launchedClaim(t)
	running := func(reservation string) mischief {
		id, _ := instanceOf(c.Status.ProviderID)
		return answer(
			200,
			`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item>
<instanceId>`+id+`</instanceId><instanceState><name>running</name></instanceState>`+reservation+`</item></instancesSet></item></reservationSet></DescribeInstancesResponse>`,
		)
	}
	state := func() provider.ReservationState {
		t.Helper()
		got, _, err := b.Reservation(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if tr.on(
		"DescribeInstances",
		running("<capacityReservationId>cr-1</capacityReservationId>"),
	); state() != provider.ReservationHeld {
		t.Error("it runs in its reservation")
	}
	class := b.classNamed(t, "default")
	class.Status.CapacityReservations = []awsv1.CapacityReservation{
		{ID: "cr-1", State: awsv1.CapacityReservationStateExpiring, OwnerID: "111122223333"},
	}
	if err := b.kube.Status().Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	if state() != provider.ReservationEnding {
		t.Error("the capacity block is about to end")
	}
	if tr.on("DescribeInstances", running("")); state() != provider.ReservationLost {
		t.Error("it runs on, outside of any reservation")
	}
}

// A profile that its class no longer names goes after a day, when no claim has it any more.
func TestUnusedInstanceProfilesAreCollected(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := b.classNamed(t, "default").Status.InstanceProfile
	class := b.classNamed(t, "default")
	own := "mine"
	class.Spec.Role, class.Spec.InstanceProfile, class.Generation = "", &own, 2
	if err := b.kube.Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	if err := b.resolve(t, "default"); err != nil || b.classNamed(t, "default").Status.InstanceProfile != own {
		t.Fatalf("the user's own profile counts now: %v", err)
	}
	user := &karpenterv1.NodeClaim{}
	user.Name, user.Annotations = "general-1", map[string]string{awsv1.AnnotationInstanceProfile: old}
	if err := b.kube.Create(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	collect := func() int {
		t.Helper()
		if err := b.collectProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b.calls("DeleteInstanceProfile")
	}
	b.clock.Step(25 * time.Hour)
	if collect() != 0 {
		t.Error("a claim still has the profile")
	}
	if err := b.kube.Delete(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if collect() != 1 {
		t.Error("nobody has the profile any more, and it stays")
	}
}

// An answer without anything in it is no news: a region that sells nothing would leave every pod without a node for
// half a day.
func TestARegionThatSellsNothingIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	store := inventory.New(some{b.ec2, fewTypes})
	sold, err := store.List(t.Context())
	if err != nil || len(sold.Types) == 0 {
		t.Fatalf("%v, %v", sold, err)
	}
	for call, empty := range map[string]string{
		"DescribeInstanceTypes":         `<DescribeInstanceTypesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><instanceTypeSet/></DescribeInstanceTypesResponse>`,
		"DescribeInstanceTypeOfferings": "",
	} {
		tr.on(call, answer(200, empty))
		if err := store.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "the answer is empty") {
			t.Errorf("%s: got %v", call, err)
		}
		if now, err := store.List(t.Context()); err != nil || now != sold {
			t.Errorf("%s: what was known is forgotten: %v", call, err)
		}
		tr.on(call, direct)
	}
}
