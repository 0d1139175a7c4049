package binder

import "time"

const (
	// startsWithin is how long a node may take to become ready for pods while its taint keeps a DaemonSet off that may
	// be what it waits for; startsAtLast is how long one may that keeps nobody off who belongs there.
	startsWithin = 30 * time.Second
	startsAtLast = 5 * time.Minute

	// adoptAfter is how long a node stays as it is that another process has kept for a plan: what that process has sent
	// is to be seen by all before kube-scheduler looks at the node's room.
	adoptAfter = 3 * time.Second

	// writesWithin is how long a node waits for nominations to be written and seen.
	writesWithin = 2 * time.Second

	// settleFor is how long a node stays closed at least after the last binding was seen, or nominationsSettle after
	// the last nomination: kube-scheduler sees pods and nodes through two watches, which nothing orders. It is longer,
	// up to settleAtMost, where there was much to see.
	settleFor         = time.Second
	nominationsSettle = 200 * time.Millisecond
	settleAtMost      = 3 * time.Second

	// settlePart is which part of the time that its bindings took a node stays closed after them, if that is more than
	// settleFor: a quarter. Watches that were slow to show the first of them are as slow with the last.
	settlePart = 4

	// holdTimes is how many times its limit a node that is ready stays kept at most while pods are being bound all
	// along: thousands of them take longer than the limit, and who opens among them has its room filled with pods of
	// others.
	holdTimes = 6
)

// sight is what is seen of a node that is kept for a plan.
type sight struct {
	now        time.Time
	holdAtMost time.Duration

	own     bool      // kept by this process
	leaving bool      // being deleted
	keeps   bool      // a DaemonSet waits for the node to be open
	since   time.Time // when it was first seen kept
	ready   time.Time // since when it is ready for pods; zero if it is not

	toBind   int // planned pods that are to be bound here
	promised int // bindings that are not seen yet
	untold   int // planned pods that are left to kube-scheduler, and not nominated yet
	coming   int // pods planned onto other nodes that are on their way, or that are still to be bound there
	telling  int // pods planned onto other nodes that are being nominated

	told  time.Time     // since when nominations are written; zero before
	bound bool          // anything was promised here
	quiet time.Time     // since when nothing was bound or nominated any more
	moved time.Time     // when a pod was last bound to any node that is kept
	took  time.Duration // from the first binding or nomination until then
}

type verdict int

const (
	hold verdict = iota // keep the node as it is
	tell                // nominate those pods that are left to kube-scheduler
	open                // take the taint off
)

// decide is what is to happen with a node now. It is pure: see hold_test.go for every case.
func decide(s sight) verdict {
	switch {
	case s.leaving, s.promised > 0:
		return hold
	case !s.own:
		return openIf(s.now.Sub(s.since) >= adoptAfter)
	case s.ready.IsZero():
		limit := startsAtLast
		if s.keeps {
			limit = startsWithin
		}
		return openIf(s.now.Sub(s.since) >= limit)
	case (s.toBind > 0 || s.coming > 0) && s.patient():
		return hold
	case s.untold > 0 && (s.told.IsZero() || s.now.Sub(s.told) < writesWithin):
		return tell
	case s.telling > 0 && !s.told.IsZero() && s.now.Sub(s.told) < writesWithin:
		return hold
	}
	return openIf(s.now.Sub(s.quiet) >= s.settles())
}

// patient reports whether a node that is ready still waits for pods that are to come: for as long as the limit says,
// and longer while pods are being bound. A DaemonSet that is kept off waits no longer than the limit.
func (s sight) patient() bool {
	waited := s.now.Sub(s.ready)
	if s.keeps || waited >= holdTimes*s.holdAtMost {
		return waited < s.holdAtMost
	}
	return min(waited, s.now.Sub(s.moved)) < s.holdAtMost
}

func openIf(yes bool) verdict {
	if yes {
		return open
	}
	return hold
}

// settles is how long a node stays closed after the last binding or nomination was seen.
func (s sight) settles() time.Duration {
	switch {
	case s.bound:
		return min(max(settleFor, s.took/settlePart), settleAtMost)
	case !s.told.IsZero():
		return min(max(nominationsSettle, s.took/settlePart), writesWithin)
	}
	return 0
}
