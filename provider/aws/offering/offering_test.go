package offering

import (
	"slices"
	"testing"
	"time"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// prices sells everything on demand for a dollar, and spot in zone a only.
type prices struct{}

func (prices) OnDemand(_, _ string) (shape.Money, bool) { return shape.Dollar, true }
func (prices) Spot(_, zone string) (shape.Money, bool)  { return shape.Dollar / 2, zone == "a" }

func TestPut(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	m := Market{
		ZoneIDs:  map[string]string{"a": "id-a", "b": "id-b"},
		Sold:     map[string][]string{"m5.large": {"a", "b", "c"}},
		Prices:   prices{},
		Shortage: NewShortage(clock),
	}
	m.Shortage.Note(Pool{CapacityType: shape.OnDemand, InstanceType: "m5.large", Zone: "b"})
	it := &shape.InstanceType{Name: "m5.large"}
	m.Put(
		it,
		[]ec2types.UsageClassType{
			ec2types.UsageClassTypeOnDemand,
			ec2types.UsageClassTypeSpot,
			ec2types.UsageClassTypeCapacityBlock,
		},
		true,
	)
	zoneID := func(id string) []shape.Label { return []shape.Label{{Key: awsv1.LabelTopologyZoneID, Value: id}} }
	want := []shape.Offering{
		{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Dollar, Available: true, Extra: zoneID("id-a")},
		{Zone: "a", CapacityType: shape.Spot, Price: shape.Dollar / 2, Available: true, Extra: zoneID("id-a")},
		{Zone: "b", CapacityType: shape.OnDemand, Price: shape.Dollar, Extra: zoneID("id-b")}, // sold out
		{Zone: "b", CapacityType: shape.Spot, Price: shape.Dollar / 2, Extra: zoneID("id-b")}, // no price
		// c has no subnet
	}
	if diff := cmp.Diff(want, it.Offerings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Dedicated machines are on offer only to those who ask, always cost more than shared ones, and may be short by
// themselves.
func TestPutDedicated(t *testing.T) {
	t.Parallel()
	m := Market{
		ZoneIDs:   map[string]string{"a": ""},
		Sold:      map[string][]string{"m5.large": {"a"}, "t2.large": {"a"}},
		Prices:    prices{},
		Shortage:  NewShortage(testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))),
		Dedicated: func(string, string) (shape.Money, bool) { return shape.Dollar * 11 / 10, true },
	}
	both := []ec2types.UsageClassType{ec2types.UsageClassTypeOnDemand, ec2types.UsageClassTypeSpot}
	m.Shortage.Note(Pool{CapacityType: shape.Spot, InstanceType: "m5.large", Zone: "a", Dedicated: true})
	tenancy := func(value string) []shape.Label {
		return []shape.Label{{Key: awsv1.LabelInstanceTenancy, Value: value}}
	}
	it := &shape.InstanceType{Name: "m5.large"}
	m.Put(it, both, true)
	want := []shape.Offering{
		{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Dollar, Available: true, Extra: tenancy("default")},
		{
			Zone:         "a",
			CapacityType: shape.OnDemand,
			Price:        shape.Dollar * 11 / 10,
			Available:    true,
			Extra:        tenancy("dedicated"),
		},
		{Zone: "a", CapacityType: shape.Spot, Price: shape.Dollar / 2, Available: true, Extra: tenancy("default")},
		{
			Zone:         "a",
			CapacityType: shape.Spot,
			Price:        shape.Dollar/2 + 1,
			Extra:        tenancy("dedicated"),
		}, // one price for both; sold out
	}
	if diff := cmp.Diff(want, it.Offerings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	old := &shape.InstanceType{Name: "t2.large"}
	m.Put(old, both, true)
	if len(old.Offerings) != 2 || old.Offerings[0].Extra != nil {
		t.Errorf("EC2 has no dedicated t2.large, and on offer are %+v", old.Offerings)
	}
	if !slices.ContainsFunc(old.Requirements, func(r shape.Requirement) bool {
		return r.Key == awsv1.LabelInstanceTenancy && slices.Equal(r.Values, []string{"default"})
	}) {
		t.Errorf("a t2.large does not say that it is shared: %+v", old.Requirements)
	}
}

func TestShortageDoublesWhileItLastsAndEndsWithALaunch(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	s := NewShortage(clock)
	pool := Pool{CapacityType: shape.Spot, InstanceType: "m5.large", Zone: "a"}
	note := func() { s.Note(pool) }
	lasts := func(want time.Duration) {
		t.Helper()
		clock.Step(want - time.Second)
		if !s.Has(pool) {
			t.Errorf("over before %s", want)
		}
		before := s.Revision()
		clock.Step(time.Second)
		if s.Has(pool) || s.Revision() == before {
			t.Errorf("not over after %s, or the revision stayed", want)
		}
	}
	for _, want := range []time.Duration{3 * time.Minute, 6 * time.Minute, 12 * time.Minute, 24 * time.Minute,
		24 * time.Minute} {
		note()
		note() // two launches found out at once: one shortage
		lasts(want)
	}
	if s.Has(Pool{CapacityType: shape.OnDemand, InstanceType: "m5.large", Zone: "a"}) ||
		s.Has(Pool{CapacityType: shape.Spot, InstanceType: "m5.large", Zone: "b"}) {
		t.Error("another capacity type or zone is short too")
	}
	note()
	s.Clear(pool)
	if s.Has(pool) {
		t.Error("EC2 had one, so it is not short")
	}
	note()
	lasts(3 * time.Minute)
	clock.Step(forgiveAfter)
	note()
	lasts(3 * time.Minute)
}

func TestACapacityTypeCanBeShortAltogether(t *testing.T) {
	t.Parallel()
	s := NewShortage(testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)))
	s.Note(Pool{CapacityType: shape.Spot})
	if !s.Has(Pool{CapacityType: shape.Spot, InstanceType: "any", Zone: "where"}) ||
		s.Has(Pool{CapacityType: shape.OnDemand, InstanceType: "any", Zone: "where"}) {
		t.Error("all of spot is short, and nothing else")
	}
}

