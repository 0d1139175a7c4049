package observe

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
)

// rememberAtMost bounds what a Recorder keeps, a few words for each event; past it, what may be said again is
// forgotten, or if that is little all, and events may come once too often. A cluster at its limits has tens of
// thousands of pods to say the same about.
const rememberAtMost = 300_000

// Recorder emits events, and keeps back those about the same thing that come too soon: what counts is the object, the
// reason and the cause, never the words. Sentences hold figures that move with every node that comes and every price
// that changes.
type Recorder struct {
	sink  record.EventRecorder
	clock clock.PassiveClock
	seed  maphash.Seed

	mu       sync.Mutex           // guards the fields below
	until    map[uint64]time.Time // by the hash of what was said
	limiters map[string]*rate.Limiter
}

// said is what one event was about.
type said struct{ object, reason, cause string }

// NewRecorder emits to sink.
func NewRecorder(sink record.EventRecorder, c clock.PassiveClock) *Recorder {
	return &Recorder{
		sink:     sink,
		clock:    c,
		seed:     maphash.MakeSeed(),
		until:    map[uint64]time.Time{},
		limiters: map[string]*rate.Limiter{},
	}
}

// Emit records an event about an object. Until the reason's time is over, the object hears no more of the reason;
// whoever says it again after that is heard with the words of then.
func (r *Recorder) Emit(object runtime.Object, reason *Reason, message string) {
	r.EmitOf("", object, reason, message)
}

// EmitOf is Emit where a reason has several causes of which each should be heard. A cause is one of a few words that
// hold still, such as a kind of refusal or the name of a zone; never a sentence with figures.
func (r *Recorder) EmitOf(cause string, object runtime.Object, reason *Reason, message string) {
	if r.due(said{identity(object), reason.Name, cause}, reason) {
		r.sink.Event(object, reason.Type, reason.Name, message)
	}
}

// EmitWith is Emit with annotations of the event, for programs that read events.
func (r *Recorder) EmitWith(annotations map[string]string, object runtime.Object, reason *Reason, message string) {
	if r.due(said{identity(object), reason.Name, ""}, reason) {
		r.sink.AnnotatedEventf(object, annotations, reason.Type, reason.Name, "%s", message)
	}
}

// Emitf is Emit with a format.
func (r *Recorder) Emitf(object runtime.Object, reason *Reason, format string, args ...any) {
	r.Emit(object, reason, fmt.Sprintf(format, args...))
}

func (r *Recorder) due(what said, reason *Reason) bool {
	key := maphash.Comparable(r.seed, what)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if now.Before(r.until[key]) || !r.allowedLocked(reason, now) {
		return false
	}
	if len(r.until) >= rememberAtMost {
		r.forgetLocked(now)
	}
	r.until[key] = now.Add(reason.Every)
	return true
}

// allowedLocked takes a token of the reason's rate limit. r.mu is held.
func (r *Recorder) allowedLocked(reason *Reason, now time.Time) bool {
	if reason.PerSecond == 0 {
		return true
	}
	limiter := r.limiters[reason.Name]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(reason.PerSecond), reason.Burst)
		r.limiters[reason.Name] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forgetLocked drops what may be said again, and if that is little, everything. r.mu is held.
func (r *Recorder) forgetLocked(now time.Time) {
	for key, until := range r.until {
		if !now.Before(until) {
			delete(r.until, key)
		}
	}
	if len(r.until) > rememberAtMost/2 {
		clear(r.until)
	}
}

func identity(object runtime.Object) string {
	m, err := meta.Accessor(object)
	if err != nil {
		return fmt.Sprintf("%T", object)
	}
	return fmt.Sprintf("%T/%s/%s/%s", object, m.GetNamespace(), m.GetName(), m.GetUID())
}
