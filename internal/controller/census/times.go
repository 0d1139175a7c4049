package census

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Times measures how long pods wait until they are bound and run, as they do.
type Times struct {
	Metrics observe.PodMetrics
	Clock   clock.PassiveClock

	// Active is false on standbys: each pod is measured once.
	Active func() bool

	mu    sync.Mutex              // guards the field below
	first map[types.UID]time.Time // when a pod was first seen to need a node, until it runs
}

// NewTimes measures nothing yet; it is to be added to an informer of pods.
func NewTimes(m observe.PodMetrics, c clock.PassiveClock, active func() bool) *Times {
	return &Times{Metrics: m, Clock: c, Active: active, first: map[types.UID]time.Time{}}
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
	seen, planned := t.seen(pod.UID)
	if was.Spec.NodeName == "" && pod.Spec.NodeName != "" && t.Active() {
		at := since(pod, corev1.PodScheduled, t.Clock.Now())
		t.Metrics.Bound.WithLabelValues().Observe(seconds(pod.CreationTimestamp.Time, at))
		if planned {
			t.Metrics.ProvisioningBound.WithLabelValues().Observe(seconds(seen, at))
		}
	}
	if was.Status.Phase == corev1.PodPending && pod.Status.Phase == corev1.PodRunning {
		if t.Active() {
			at := since(pod, corev1.PodReady, t.Clock.Now())
			t.Metrics.Startup.WithLabelValues().Observe(seconds(pod.CreationTimestamp.Time, at))
			if planned {
				t.Metrics.ProvisioningStartup.WithLabelValues().Observe(seconds(seen, at))
			}
		}
		t.forget(pod.UID)
	}
}

// OnDelete forgets a pod.
func (t *Times) OnDelete(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	if pod, ok := o.(*corev1.Pod); ok {
		t.forget(pod.UID)
	}
}

func (t *Times) note(pod *corev1.Pod) {
	if !translate.Provisionable(pod) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.first[pod.UID]; !known {
		t.first[pod.UID] = t.Clock.Now()
	}
}

func (t *Times) seen(pod types.UID) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.first[pod]
	return at, ok
}

func (t *Times) forget(pod types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.first, pod)
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
