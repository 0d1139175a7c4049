package translate

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// leastPods is from how many pods on it pays to have another processor read them.
const leastPods = 200

// observeAll is Observe for many pods at once. It returns the digests of their specs: pods of one are looked at once.
func (in *Interner) observeAll(pods []*corev1.Pod) (digests []uint64) {
	digests = make([]uint64, len(pods))
	spans := fanout.Spans(len(pods), leastPods)
	seen := make([]Interner, len(spans))
	fanout.Each(len(spans), func(i int) {
		seen[i].observed = map[string]struct{}{}
		known := map[uint64]struct{}{}
		last := uint64(0)
		for k := spans[i].From; k < spans[i].Upto; k++ {
			digests[k] = in.digestSpec(&pods[k].Spec)
			if k > spans[i].From && digests[k] == last {
				continue
			}
			last = digests[k]
			if _, found := known[last]; !found {
				known[last] = struct{}{}
				seen[i].Observe(&pods[k].Spec)
			}
		}
	})
	before := len(in.keys)
	for i := range seen {
		in.observeKeys(seen[i].keys)
	}
	if len(in.keys) > before {
		in.Reset()
	}
	return digests
}

// part is what one processor makes of its part of the pods, in their order.
type part struct {
	in      *Interner // a fork, if there are other parts
	waiting []*corev1.Pod

	out      []shape.Pod // that are to be planned
	placed   []placed
	problems []Problem
}

type placed struct {
	place string // NodeParts.Name
	view  PodView
}

// addPods translates the pods but for those that kube-scheduler has still to try. Classes are numbered in the order of
// the pods, by however many processors.
func (b *builder) addPods() {
	pods := b.objects.Pods
	spans := fanout.Spans(len(pods), leastPods)
	parts := make([]part, len(spans))
	room := make([]shape.Pod, len(pods)) // for what all parts make
	for i := range parts {
		parts[i].out = room[spans[i].From:spans[i].From:spans[i].Upto]
		if parts[i].in = b.in; len(parts) > 1 {
			parts[i].in = b.in.fork()
		}
	}
	fanout.Each(len(parts), func(i int) { b.read(&parts[i], spans[i]) })
	b.out.Pods = room[:0]
	for i := range parts { // what is kept of a part moves to the left
		p := &parts[i]
		if p.in != b.in {
			p.renumber(b.in.adopt(p.in))
		}
		b.out.Pods = append(b.out.Pods, p.out...)
		for _, it := range p.placed {
			b.pods[it.place] = append(b.pods[it.place], it.view)
		}
		b.waiting = append(b.waiting, p.waiting...)
		b.problems = append(b.problems, p.problems...)
	}
}

// read translates some pods. It may run beside others of its kind.
func (b *builder) read(p *part, span fanout.Span) {
	for i := span.From; i < span.Upto; i++ {
		pod := b.objects.Pods[i]
		if Finished(pod) {
			continue
		}
		place := b.placeOf(pod)
		if place == "" && !b.wanted(pod) {
			if Waiting(pod) {
				p.waiting = append(p.waiting, pod)
			}
			continue
		}
		view, err := p.in.pod(pod, b.specs[i], b.now)
		if err != nil {
			p.problems = append(p.problems, Problem{"Pod " + string(view.ID), err})
		}
		if place == "" {
			view.Role = shape.Movable
			p.out = append(p.out, view.Pod)
			continue
		}
		p.placed = append(p.placed, placed{place, view})
	}
}

// renumber replaces the fork's classes by those that they were adopted as.
func (p *part) renumber(class []int32) {
	for i := range p.out {
		p.out[i].Class = class[p.out[i].Class]
	}
	for i := range p.placed {
		p.placed[i].view.Class = class[p.placed[i].view.Class]
	}
}
