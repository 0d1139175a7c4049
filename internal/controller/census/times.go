package census

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Times measures how long pods wait until they are decided on, bound and run, as they do.
type Times struct {
	Metrics observe.PodMetrics
	Clock   clock.PassiveClock

	// Active is false on standbys: each pod is measured once.
	Active func() bool

	mu      sync.Mutex           // guards the field below
	waiting map[shape.PodID]wait // pods that needed a node, until they run
}

// wait is one pod that needed a node.
type wait struct {
	uid            types.UID
	seen           time.Time // when that was first seen
	dynamic        string    // label of metrics
	decided, bound bool
}

// NewTimes measures nothing yet; it is to be added to an informer of pods.
func NewTimes(m observe.PodMetrics, c clock.PassiveClock, active func() bool) *Times {
	return &Times{Metrics: m, Clock: c, Active: active, waiting: map[shape.PodID]wait{}}
}

var _ toolscache.ResourceEventHandler = (*Times)(nil)

// OnAdd notes a pod that needs a node.
func (t *Times) OnAdd(o any, _ bool) {
	if pod, ok := o.(*corev1.Pod); ok {
		t.note(pod)
	}
}

// OnUpdate measures what has come true since before.
func (t *Times) OnUpdate(before, after any) {
	was, ok := before.(*corev1.Pod)
	pod, also := after.(*corev1.Pod)
	if !ok || !also {
		return
	}
	t.note(pod)
	w, planned := t.of(pod)
	if was.Spec.NodeName == "" && pod.Spec.NodeName != "" && t.Active() {
		at := since(pod, corev1.PodScheduled, t.Clock.Now())
		t.Metrics.Bound.WithLabelValues(dynamic(pod)).Observe(seconds(pod.CreationTimestamp.Time, at))
		if planned {
			t.Metrics.ProvisioningBound.WithLabelValues(dynamic(pod)).Observe(seconds(w.seen, at))
		}
	}
	if was.Status.Phase == corev1.PodPending && pod.Status.Phase == corev1.PodRunning && t.Active() {
		at := since(pod, corev1.PodReady, t.Clock.Now())
		t.Metrics.Startup.WithLabelValues().Observe(seconds(pod.CreationTimestamp.Time, at))
		if planned {
			t.Metrics.ProvisioningStartup.WithLabelValues().Observe(seconds(w.seen, at))
		}
	}
	if pod.Status.Phase != corev1.PodPending {
		t.forget(pod) // a short job may finish before anybody has seen it run
	}
}

// OnDelete forgets a pod.
func (t *Times) OnDelete(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	if pod, ok := o.(*corev1.Pod); ok {
		t.forget(pod)
	}
}

// Decided notes that a plan has said of pods what becomes of them, be it that they have no place.
func (t *Times) Decided(pods []shape.PodID) {
	now := t.Clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range pods {
		w, ok := t.waiting[id]
		if !ok || w.decided {
			continue
		}
		w.decided = true
		t.waiting[id] = w
		t.Metrics.Decision.WithLabelValues().Observe(seconds(w.seen, now))
	}
}

// set sets the gauges that have a series for each pod that waits.
func (t *Times) set(now time.Time) {
	m := t.Metrics
	m.ProvisioningUnbound.Reset()
	m.ProvisioningUnstarted.Reset()
	m.Undecided.Reset()
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, w := range t.waiting {
		namespace, name := split(id)
		waited := seconds(w.seen, now)
		m.ProvisioningUnstarted.WithLabelValues(name, namespace).Set(waited)
		if !w.bound {
			m.ProvisioningUnbound.WithLabelValues(name, namespace, w.dynamic).Set(waited)
		}
		if !w.decided && !w.bound {
			m.Undecided.WithLabelValues(name, namespace).Set(waited)
		}
	}
}

func (t *Times) note(pod *corev1.Pod) {
	needs, bound := translate.Provisionable(pod), pod.Spec.NodeName != ""
	if !needs && !bound {
		return
	}
	id := translate.IDOf(pod)
	t.mu.Lock()
	defer t.mu.Unlock()
	w, known := t.waiting[id]
	switch {
	case known && w.uid == pod.UID:
		w.bound = bound
		t.waiting[id] = w
	case needs:
		t.waiting[id] = wait{uid: pod.UID, seen: t.Clock.Now(), dynamic: dynamic(pod)}
	}
}

func (t *Times) of(pod *corev1.Pod) (wait, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.waiting[translate.IDOf(pod)]
	return w, ok && w.uid == pod.UID
}

func (t *Times) forget(pod *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := translate.IDOf(pod); t.waiting[id].uid == pod.UID {
		delete(t.waiting, id)
	}
}

// since is when a condition of a pod became True, or now.
func since(pod *corev1.Pod, kind corev1.PodConditionType, now time.Time) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return c.LastTransitionTime.Time
		}
	}
	return now
}

// seconds from one time to another. Conditions have whole seconds, so the difference may be slightly negative.
func seconds(from, to time.Time) float64 { return max(to.Sub(from).Seconds(), 0) }