// A pool in a placement group may be short while the same type is plenty outside of it, and the other way round. What a
// group has none of in a zone holds for all its types there.
func TestShortageOfAPlacementGroupIsItsOwn(t *testing.T) {
	t.Parallel()
	s := NewShortage(testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)))
	pool := func(group, zone string) Pool {
		return Pool{CapacityType: shape.OnDemand, InstanceType: "m5.large", Zone: zone, Group: group}
	}
	s.Note(pool("pg-1", "a"))
	if !s.Has(pool("pg-1", "a")) || s.Has(pool("", "a")) || s.Has(pool("pg-2", "a")) {
		t.Error("short in pg-1, and nowhere else")
	}
	s.Note(Pool{CapacityType: shape.OnDemand, Zone: "b", Group: "pg-1"})
	if !s.Has(pool("pg-1", "b")) || s.Has(pool("", "b")) {
		t.Error("pg-1 is full in b for every type, and nothing else is")
	}
}

func TestOneLaunchTriesWhatWasShort(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	s := NewShortage(clock)
	pool := Pool{CapacityType: shape.Spot, InstanceType: "m5.large", Zone: "a"}
	if one, other := s.Probe(pool), s.Probe(pool); !one || !other {
		t.Error("what was never short may be tried by all")
	}
	s.Note(pool)
	clock.Step(restFor)
	if !s.Probe(pool) || s.Probe(pool) {
		t.Error("after a rest one may try, and the next must wait for what it finds")
	}
	s.Clear(pool)
	if one, other := s.Probe(pool), s.Probe(pool); !one || !other {
		t.Error("the one got a machine: all may try")
	}
	s.Note(pool)
	clock.Step(restFor)
	s.Probe(pool)
	clock.Step(probeFor)
	if !s.Probe(pool) {
		t.Error("the one never said what it found: another may try")
	}
}

func TestAQuotaLeavesRoomForSmallerMachines(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	s := NewShortage(clock)
	s.NoteQuota(shape.OnDemand, "m5.4xlarge", 16)
	s.NoteQuota(shape.OnDemand, "c5.2xlarge", 8)
	for _, tc := range []struct {
		capacityType, instanceType string
		vcpus                      int64
		want                       bool
	}{
		{shape.OnDemand, "r7g.2xlarge", 8, true},
		{shape.OnDemand, "m5.xlarge", 4, false},
		{shape.Spot, "m5.4xlarge", 16, false},
		{shape.OnDemand, "p4d.24xlarge", 96, false},
		{shape.OnDemand, "u7i-12tb.224xlarge", 896, false},
	} {
		if got := s.Beyond(tc.capacityType, tc.instanceType, tc.vcpus); got != tc.want {
			t.Errorf(
				"%s %s with %d vCPUs: beyond the quota %v, want %v",
				tc.capacityType,
				tc.instanceType,
				tc.vcpus,
				got,
				tc.want,
			)
		}
	}
	before := s.Revision()
	clock.Step(limitFor)
	if s.Beyond(shape.OnDemand, "m5.4xlarge", 16) || s.Revision() == before {
		t.Error("a quota is believed for a while only, and its end changes the offers")
	}
}

// Whoever uses the memory works out all offers anew when it changes, which takes long: in a burst of launches each
// finds out much at once, and most of it again and again.
func TestRevisionChangesWithWhatIsShortAlone(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	s := NewShortage(clock)
	a, b := Pool{shape.Spot, "m5.large", "a", "", false}, Pool{shape.Spot, "m5.large", "b", "", false}
	for _, step := range []struct {
		why string
		do  func()
		by  uint64
	}{
		{"two at once are one change", func() { s.Note(a, b, a) }, 1},
		{"that they are still short is none", func() { s.Note(a, b) }, 0},
		{"nothing is none", func() { s.Note() }, 0},
		{"a quota is one", func() { s.NoteQuota(shape.Spot, "m5.large", 2) }, 1},
		{"said again it is none, nor for larger machines",
			func() { s.NoteQuota(shape.Spot, "m5.large", 2); s.NoteQuota(shape.Spot, "m5.xlarge", 4) }, 0},
		{"for smaller ones it is", func() { s.NoteQuota(shape.Spot, "m5.medium", 1) }, 1},
		{"their rests and the quota end", func() { clock.Step(restFor) }, 3},
		{"short again", func() { s.Note(a) }, 1},
	} {
		before := s.Revision()
		step.do()
		if got := s.Revision() - before; got != step.by {
			t.Errorf("%s: the revision rose by %d, want %d", step.why, got, step.by)
		}
	}
}
