package mirror

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// keeps reports whether the taint of a machine's node keeps a DaemonSet off that would run there without it.
func (l Ledger) keeps(name string, at *objects.Machine) bool {
	running := l.m.sheet.View(name).Daemons
	for i := range l.m.facts.Daemons {
		if _, runs := slices.BinarySearch(running, int32(i)); runs {
			continue
		}
		class := l.m.facts.Interner.Classes()[l.m.facts.Daemons[i].Class]
		if !translate.ToleratesPlanned(class) && selects(class, at.Node) {
			return true
		}
	}
	return false
}

// Bound is the cluster as kube-scheduler has it, with all promises kept: pods that are only planned wait, and claims
// without a node are left out. Room that a pod could take which the taint of a reserved node does not keep off counts
// as taken. Want are planned pods by the node that they are planned onto; they are the Snapshot's Pods. Seen are those
// nodes as Promise wants them. Crowded is set if there are such pods: what finds no room may find some yet.
func (l Ledger) Bound(want map[string][]shape.PodID) (s shape.Snapshot, seen map[string]*shape.Node, crowded bool) {
	now := l.m.clock.Now()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.settle(now)
	s = shape.Snapshot{
		Now: now, Revision: l.m.rev, DaemonSets: l.m.facts.Daemons,
		Classes: l.m.facts.Interner.Classes(), Profiles: l.m.facts.Interner.Profiles(),
	}
	intruders := l.intruders()
	for _, n := range l.m.sheet.Nodes() {
		if at := l.m.facts.Machine(n.Name); at.Node != nil {
			s.Nodes = append(s.Nodes, l.bare(n, at.Node, intruders))
		}
	}
	seen = make(map[string]*shape.Node, len(want))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		view := l.m.sheet.View(name)
		if view.Node == nil {
			continue
		}
		seen[name] = view.Node
		for _, id := range want[name] {
			if rec := l.m.facts.Pods[id]; rec != nil && l.planned(id) {
				pod := rec.View.Pod
				pod.Role = shape.Movable
				s.Pods = append(s.Pods, pod)
			}
		}
	}
	return s, seen, len(intruders) > 0
}

// bare is a node with the pods that are bound or promised to it, those included that are to leave it, and with the room
// counted that intruders could take.
func (l Ledger) bare(n *shape.Node, node *corev1.Node, intruders []*shape.Class) *shape.Node {
	_, reserved := l.m.reserved[n.Name]
	displaced := l.m.sheet.View(n.Name).Displaced
	if !reserved && len(displaced) == 0 && !slices.ContainsFunc(n.Pods,
		func(pod shape.Pod) bool { return l.planned(pod.ID) }) {
		return n
	}
	out := *n
	out.Pods = slices.DeleteFunc(slices.Clone(n.Pods), func(pod shape.Pod) bool { return l.planned(pod.ID) })
	for _, pod := range displaced {
		pod.From = ""
		out.Pods = append(out.Pods, pod)
	}
	var sum shape.Vector
	for i := range out.Pods {
		sum = sum.Add(l.m.facts.Interner.Classes()[out.Pods[i].Class].Requests)
	}
	for _, class := range intruders {
		if reserved && selects(class, node) {
			sum = sum.Add(class.Requests)
		}
	}
	out.Requested = &sum
	return &out
}

// intruders are the classes, once for each pod, of those that kube-scheduler may put onto a reserved node at any time,
// because they tolerate its taint.
func (l Ledger) intruders() (out []*shape.Class) {
	add := func(id shape.PodID) {
		rec := l.m.facts.Pods[id]
		if l.m.virtual.has(id) || rec == nil {
			return
		}
		if class := l.m.facts.Class(rec); translate.ToleratesPlanned(class) {
			out = append(out, class)
		}
	}
	for id := range l.m.sheet.Waiting() {
		add(id)
	}
	for id := range l.m.book.Plans() {
		add(id)
	}
	return out
}

// selects reports whether a class's node selector lets it go to a node.
func selects(class *shape.Class, node *corev1.Node) bool {
	for _, r := range class.NodeSelector {
		if r.Operator != shape.In {
			continue
		}
		if value, ok := node.Labels[r.Key]; !ok || !slices.Contains(r.Values, value) {
			return false
		}
	}
	return true
}
