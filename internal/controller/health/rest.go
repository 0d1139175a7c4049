package health

import (
	"time"

	"github.com/dovetail-sh/dovetail/internal/backoff"
)

// retry is how long a failing pool launches nothing.
var retry = backoff.Schedule{First: time.Minute, Last: 10 * time.Minute}

// rests says how long a pool is left alone after its nodes failed to join. Machines that do not join are paid for, and
// others of the same kind will not join either.
type rests struct{ backoff.Rest }

// note learns from one outcome. Those that come while the pool rests are of launches from before.
func (r *rests) note(joined bool, s state, now time.Time) {
	switch {
	case joined:
		*r = rests{}
	case s == failing && r.Left(now) == 0:
		r.Rest = r.Fail(now, retry)
	}
}
