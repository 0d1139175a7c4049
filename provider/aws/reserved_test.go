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

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// reservations is EC2's list of what is reserved: one of m5.large with two left, one of
// m5.xlarge with none, and a capacity block that is about to end.
const reservations = `<DescribeCapacityReservationsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><capacityReservationSet>
<item><capacityReservationId>cr-1</capacityReservationId><ownerId>111122223333</ownerId><instanceType>m5.large</instanceType><availabilityZone>us-east-1a</availabilityZone>
 <availableInstanceCount>2</availableInstanceCount><state>active</state><instanceMatchCriteria>targeted</instanceMatchCriteria></item>
<item><capacityReservationId>cr-2</capacityReservationId><ownerId>111122223333</ownerId><instanceType>m5.xlarge</instanceType><availabilityZone>us-east-1a</availabilityZone>
 <availableInstanceCount>0</availableInstanceCount><state>active</state><instanceMatchCriteria>open</instanceMatchCriteria></item>
<item><capacityReservationId>cr-3</capacityReservationId><ownerId>111122223333</ownerId><instanceType>p5.48xlarge</instanceType><availabilityZone>us-east-1a</availabilityZone>
 <availableInstanceCount>1</availableInstanceCount><state>active</state><instanceMatchCriteria>targeted</instanceMatchCriteria><reservationType>capacity-block</reservationType>
 <endDate>2026-11-21T12:30:00Z</endDate></item>
</capacityReservationSet></DescribeCapacityReservationsResponse>`

// exceeded is how a fleet says that a reservation is full.
const exceeded = `<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><fleetId>fleet-1</fleetId><errorSet><item>
<errorCode>ReservationCapacityExceeded</errorCode><errorMessage>full</errorMessage><lifecycle>on-demand</lifecycle>
<launchTemplateAndOverrides><overrides><instanceType>m5.large</instanceType><availabilityZone>us-east-1a</availabilityZone></overrides></launchTemplateAndOverrides>
</item></errorSet></CreateFleetResponse>`

// withReservations is a bench whose class "reserved" selects the three reservations.
func withReservations(t *testing.T) (*bench, *trouble) {
	t.Helper()
	b := newBench(t)
	b.deps.Settings.ReservedCapacity = true
	tr := b.withTrouble(t)
	tr.on("DescribeCapacityReservations", answer(200, reservations))
	class := nodeClass("reserved", func(c *awsv1.EC2NodeClass) {
		c.Spec.CapacityReservationSelectorTerms = []awsv1.CapacityReservationSelectorTerm{
			{Tags: map[string]string{"team": "red"}},
		}
	})
	if err := b.kube.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ResolveClass(t.Context(), ref("reserved")); err != nil {
		t.Fatal(err)
	}
	return b, tr
}

