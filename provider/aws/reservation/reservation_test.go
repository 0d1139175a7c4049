package reservation

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	testclock "k8s.io/utils/clock/testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// account has one reservation, of which EC2 counts so many as left.
type account struct{ left int32 }

func (a *account) DescribeCapacityReservations(
	context.Context,
	*ec2.DescribeCapacityReservationsInput,
	...func(*ec2.Options),
) (*ec2.DescribeCapacityReservationsOutput, error) {
	return &ec2.DescribeCapacityReservationsOutput{CapacityReservations: []ec2types.CapacityReservation{
		{
			CapacityReservationId: awssdk.String(
				"cr-1",
			),
			State:                  ec2types.CapacityReservationStateActive,
			AvailableInstanceCount: awssdk.Int32(a.left),
		},
	}}, nil
}

// EC2 may count machines as left that it does not give: others take them, or they do not fit. What looks next to free
// in every plan must not fail launches each minute for ever.
func TestAReservationThatGivesNothingRestsLongerEachTime(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	reserved := &account{left: 5}
	f := New(reserved, clock)
	after := func(d time.Duration, want int32, why string) {
		t.Helper()
		clock.Step(d)
		if _, err := f.Find(t.Context(), []awsv1.CapacityReservationSelectorTerm{{ID: "cr-1"}}); err != nil {
			t.Fatal(err)
		}
		if got := f.Left("cr-1"); got != want {
			t.Errorf("%s: %d left, want %d", why, got, want)
		}
	}
	after(0, 5, "EC2's count")
	f.Exhausted("cr-1")
	reserved.left = 0
	after(time.Minute, 0, "EC2's count was old, and agrees by now")
	reserved.left = 5
	after(time.Minute, 5, "what was given back is believed")
	f.Exhausted("cr-1")
	f.Exhausted("cr-1") // another launch that was under way
	after(59*time.Second, 0, "full a moment ago")
	after(time.Minute, 1, "one launch tries it")
	f.Exhausted("cr-1")
	after(time.Minute, 0, "full again, for two minutes")
	after(time.Minute, 1, "one launch tries it again")
	f.Exhausted("cr-1")
	after(3*time.Minute, 0, "for four")
	after(time.Minute, 1, "and again")
	f.Launched("cr-1")
	reserved.left = 4
	after(time.Minute, 4, "it gives again, and EC2's count is believed")
	f.Exhausted("cr-1")
	after(time.Minute, 1, "from a minute on")
	for range 8 {
		f.Exhausted("cr-1")
		clock.Step(longestRest)
	}
	f.Exhausted("cr-1")
	after(longestRest-time.Minute, 0, "24 minutes at most")
	after(time.Minute, 1, "and no more")
	after(forgiveAfter, 4, "nobody has tried it for long, and it is believed anew")
}

// Who waits for the place of a machine that is gone does not wait for EC2's next count.
func TestAPlaceIsFreeOnceItsMachineIsGone(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	reserved := &account{left: 0}
	f := New(reserved, clock)
	find := func() {
		t.Helper()
		if _, err := f.Find(t.Context(), []awsv1.CapacityReservationSelectorTerm{{ID: "cr-1"}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n int32, why string) {
		t.Helper()
		if got := f.Left("cr-1"); got != n {
			t.Errorf("%s: %d left, want %d", why, got, n)
		}
	}
	find()
	want(0, "full")
	before := f.Revision()
	f.Released("cr-1")
	want(1, "a machine is gone")
	if f.Revision() == before {
		t.Error("nobody is told")
	}
	f.Released("cr-1")
	want(1, "EC2 may have counted the first already")
	f.Launched("cr-1")
	want(0, "another took its place")
	reserved.left = 1
	clock.Step(keep)
	find()
	want(1, "EC2's word counts")
	f.Released("cr-2")
	if f.Left("cr-2") != 0 {
		t.Error("nothing is known of this one")
	}
}
