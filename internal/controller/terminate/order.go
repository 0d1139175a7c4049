package terminate

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// placedWithin is how long kube-scheduler is given to place the pods that few nodes suit before those are evicted that go
// anywhere. Deletion times have whole seconds, so it is at least half of that.
const placedWithin = 2 * time.Second

// demand is how few nodes suit a pod.
type demand int

const (
	anywhere demand = iota
	somewhere
	exactly // where others are, or are not, decides
)

func demandOf(pod *corev1.Pod) demand {
	s := &pod.Spec
	a := s.Affinity
	switch {
	case slices.ContainsFunc(s.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool { return c.WhenUnsatisfiable == corev1.DoNotSchedule }),
		a != nil && a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0,
		a != nil && a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0:
		return exactly
	case len(s.NodeSelector) > 0, a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil,
		slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil }):
		return somewhere
	}
	return anywhere
}

// inOrder sorts pods into the order of eviction. Kube-scheduler places what it sees first, on the emptiest node that it may take:
// were that the pods that fit in many places, they would take up the room that is there for those which do not. So
// first come pods that few nodes suit, and of those the larger ones.
func inOrder(pods []*corev1.Pod) {
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(demandOf(b), demandOf(a)), cmp.Compare(size(b), size(a)))
	})
}

// size weighs what a pod asks for, a core like 4 GiB.
func size(pod *corev1.Pod) int64 {
	var milli, bytes int64
	for i := range pod.Spec.Containers {
		milli += pod.Spec.Containers[i].Resources.Requests.Cpu().MilliValue()
		bytes += pod.Spec.Containers[i].Resources.Requests.Memory().Value()
	}
	return max(milli, bytes>>22)
}

// letPlace leaves out pods while others that are harder to place were evicted only just now.
func (d *drain) letPlace(now time.Time) {
	for _, pod := range d.waiting {
		if pod.DeletionTimestamp.IsZero() {
			continue
		}
		left := askedAt(pod).Add(placedWithin).Sub(now)
		if left <= 0 {
			continue
		}
		before := len(d.evict)
		d.evict = slices.DeleteFunc(d.evict, func(p *corev1.Pod) bool { return demandOf(p) < demandOf(pod) })
		if len(d.evict) < before {
			d.soon(left)
		}
	}
}

// askedAt is when a pod was asked to go. Its deletion time is the end of its grace period.
func askedAt(pod *corev1.Pod) time.Time {
	at := pod.DeletionTimestamp.Time
	if s := pod.DeletionGracePeriodSeconds; s != nil {
		at = at.Add(-time.Duration(*s) * time.Second)
	}
	return at
}