// reservedOfferings are the class's, by reservation.
func (b *bench) reservedOfferings(t *testing.T) map[string]shape.Offering {
	t.Helper()
	all, err := b.InstanceTypes(t.Context(), ref("reserved"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]shape.Offering{}
	for _, it := range all {
		for _, o := range it.Offerings {
			if o.Reservation != "" {
				out[o.Reservation] = o
			}
		}
	}
	return out
}

func TestReservationsAreOfferedForNextToNothing(t *testing.T) {
	t.Parallel()
	b, _ := withReservations(t)
	class := b.classNamed(t, "reserved")
	if !condition.IsTrue(class, awsv1.ConditionCapacityReservationsReady) ||
		len(class.Status.CapacityReservations) != 3 {
		t.Fatalf("%+v", class.Status)
	}
	if state := class.Status.CapacityReservations[2].State; state != awsv1.CapacityReservationStateExpiring {
		t.Errorf("the block ends in 30 minutes and is %q", state)
	}
	got := b.reservedOfferings(t)
	if o := got["cr-1"]; !o.Available || o.Remaining != 2 || o.Price > 10 || o.Price < 1 ||
		o.CapacityType != shape.Reserved {
		t.Errorf("cr-1 has two left: %+v", o)
	}
	if v, _ := shape.LabelValue(got["cr-1"].Extra, awsv1.LabelCapacityReservationID); v != "cr-1" {
		t.Errorf("labels of cr-1: %v", got["cr-1"].Extra)
	}
	if got["cr-2"].Available || got["cr-3"].Available {
		t.Errorf("what is full or ending is offered: %+v, %+v", got["cr-2"], got["cr-3"])
	}
}

// A reservation takes the operating system that it was made for. Offered to others it would look next to free in every
// plan, and fail in every launch.
func TestReservationsAreForTheirOperatingSystem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deps.Settings.ReservedCapacity = true
	tr := b.withTrouble(t)
	item := func(id, platform string) string {
		return `<item><capacityReservationId>` + id + `</capacityReservationId><ownerId>111122223333</ownerId><instanceType>m5.large</instanceType><availabilityZone>us-east-1a</availabilityZone>
<instancePlatform>` + platform + `</instancePlatform><availableInstanceCount>2</availableInstanceCount><state>active</state><instanceMatchCriteria>targeted</instanceMatchCriteria></item>`
	}
	tr.on(
		"DescribeCapacityReservations",
		answer(
			200,
			`<DescribeCapacityReservationsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><capacityReservationSet>`+
				item(
					"cr-1",
					"Linux/UNIX",
				)+item(
				"cr-2",
				"Windows with SQL Server Web",
			)+item(
				"cr-3",
				"Red Hat Enterprise Linux",
			)+`</capacityReservationSet></DescribeCapacityReservationsResponse>`,
		),
	)
	for family, want := range map[string]string{
		awsv1.AMIFamilyAL2: "cr-1 cr-3", awsv1.AMIFamilyWindows2022: "cr-2", awsv1.AMIFamilyCustom: "cr-1 cr-2 cr-3",
	} {
		name := strings.ToLower(family)
		b.create(t, nodeClass(name, func(c *awsv1.EC2NodeClass) {
			c.Spec.AMIFamily, c.Spec.AMISelectorTerms = &family, []awsv1.AMISelectorTerm{
				{Name: "amazon-eks-node-1.32-*"},
			}
			c.Spec.CapacityReservationSelectorTerms = []awsv1.CapacityReservationSelectorTerm{
				{Tags: map[string]string{"team": "red"}},
			}
		}))
		if err := b.resolve(t, name); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range b.classNamed(t, name).Status.CapacityReservations {
			got = append(got, r.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %v, want %s", family, got, want)
		}
	}
}

func TestAFullReservationFallsBackInOneLaunch(t *testing.T) {
	t.Parallel()
	b, tr := withReservations(t)
	first := true
	tr.on("CreateFleet", func(r request) (*http.Response, error) {
		if first {
			first = false
			return answer(200, exceeded)(r)
		}
		return r.pass()
	})
	order := b.orderFor(
		t,
		claim(
			"general-1",
			"reserved",
			oneOf(shape.LabelInstanceType, "m5.large"),
			oneOf(shape.LabelCapacityType, "reserved", "on-demand"),
		),
	)
	if order.Candidates[0].Offering.Reservation != "cr-1" {
		t.Fatalf("the cheapest candidate is %+v, want the reservation", order.Candidates[0].Offering)
	}
	m, err := b.Launch(t.Context(), order)
	if err != nil || m.CapacityType != shape.OnDemand || m.Reservation != "" {
		t.Fatalf("launched %q, %v; want on-demand", m.CapacityType, err)
	}
	if o := b.reservedOfferings(t)["cr-1"]; o.Available {
		t.Error("the reservation is full, whatever EC2 counted a minute ago")
	}
	b.clock.Step(time.Minute)
	if _, err := b.ResolveClass(t.Context(), ref("reserved")); err != nil {
		t.Fatal(err)
	}
	if o := b.reservedOfferings(t)["cr-1"]; !o.Available {
		t.Error("EC2 counts two again")
	}

	preferences := map[string]string{}
	for _, form := range tr.asked["CreateLaunchTemplate"] {
		const in = "LaunchTemplateData.CapacityReservationSpecification."
		preferences[form.Get(in+"CapacityReservationPreference")] = form.Get(
			in + "CapacityReservationTarget.CapacityReservationId",
		)
	}
	if preferences["capacity-reservations-only"] != "cr-1" {
		t.Errorf("no template targets cr-1: %v", preferences)
	}
	if _, ok := preferences["none"]; !ok {
		t.Errorf("an on-demand instance could use up somebody's open reservation: %v", preferences)
	}
}

// The place of a machine that was ended here is free as soon as the machine is gone, not when EC2 is asked again.
func TestThePlaceOfAMachineThatIsGoneIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	b, tr := withReservations(t)
	const (
		id    = "aws:///us-east-1a/i-1"
		xmlns = `xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`
	)
	instances := func(item string) {
		tr.on("DescribeInstances", answer(200, `<DescribeInstancesResponse `+xmlns+`><reservationSet>`+item+
			`</reservationSet></DescribeInstancesResponse>`))
	}
	tr.on("TerminateInstances", answer(200, `<TerminateInstancesResponse `+xmlns+`><instancesSet/>`+
		`</TerminateInstancesResponse>`))
	instances(`<item><instancesSet><item><instanceId>i-1</instanceId>` +
		`<capacityReservationId>cr-2</capacityReservationId>` +
		`<instanceState><name>running</name></instanceState></item></instancesSet></item>`)
	if err := b.Terminate(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if o := b.reservedOfferings(t)["cr-2"]; o.Available {
		t.Error("its machine is still there, and the reservation full")
	}
	instances("")
	if _, err := b.Machine(t.Context(), id); !errors.Is(err, provider.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	if o := b.reservedOfferings(t)["cr-2"]; !o.Available || o.Remaining != 1 {
		t.Errorf("the machine is gone, and its place is not free: %+v", o)
	}
}

// A node in a reservation that the class no longer selects is replaced, and one that runs on demand is not.
func TestDriftFromAReservation(t *testing.T) {
	t.Parallel()
	b, tr := withReservations(t)
	describe := func(reservation string) {
		tr.on(
			"DescribeInstances",
			answer(
				200,
				`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item>
<instanceId>i-1</instanceId><capacityReservationId>`+reservation+`</capacityReservationId><groupSet><item><groupId>`+b.classNamed(t, "reserved").Status.SecurityGroups[0].ID+`</groupId></item></groupSet>
</item></instancesSet></item></reservationSet></DescribeInstancesResponse>`,
			),
		)
	}
	c := claim("general-1", "reserved")
	c.Status.ProviderID = "aws:///us-east-1a/i-1"
	for _, tc := range []struct{ reservation, capacityType, want string }{
		{"cr-1", shape.Reserved, ""},
		{"cr-other", shape.Reserved, DriftReservation},
		{"cr-other", shape.OnDemand, ""}, // it is being relabelled
	} {
		describe(tc.reservation)
		c.Labels[shape.LabelCapacityType] = tc.capacityType
		if got, err := b.Drift(t.Context(), c); err != nil || got != tc.want {
			t.Errorf("%s in %s: %q, %v; want %q", tc.capacityType, tc.reservation, got, err, tc.want)
		}
	}
}

func TestRoundsServeOneKindOfReservationEach(t *testing.T) {
	t.Parallel()
	b, _ := withReservations(t)
	order := b.orderFor(t, claim("general-1", "reserved"))
	var kinds []string
	for _, round := range rounds(order.Claim, order.Candidates) {
		kinds = append(kinds, round[0].Offering.CapacityType+"/"+string(kindOf(round[0])))
	}
	if got := strings.Join(
		kinds,
		" ",
	); got != "reserved/default spot/ on-demand/" &&
		got != "reserved/default spot/" {
		t.Errorf("rounds are %s", got)
	}
}

// EC2 takes fifty launch templates in one fleet, and each reservation needs one of its own.
func TestAFleetNamesFiftyLaunchTemplatesAtMost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deps.Settings.ReservedCapacity = true
	tr := b.withTrouble(t)
	order := b.orderFor(t, claim("general-1", "default", onDemandAMD64...))
	seen := map[string]bool{}
	order.Candidates = keep(order.Candidates, func(c provider.Candidate) bool {
		first := !seen[c.Type.Name] && len(seen) < maxTypes
		seen[c.Type.Name] = true
		return first
	})
	for i := range order.Candidates {
		reserved := *order.Candidates[i].Offering
		reserved.CapacityType, reserved.Reservation = shape.Reserved, fmt.Sprintf("cr-%017x", i)
		order.Candidates[i].Offering = &reserved
	}
	tr.on("CreateFleet", answer(200, exceeded))
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("got %v, want ErrNoCapacity", err)
	}
	asked := tr.asked["CreateFleet"][0]
	if !asked.Has("LaunchTemplateConfigs.50.Overrides.1.InstanceType") ||
		asked.Has("LaunchTemplateConfigs.51.Overrides.1.InstanceType") {
		t.Error("the fleet does not name fifty launch templates")
	}
	if cheapest := order.Candidates[0].Type.Name; asked.Get(
		"LaunchTemplateConfigs.1.Overrides.1.InstanceType",
	) != cheapest {
		t.Errorf("%s, which is the cheapest, is not the first", cheapest)
	}
}

