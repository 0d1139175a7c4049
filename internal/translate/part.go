package translate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// leastPods is from how many pods on it pays to have another processor read them.
const leastPods = 200

// part is what one processor makes of its part of the pods, in their order.
type part struct {
	in      *Interner // a fork, but for the first part
	waiting []*corev1.Pod
	seen    int // by glances

	// What is planned or holds room. Class is the form until the labels that count are known.
	out    []shape.Pod // that are to be planned
	from   []int32     // by out: index into Objects.Pods
	placed []placed

	problems []podProblem
}

type placed struct {
	place string // NodeParts.Name
	from  int32  // index into Objects.Pods
	view  PodView
}

type podProblem struct {
	from int32
	Problem
}

// readPods reads all there is to say of the pods but for their labels, and finds out which of those count.
func (b *builder) readPods() {
	pods := b.objects.Pods
	spans := fanout.Spans(len(pods), leastPods)
	b.parts = make([]part, len(spans))
	room, from := make([]shape.Pod, len(pods)), make([]int32, len(pods)) // for what all parts make
	b.out.Pods = room[:0]
	for i, span := range spans {
		p := &b.parts[i]
		p.out, p.from = room[span.From:span.From:span.Upto], from[span.From:span.From:span.Upto]
		if p.in = b.in; i > 0 {
			p.in = b.in.fork()
		}
	}
	known := len(b.in.specs)
	fanout.Each(len(spans), func(i int) { b.read(&b.parts[i], spans[i]) })
	for i := range b.parts[1:] {
		p := &b.parts[1+i]
		p.renumber(b.in.adoptForms(p.in))
	}
	for _, k := range b.in.specs[known:] {
		b.in.Observe(k.spec)
	}
}

// read reads some pods. It may run beside others of its kind.
func (b *builder) read(p *part, span fanout.Span) {
	for i := span.From; i < span.Upto; i++ {
		if (i-span.From)%glancePods == 0 {
			p.seen += glance(b.objects.Pods[i:min(i+glancePods, span.Upto)])
		}
		pod := b.objects.Pods[i]
		if Finished(pod) {
			continue
		}
		place := b.placeOf(pod)
		if place == "" && !b.wanted(pod) {
			p.in.specOf(&pod.Spec) // its selectors count all the same
			if Waiting(pod) {
				p.waiting = append(p.waiting, pod)
			}
			continue
		}
		view := viewOf(pod, b.now, b.in.world.OwnDeletionCosts)
		view.Class = p.in.formOf(pod)
		if place == "" {
			view.Role = shape.Movable
			p.out, p.from = append(p.out, view.Pod), append(p.from, int32(i))
			continue
		}
		p.placed = append(p.placed, placed{place, int32(i), view})
	}
}

// addPods adds the pods but for those that kube-scheduler has still to try. Classes are numbered alike by however many
// processors.
func (b *builder) addPods() {
	for i := range b.parts[1:] {
		b.parts[1+i].in.follow(b.in)
	}
	fanout.Each(len(b.parts), func(i int) { b.classify(&b.parts[i]) })
	for i := range b.parts { // what is kept of a part moves to the left
		p := &b.parts[i]
		if p.in != b.in {
			p.renumber(b.in.adopt(p.in))
		}
		b.out.Pods = append(b.out.Pods, p.out...)
		for _, it := range p.placed {
			b.pods[it.place] = append(b.pods[it.place], it.view)
		}
		b.waiting = append(b.waiting, p.waiting...)
		for _, problem := range p.problems {
			b.problems = append(b.problems, problem.Problem)
		}
	}
}

// classify turns forms into classes. It may run beside others of its kind.
func (b *builder) classify(p *part) {
	classify := func(from int32, view *shape.Pod) {
		var err error
		if view.Class, err = p.in.class(b.objects.Pods[from], view.Class); err != nil {
			p.problems = append(p.problems, podProblem{from, Problem{"Pod " + string(view.ID), err}})
		}
	}
	for i := range p.out {
		classify(p.from[i], &p.out[i])
	}
	for i := range p.placed {
		classify(p.placed[i].from, &p.placed[i].view.Pod)
	}
	slices.SortFunc(p.problems, func(x, y podProblem) int { return cmp.Compare(x.from, y.from) })
}

// renumber replaces the fork's forms or classes by those that they were adopted as.
func (p *part) renumber(number []int32) {
	for i := range p.out {
		p.out[i].Class = number[p.out[i].Class]
	}
	for i := range p.placed {
		p.placed[i].view.Class = number[p.placed[i].view.Class]
	}
}
