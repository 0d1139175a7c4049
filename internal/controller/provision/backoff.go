package provision

import (
	"slices"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

const (
	firstRest = time.Second
	lastRest  = time.Minute
)

// rests keeps pools whose claims cannot be created from being tried in every pass. Other pools go on, and may
// take over their pods.
type rests map[string]rest

type rest struct {
	times int
	until time.Time
}

// note learns from a pass which pools opened what was planned and which did not.
func (r rests) note(open []engine.NewNode, claims map[string]*karpenterv1.NodeClaim, now time.Time) {
	failed, went := map[string]bool{}, map[string]bool{}
	for _, n := range open {
		if claims[n.ID] == nil {
			failed[n.Pool] = true
		} else {
			went[n.Pool] = true
		}
	}
	for pool := range went {
		delete(r, pool) // part of it went: the rest may go at once too
	}
	for pool := range failed {
		if went[pool] {
			continue
		}
		last := r[pool]
		wait := min(firstRest<<min(last.times, 10), lastRest)
		r[pool] = rest{last.times + 1, now.Add(wait)}
	}
}

// apply marks the pools that rest, and says when the first of them is due again; zero for none. failing is until when a pool rests
// because its nodes do not join; it may be nil.
func (r rests) apply(pools []*shape.Pool, now time.Time, failing func(pool string) time.Time) (out []*shape.Pool, due time.Time) {
	out = pools
	for i, p := range pools {
		until, why := r[p.Name].until, "its last launches could not be requested; the controller logs why"
		if failing != nil {
			if other := failing(p.Name); other.After(until) {
				until, why = other, "its last nodes did not join the cluster (condition NodeRegistrationHealthy), so it rests before more are launched"
			}
		}
		if !now.Before(until) {
			continue
		}
		if due.IsZero() || until.Before(due) {
			due = until
		}
		if p.NotReady != "" {
			continue
		}
		if &out[0] == &pools[0] {
			out = slices.Clone(pools)
		}
		resting := *p
		resting.NotReady = why
		out[i] = &resting
	}
	return out, due
}