func TestAReservationThatIsTakenBackIsNotLaunchedIntoAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := withReservations(t)
	before := b.reservedOfferings(t)
	for id, o := range before {
		if !o.Available {
			continue
		}
		b.Scarce(map[string]string{shape.LabelCapacityType: shape.Reserved, awsv1.LabelCapacityReservationID: id})
		after := b.reservedOfferings(t)[id]
		if after.Available || after.Remaining != o.Remaining {
			t.Errorf(
				"reservation %s is available: %t, with %d left, right after a machine of it was taken back; "+
					"want it not to be, with %d",
				id,
				after.Available,
				after.Remaining,
				o.Remaining,
			)
		}
		b.clock.Step(3 * time.Minute)
		if !b.reservedOfferings(t)[id].Available {
			t.Errorf("reservation %s is not tried again after three minutes", id)
		}
		return
	}
	t.Fatalf("none of the reservations has anything left: %v", before)
}

// refusedReservation is how a fleet says that a reservation cannot be launched into, though it has room.
var refusedReservation = strings.NewReplacer(
	"ReservationCapacityExceeded", "InvalidCapacityReservationState.Unavailable", "full", "unavailable",
).Replace(exceeded)

// twins are two reservations of one type in one zone.
var twins = `<DescribeCapacityReservationsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<capacityReservationSet>` + reservedLarge("cr-1", 5) + reservedLarge("cr-2", 2) + `</capacityReservationSet>
</DescribeCapacityReservationsResponse>`

