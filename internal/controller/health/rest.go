package health

import "time"

// firstRest and lastRest bound how long a failing pool launches nothing; the time doubles with each try that fails.
const firstRest, lastRest = time.Minute, 10 * time.Minute

// rests says how long a pool is left alone after its nodes failed to join. Machines that do not join are paid for, and others of
// the same kind will not join either.
type rests struct {
	times int
	until time.Time
}

// note learns from one outcome. Those that come while the pool rests are of launches from before.
func (r *rests) note(joined bool, s state, now time.Time) {
	switch {
	case joined:
		*r = rests{}
	case s == failing && !now.Before(r.until):
		r.until = now.Add(min(firstRest<<min(r.times, 10), lastRest))
		r.times++
	}
}
