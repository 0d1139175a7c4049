package daemon

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

// idleTeller makes known what room in capacity reservations costs that nobody uses.
type idleTeller struct {
	deps CloudDeps
	told map[string]time.Time // by reservation: of one task alone
}

func newIdleTeller(d CloudDeps) *idleTeller {
	return &idleTeller{deps: d, told: map[string]time.Time{}}
}

// tell sets the gauge, and has node classes say once an hour which reservations none of them selects.
func (t *idleTeller) tell(ctx context.Context, idle []aws.IdleReservation) {
	gauge, now := t.deps.Metrics.AWS.IdlePrice, t.deps.Clock.Now()
	gauge.Reset()
	unused := map[string]bool{}
	for _, r := range idle {
		gauge.WithLabelValues(
			r.ID,
			r.InstanceType,
			r.Zone,
			r.InstanceMatchCriteria,
			strconv.FormatBool(r.Selected),
		).Set(
			r.Price.Float(),
		)
		if r.Selected {
			continue
		}
		unused[r.ID] = true
		if at, ok := t.told[r.ID]; ok && now.Sub(at) < observe.ReservationIdle.Every {
			continue
		}
		t.told[r.ID] = now
		t.deps.Tell(ctx, observe.ReservationIdle, idleSentence(r))
	}
	maps.DeleteFunc(t.told, func(id string, _ time.Time) bool { return !unused[id] })
}

func idleSentence(r aws.IdleReservation) string {
	remedy := "select it in spec.capacityReservationSelectorTerms"
	if r.InstanceMatchCriteria == "open" {
		remedy += ", or set --use-open-reservations"
	}
	return fmt.Sprintf(
		"Capacity reservation %s (%s) has room for %d more %s in %s, "+
			"which costs $%.4f an hour and no EC2NodeClass uses: %s",
		r.ID,
		r.InstanceMatchCriteria,
		r.Left,
		r.InstanceType,
		r.Zone,
		r.Price.Float(),
		remedy,
	)
}
