package terminate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// drain is the next step of emptying a node.
type drain struct {
	// evict lists pods to be asked to go.
	evict []*corev1.Pod
	// kill lists pods to be deleted without asking, so that their grace period ends by the deadline.
	kill []killing
	// waiting lists pods that still hold up the drain, those of evict and kill included.
	waiting []*corev1.Pod
	// protected lists pods that do-not-disrupt keeps; they are among waiting.
	protected []*corev1.Pod
	// again is when to look again without a change, 0 for not at all.
	again time.Duration
}

// killing is a pod to be deleted with the grace period that is left to it.
type killing struct {
	pod   *corev1.Pod
	grace time.Duration // at most the pod's own, not negative
}

// done reports whether nothing holds up the drain.
func (d drain) done() bool { return len(d.waiting) == 0 }

// nextDrain works out the next step, by what pods' places in the order are. deadline is when the node goes whatever is
// on it, zero for never.
func nextDrain(of ranks, pods []*corev1.Pod, deadline, now time.Time) drain {
	var d drain
	var byTier [tiers][]*corev1.Pod
	for _, pod := range pods {
		if !holdsUp(pod, now) {
			continue
		}
		d.waiting = append(d.waiting, pod)
		byTier[tierOf(pod)] = append(byTier[tierOf(pod)], pod)
		d.mindDeadline(pod, deadline, now)
	}
	for _, tier := range byTier {
		if len(tier) == 0 {
			continue
		}
		for _, pod := range tier {
			d.ask(pod, now)
		}
		break // the tiers behind wait until this one is gone
	}
	for _, list := range [][]*corev1.Pod{d.evict, d.waiting, d.protected} {
		slices.SortFunc(list, func(a, b *corev1.Pod) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	of.inOrder(d.evict)
	d.letPlace(of, now)
	return d
}

// mindDeadline kills a pod of any tier whose grace period would otherwise outlast the deadline.
func (d *drain) mindDeadline(pod *corev1.Pod, deadline, now time.Time) {
	if deadline.IsZero() {
		return
	}
	left := deadline.Sub(now)
	if start := left - grace(pod); start > 0 {
		d.soon(start)
		return
	}
	left = max(left, 0)
	if !pod.DeletionTimestamp.IsZero() && !pod.DeletionTimestamp.After(deadline) {
		return // it is going, in time
	}
	d.kill = append(d.kill, killing{pod, min(left, grace(pod))})
}

// ask evicts a pod, unless it is going already or must not be disturbed.
func (d *drain) ask(pod *corev1.Pod, now time.Time) {
	if !pod.DeletionTimestamp.IsZero() {
		d.soon(pod.DeletionTimestamp.Add(stuckAfter).Sub(now))
		return
	}
	if slices.ContainsFunc(d.kill, func(k killing) bool { return k.pod == pod }) {
		return
	}
	if held, until := translate.Held(pod, now); held {
		d.protected = append(d.protected, pod)
		if !until.IsZero() {
			d.soon(until.Sub(now))
		}
		return
	}
	d.evict = append(d.evict, pod)
}

func (d *drain) soon(in time.Duration) {
	in = max(in, time.Second)
	if d.again == 0 || in < d.again {
		d.again = in
	}
}

// summary says what is left, in words that hold still while nothing changes.
func (d drain) summary() string {
	const most = 3
	names := make([]string, 0, most)
	for _, pod := range d.waiting[:min(most, len(d.waiting))] {
		names = append(names, pod.Namespace+"/"+pod.Name)
	}
	text := fmt.Sprintf("%d pods are left: %s", len(d.waiting), strings.Join(names, ", "))
	if more := len(d.waiting) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if n := len(d.protected); n > 0 {
		text += fmt.Sprintf("; %d of them must not be disrupted", n)
	}
	return text
}