func reservedLarge(id string, left int) string {
	return fmt.Sprintf(`<item><capacityReservationId>%s</capacityReservationId><ownerId>111122223333</ownerId>
<instanceType>m5.large</instanceType><availabilityZone>us-east-1a</availabilityZone><state>active</state>
<availableInstanceCount>%d</availableInstanceCount><instanceMatchCriteria>targeted</instanceMatchCriteria></item>`, id, left)
}

// A reservation that EC2 does not launch into rests by its ID: its stock is what it was, and another one of the same
// type and zone stays on offer. One that is full has no stock, and rests no further than EC2's count is old.
func TestHealthAndStockOfAReservationAreApart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		left   int32
	}{"Refused": {refusedReservation, 5}, "Full": {exceeded, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, tr := withReservations(t)
			tr.on("DescribeCapacityReservations", answer(200, twins))
			b.clock.Step(time.Minute)
			if _, err := b.ResolveClass(t.Context(), ref("reserved")); err != nil {
				t.Fatal(err)
			}
			tr.on("CreateFleet", answer(200, tc.answer))
			order := b.orderFor(
				t,
				claim(
					"general-1",
					"reserved",
					oneOf(shape.LabelInstanceType, "m5.large"),
					oneOf(shape.LabelCapacityType, "reserved"),
				),
			)
			order.Candidates = keep(
				order.Candidates,
				func(c provider.Candidate) bool { return c.Offering.Reservation == "cr-1" },
			)
			if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
				t.Fatalf("got %v, want ErrNoCapacity", err)
			}
			after := b.reservedOfferings(t)
			if o := after["cr-1"]; o.Available || o.Remaining != tc.left {
				t.Errorf(
					"cr-1 is available: %t, with %d left; want it not to be, with %d",
					o.Available,
					o.Remaining,
					tc.left,
				)
			}
			if o := after["cr-2"]; !o.Available || o.Remaining != 2 {
				t.Errorf("cr-2 is available: %t, with %d left; nothing was said of it", o.Available, o.Remaining)
			}
			b.clock.Step(3 * time.Minute)
			if _, err := b.ResolveClass(t.Context(), ref("reserved")); err != nil {
				t.Fatal(err)
			}
			if o := b.reservedOfferings(t)["cr-1"]; !o.Available {
				t.Error("cr-1 is not tried again")
			}
		})
	}
}

