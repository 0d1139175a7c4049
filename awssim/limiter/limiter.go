// Package limiter throttles calls as AWS does: each action of an account has a
// bucket of tokens that refills at a steady rate, and launches and
// terminations pay from a second one for each instance. It decides only; wire
// refuses. It is off until it is switched on.
package limiter

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Call is what is about to be made.
type Call struct {
	Service, Action string
	// Items is how many instances it launches or ends at most.
	Items int
	// Broad says that a list is neither filtered nor paged.
	Broad bool
}

// size is a bucket: how many tokens it holds and how many come back a second.
type size struct {
	most      int
	perSecond rate.Limit
}

// Sizes of EC2's buckets, as its developer guide lists them under request
// throttling. An action that is not in single is in one of the classes.
var (
	reading      = size{100, 20} // Describe and Get
	readingBroad = size{50, 10}  // the same, neither filtered nor paged
	changing     = size{50, 5}   // everything else

	single = map[string]size{
		"ec2:RunInstances":                {5, 2},
		"ec2:TerminateInstances":          {100, 5},
		"ec2:CreateTags":                  {100, 10},
		"ec2:DeleteTags":                  {100, 10},
		"ec2:CreateLaunchTemplateVersion": {100, 5},
		// The default throughput of the parameter store, which both share in
		// reality.
		"ssm:GetParameter":  {40, 40},
		"ssm:GetParameters": {40, 40},
	}

	// perItem pays for instances, not for calls.
	perItem = map[string]size{
		"ec2:RunInstances":       {1000, 2},
		"ec2:TerminateInstances": {1000, 20},
	}
)

// Limiter holds an account's buckets. It may be used by many at once.
type Limiter struct {
	mu      sync.Mutex // guards the fields below
	on      bool
	buckets map[string]*rate.Limiter
}

// New makes a limiter that is off.
func New() *Limiter { return &Limiter{buckets: map[string]*rate.Limiter{}} }

// Switch turns it on, with full buckets, or off.
func (l *Limiter) Switch(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on, l.buckets = on, map[string]*rate.Limiter{}
}

// On says whether it throttles.
func (l *Limiter) On() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on
}

// Allow takes the tokens that a call costs, or says that there are too few and
// takes none. Services whose limits AWS does not publish are not limited.
func (l *Limiter) Allow(now time.Time, c Call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := c.Service + ":" + c.Action
	calls, limited := sizeOf(name, c)
	if !l.on || !limited {
		return true
	}
	if c.Broad && calls == readingBroad {
		name += " broad"
	}
	request := l.bucketLocked(name, calls).ReserveN(now, 1)
	if request.DelayFrom(now) > 0 {
		request.CancelAt(now)
		return false
	}
	items, ok := perItem[name]
	if ok && !l.bucketLocked(name+" items", items).AllowN(now, c.Items) {
		request.CancelAt(now)
		return false
	}
	return true
}

func sizeOf(name string, c Call) (size, bool) {
	if s, ok := single[name]; ok {
		return s, true
	}
	switch {
	case c.Service != "ec2":
		return size{}, false
	case !strings.HasPrefix(c.Action, "Describe") && !strings.HasPrefix(c.Action, "Get"):
		return changing, true
	case c.Broad:
		return readingBroad, true
	default:
		return reading, true
	}
}

// bucketLocked returns a bucket, which is full when it is made. l.mu is held.
func (l *Limiter) bucketLocked(name string, s size) *rate.Limiter {
	b := l.buckets[name]
	if b == nil {
		b = rate.NewLimiter(s.perSecond, s.most)
		l.buckets[name] = b
	}
	return b
}
