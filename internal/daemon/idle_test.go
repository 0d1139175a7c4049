package daemon

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

// Room that nobody selects is told of once an hour, and again when it has come back; the gauge has all, and only, what
// is idle now.
func TestIdleReservationsAreTold(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
	var said []string
	metrics := observe.NewMetrics()
	teller := newIdleTeller(
		CloudDeps{
			Clock:   clock,
			Metrics: metrics,
			Tell: func(_ context.Context, reason *observe.Reason, message string) {
				said = append(said, reason.Name+": "+message)
			},
		},
	)
	open := aws.IdleReservation{
		ID:                    "cr-1",
		InstanceType:          "m5.large",
		Zone:                  "us-east-1a",
		InstanceMatchCriteria: "open",
		Left:                  3,
		Price:                 shape.Dollars(0.288),
	}
	used := aws.IdleReservation{
		ID:                    "cr-2",
		InstanceType:          "m5.large",
		Zone:                  "us-east-1a",
		InstanceMatchCriteria: "targeted",
		Left:                  1,
		Price:                 shape.Dollars(0.096),
		Selected:              true,
	}
	for _, step := range []struct {
		after time.Duration
		idle  []aws.IdleReservation
		said  int // so far
	}{
		{0, []aws.IdleReservation{open, used}, 1},
		{time.Minute, []aws.IdleReservation{open}, 1},
		{time.Hour, []aws.IdleReservation{open}, 2},
		{time.Minute, nil, 2},
		{time.Minute, []aws.IdleReservation{open}, 3},
	} {
		clock.Step(step.after)
		teller.tell(t.Context(), step.idle)
		if len(said) != step.said {
			t.Fatalf("%d events so far, want %d: %q", len(said), step.said, said)
		}
	}
	const want = "CapacityReservationIdle: Capacity reservation cr-1 (open) has room for 3 more m5.large " +
		"in us-east-1a, which costs $0.2880 an hour"
	if i := slices.IndexFunc(said, func(s string) bool { return !strings.HasPrefix(s, want) }); i >= 0 {
		t.Errorf("said %q", said[i])
	}
	gauge := metrics.AWS.IdlePrice.WithLabelValues("cr-1", "m5.large", "us-east-1a", "open", "false")
	if got := testutil.ToFloat64(gauge); got != 0.288 {
		t.Errorf("the gauge is %v, want 0.288", got)
	}
	if n := testutil.CollectAndCount(metrics.AWS.IdlePrice); n != 1 {
		t.Errorf("%d series, want that of what is idle now", n)
	}
}