// Room in reservations that nobody selects is shown with what it costs, and used where the setting says so.
func TestIdleReservations(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprint("Open=", open), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			mine := b.reserve(t, "m5.large", "targeted", 3)
			free := b.reserve(t, "m5.xlarge", "open", 2)
			b.deps.Settings.ReservedCapacity, b.deps.Settings.OpenReservations = true, open
			var told []IdleReservation
			b.deps.Idle = func(_ context.Context, idle []IdleReservation) { told = idle }
			b.restart(t)
			class := nodeClass("choosy", func(c *awsv1.EC2NodeClass) {
				c.Spec.CapacityReservationSelectorTerms = []awsv1.CapacityReservationSelectorTerm{{ID: mine}}
			})
			if err := b.kube.Create(t.Context(), class); err != nil {
				t.Fatal(err)
			}
			run := func() {
				i := slices.IndexFunc(
					b.Tasks(),
					func(t provider.Task) bool { return t.Name == "providers.capacityreservation" },
				)
				if i < 0 {
					t.Fatal("nobody looks for idle reservations")
				}
				if err := b.Tasks()[i].Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			run()
			if _, err := b.ResolveClass(t.Context(), ref("choosy")); err != nil {
				t.Fatal(err)
			}
			run() // now it is known what the class selects
			price, _ := b.prices.OnDemand("m5.xlarge", "us-east-1a")
			large, _ := b.prices.OnDemand("m5.large", "us-east-1a")
			want := []IdleReservation{
				{free, "m5.xlarge", "us-east-1a", "open", 2, 2 * price, open},
				{mine, "m5.large", "us-east-1a", "targeted", 3, 3 * large, true},
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("told: -want +got\n%s", diff)
			}
			status := b.classNamed(t, "choosy").Status
			var shown []awsv1.IdleCapacityReservation
			if !open {
				shown = []awsv1.IdleCapacityReservation{{
					ID: free, InstanceType: "m5.xlarge", AvailabilityZone: "us-east-1a",
					InstanceMatchCriteria: "open", Idle: 2, HourlyCost: fmt.Sprintf("%.4f", (2 * price).Float()),
				}}
			}
			if diff := cmp.Diff(shown, status.IdleCapacityReservations); diff != "" {
				t.Errorf("the class shows: -want +got\n%s", diff)
			}
			isFree := func(r awsv1.CapacityReservation) bool { return r.ID == free }
			if used := slices.ContainsFunc(status.CapacityReservations, isFree); used != open {
				t.Errorf("the open reservation is used: %t, want %t", used, open)
			}
			if !open {
				return
			}
			order := b.orderFor(
				t,
				claim(
					"general-1",
					"choosy",
					oneOf(shape.LabelInstanceType, "m5.xlarge"),
					oneOf(shape.LabelCapacityType, "reserved"),
				),
			)
			if m, err := b.Launch(t.Context(), order); err != nil || m.Reservation != free {
				t.Errorf("launched into %q, %v; want the open reservation %s", m.Reservation, err, free)
			}
		})
	}
}

// reserve buys a reservation in us-east-1a and returns its ID.
func (b *bench) reserve(t *testing.T, instanceType, criteria string, count int32) string {
	t.Helper()
	out, err := b.ec2.CreateCapacityReservation(t.Context(), &ec2.CreateCapacityReservationInput{
		InstanceType:          &instanceType,
		InstanceCount:         awssdk.Int32(count),
		AvailabilityZone:      awssdk.String("us-east-1a"),
		InstancePlatform:      ec2types.CapacityReservationInstancePlatformLinuxUnix,
		InstanceMatchCriteria: ec2types.InstanceMatchCriteria(criteria),
	})
	if err != nil {
		t.Fatal(err)
	}
	return awssdk.ToString(out.CapacityReservation.CapacityReservationId)
}
