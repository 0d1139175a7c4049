package terminate

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/eviction"
)

// placedWithin is how long kube-scheduler is given to place the pods that few nodes suit before those are evicted that
// go anywhere. Deletion times have whole seconds, so it is at least half of that.
const placedWithin = 2 * time.Second

// ranks gives pods their place in the order of eviction.
type ranks func(*corev1.Pod) eviction.Rank

// inOrder sorts pods into the order of eviction.
func (of ranks) inOrder(pods []*corev1.Pod) {
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return eviction.Compare(of(a), of(b)) })
}

// letPlace leaves out pods while others that are harder to place were evicted only just now.
func (d *drain) letPlace(of ranks, now time.Time) {
	for _, pod := range d.waiting {
		if pod.DeletionTimestamp.IsZero() {
			continue
		}
		left := askedAt(pod).Add(placedWithin).Sub(now)
		if left <= 0 {
			continue
		}
		before := len(d.evict)
		d.evict = slices.DeleteFunc(d.evict, func(p *corev1.Pod) bool { return of(p).Demand < of(pod).Demand })
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
