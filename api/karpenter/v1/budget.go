package v1

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Unlimited is what AllowedDisruptions gives when no budget is active.
const Unlimited = math.MaxInt32

// AllowedDisruptions is how many of the pool's nodes may be going away at once
// for a reason: the smallest of the budgets that are active at that time and
// apply to the reason, or Unlimited.
//
// If any budget cannot be read the result is 0 with an error that names it:
// what the user meant to protect stays protected.
func (p *NodePool) AllowedDisruptions(now time.Time, nodes int, reason DisruptionReason) (int, error) {
	allowed := Unlimited
	var errs []error
	for i := range p.Spec.Disruption.Budgets {
		budget := &p.Spec.Disruption.Budgets[i]
		n, err := budget.Allowed(now, nodes)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading budget %d of NodePool %s: %w", i, p.Name, err))
			continue
		}
		if budget.AppliesTo(reason) {
			allowed = min(allowed, n)
		}
	}
	if len(errs) > 0 {
		return 0, errors.Join(errs...)
	}
	return allowed, nil
}

// AppliesTo reports whether the budget limits disruptions for a reason.
func (b *Budget) AppliesTo(reason DisruptionReason) bool {
	return len(b.Reasons) == 0 || slices.Contains(b.Reasons, reason)
}

// Allowed is how many of so many nodes may be going away at once while the
// budget is active, else Unlimited. A percentage is rounded up, as
// PodDisruptionBudgets do.
func (b *Budget) Allowed(now time.Time, nodes int) (int, error) {
	active, err := b.Active(now)
	if err != nil {
		return 0, err
	}
	if !active {
		return Unlimited, nil
	}
	digits, percentage := strings.CutSuffix(b.Nodes, "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("nodes is %q, must be a number or a percentage", b.Nodes)
	}
	if percentage {
		return (int(n)*nodes + 99) / 100, nil
	}
	return int(n), nil
}

// Active reports whether the schedule has hit within the duration before now,
// or exactly now. A budget without schedule and duration always is active; one
// whose schedule never hits never is.
func (b *Budget) Active(now time.Time) (bool, error) {
	if b.Schedule == nil && b.Duration == nil {
		return true, nil
	}
	var text string
	if b.Schedule != nil {
		text = *b.Schedule
	}
	// The prefix also makes a schedule with a time zone of its own an error.
	schedule, err := cron.ParseStandard("TZ=UTC " + text)
	if err != nil {
		return false, fmt.Errorf("schedule is %q, must be five cron fields or a macro such as @daily: %w", text, err)
	}
	start := now.UTC()
	if b.Duration != nil {
		start = start.Add(-b.Duration.Duration)
	}
	hit := schedule.Next(start)
	return !hit.IsZero() && !hit.After(now), nil
}
