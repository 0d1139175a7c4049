package offering

import (
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

func (prices) OnDemand(string) (shape.Money, bool)     { return shape.Dollar, true }
func (prices) Spot(_, zone string) (shape.Money, bool) { return shape.Dollar / 2, zone == "a" }

func TestPut(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	m := Market{
		ZoneIDs:  map[string]string{"a": "id-a", "b": "id-b"},
		Sold:     map[string][]string{"m5.large": {"a", "b", "c"}},
		Prices:   prices{},
		Shortage: NewShortage(clock),
	}
	m.Shortage.Note(shape.OnDemand, "m5.large", "b")
	it := &shape.InstanceType{Name: "m5.large"}
	m.Put(it, []ec2types.UsageClassType{ec2types.UsageClassTypeOnDemand, ec2types.UsageClassTypeSpot, ec2types.UsageClassTypeCapacityBlock}, true)
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

func TestShortageDoublesWhileItLastsAndEndsWithALaunch(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	s := NewShortage(clock)
	note := func() { s.Note(shape.Spot, "m5.large", "a") }
	lasts := func(want time.Duration) {
		t.Helper()
		clock.Step(want - time.Second)
		if !s.Has(shape.Spot, "m5.large", "a") {
			t.Errorf("over before %s", want)
		}
		before := s.Revision()
		clock.Step(time.Second)
		if s.Has(shape.Spot, "m5.large", "a") || s.Revision() == before {
			t.Errorf("not over after %s, or the revision stayed", want)
		}
	}
	for _, want := range []time.Duration{3 * time.Minute, 6 * time.Minute, 12 * time.Minute, 24 * time.Minute, 24 * time.Minute} {
		note()
		note() // two launches found out at once: one shortage
		lasts(want)
	}
	if s.Has(shape.OnDemand, "m5.large", "a") || s.Has(shape.Spot, "m5.large", "b") {
		t.Error("another capacity type or zone is short too")
	}
	note()
	s.Clear(shape.Spot, "m5.large", "a")
	if s.Has(shape.Spot, "m5.large", "a") {
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
	s.NoteCapacityType(shape.Spot)
	if !s.Has(shape.Spot, "any", "where") || s.Has(shape.OnDemand, "any", "where") {
		t.Error("all of spot is short, and nothing else")
	}
}
