package provision

import (
	"slices"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/backoff"
)

// retry is how long a pool is left alone whose claims could not be created.
var retry = backoff.Schedule{First: time.Second, Last: time.Minute}

// rests keeps pools whose claims cannot be created from being tried in every pass. Other pools go on, and may
// take over their pods.
type rests map[string]backoff.Rest

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
		r[pool] = r[pool].Fail(now, retry)
	}
}

// apply marks the pools that rest, and says when the first of them is due again; zero for none. failing is until when a
// pool rests because its nodes do not join; it may be nil.
func (r rests) apply(
	pools []*shape.Pool,
	now time.Time,
	failing func(pool string) time.Time,
) (out []*shape.Pool, due time.Time) {
	out = pools
	for i, p := range pools {
		until, why := r[p.Name].Until(), "its last launches could not be requested; the controller logs why"
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
