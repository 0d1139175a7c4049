package mirror

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Ledger is the part of a Mirror that knows which nodes are kept for plans, and what they are promised.
type Ledger struct{ m *Mirror }

// Ledger is the Mirror as those see it who carry out plans.
func (m *Mirror) Ledger() Ledger { return Ledger{m} }

// Hear is Mirror.Hear.
func (l Ledger) Hear(f func(Change)) { l.m.Hear(f) }

// Revision grows with every change.
func (l Ledger) Revision() uint64 {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.m.rev
}

// Reserved is a node that is kept for the pods of a plan.
type Reserved struct {
	Node  *corev1.Node           // must not be changed
	Claim *karpenterv1.NodeClaim // nil if it has none any more; must not be changed
	CSI   *storagev1.CSINode     // nil until there is one; must not be changed

	// Planned are pods that are planned onto the node, unbound and without a promise, the most important first. They
	// must not be changed.
	Planned []Plan

	// Promised is how many pods are promised to it.
	Promised int

	// Keeps is set if a DaemonSet waits for the node to be open to all.
	Keeps bool
}

// Plan is a pod that is planned onto a node.
type Plan struct {
	Pod   *corev1.Pod
	Class *shape.Class

	// Devices is set if kube-scheduler allocates devices for the pod, by its claims or for an extended resource.
	Devices bool
}

// Expected lists the pods that are planned onto a claim and not bound yet, ascending by name. They must not be changed.
func (l Ledger) Expected(claim string) []*corev1.Pod {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	var out []*corev1.Pod
	for id := range l.m.held[l.m.facts.OfClaim(claim)] {
		if _, ok := l.m.book.Target(id); ok && !l.m.virtual.has(id) {
			out = append(out, l.m.facts.Pods[id].Object)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return cmp.Compare(translate.IDOf(a), translate.IDOf(b)) })
	return out
}

// Reserved lists the nodes that are kept for plans, ascending by name, how many pods are planned onto claims that
// have not registered, and how many wait and are not planned anywhere.
func (l Ledger) Reserved() (nodes []Reserved, coming, pending int) {
	now := l.m.clock.Now()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if len(l.m.reserved) == 0 {
		return nil, 0, 0
	}
	l.m.settle(now)
	for _, name := range slices.Sorted(maps.Keys(l.m.reserved)) {
		nodes = append(nodes, l.reserved(name, l.m.facts.Machine(name)))
	}
	for id, target := range l.m.book.Plans() {
		at := l.m.facts.Machine(l.m.facts.Named(target))
		if at != nil && l.planned(id) && at.Claim != nil && !at.Registered() {
			coming++
		}
	}
	for id := range l.m.sheet.Waiting() {
		if !l.m.virtual.has(id) {
			pending++
		}
	}
	return nodes, coming, pending
}

func (l Ledger) reserved(name string, at *objects.Machine) Reserved {
	r := Reserved{Node: at.Node, Claim: at.Claim, CSI: l.m.facts.CSINodes[name], Keeps: l.keeps(name, at)}
	for id := range l.m.held[name] {
		if _, ok := l.m.book.Sent(id); ok {
			r.Promised++
		} else if l.planned(id) {
			pod := l.m.facts.Pods[id]
			class := l.m.facts.Class(pod)
			r.Planned = append(r.Planned, Plan{pod.Object, class, l.m.devices.Served(class)})
		}
	}
	slices.SortFunc(r.Planned, ComparePlans)
	return r
}

// ComparePlans orders the most important pod first; of equals those that drains evict first, which few nodes suit or
// which are large, and of those the oldest. Whoever comes first gets the room that is left if a plan does not hold.
func ComparePlans(a, b Plan) int {
	return cmp.Or(
		cmp.Compare(b.Class.Priority, a.Class.Priority),
		eviction.Compare(eviction.RankOf(a.Class), eviction.RankOf(b.Class)),
		a.Pod.CreationTimestamp.Time.Compare(b.Pod.CreationTimestamp.Time),
		cmp.Compare(translate.IDOf(a.Pod), translate.IDOf(b.Pod)),
	)
}

// IsReserved reports whether a node is kept for the pods of a plan.
func (l Ledger) IsReserved(node string) bool {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	_, ok := l.m.reserved[node]
	return ok
}

// Awaited reports whether pods are planned onto a claim, and whether its node must not be kept for them: they want
// devices that it does not have yet, and a DaemonSet that may bring them would be kept off.
func (l Ledger) Awaited(claim string) (planned, blocked bool) {
	now := l.m.clock.Now()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.settle(now)
	machine := l.m.facts.OfClaim(claim)
	at := l.m.facts.Machine(machine)
	if at == nil {
		return false, false
	}
	var have shape.Vector
	if at.Node != nil {
		have = translate.Offered(at.Node.Status.Allocatable)
	}
	for id := range l.m.held[machine] {
		if !l.planned(id) {
			continue
		}
		planned = true
		for _, r := range l.m.facts.Class(l.m.facts.Pods[id]).Requests.Extended {
			blocked = blocked || r.Value > 0 && have.Get(r.Resource) == 0
		}
	}
	return planned, blocked && at.Node != nil && l.keeps(machine, at)
}

// Promise notes that pods are about to be bound to a node, and returns those of them that may be: all that are planned
// there still, or none if the node or what is on it has changed since it was seen.
func (l Ledger) Promise(node string, seen *shape.Node, pods []shape.PodID) (promised []shape.PodID) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	at, view := l.m.facts.Machine(node), l.m.sheet.View(node)
	_, changed := l.m.dirty[node]
	if changed || at == nil || at.Node == nil || view.Node != seen || at.Leaving() {
		return nil
	}
	for _, id := range pods {
		if target, _ := l.m.book.Target(id); !l.planned(id) || l.m.facts.Named(target) != node {
			continue
		}
		l.m.book.Send(id, node)
		l.m.place(id, l.m.facts.Pods[id])
		promised = append(promised, id)
	}
	if len(promised) > 0 {
		l.m.rev++
	}
	return promised
}

// Withdraw notes that a binding is known not to have come about.
func (l Ledger) Withdraw(id shape.PodID) {
	l.m.mu.Lock()
	var change Change
	if _, ok := l.m.book.Sent(id); ok {
		change = l.m.cancel(id)
		l.m.rev++
	}
	l.m.mu.Unlock()
	l.m.watch.tell(change)
}

// GiveUp forgets where a pod is planned, so that it is planned anew. A promise stays.
func (l Ledger) GiveUp(id shape.PodID) {
	l.m.mu.Lock()
	var change Change
	if l.planned(id) {
		change = l.m.cancel(id)
		l.m.rev++
	}
	l.m.mu.Unlock()
	l.m.watch.tell(change)
}

// PromisedTo is the node that a pod is promised to, empty if it is not or if the node is gone.
func (l Ledger) PromisedTo(id shape.PodID) string {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	node, _ := l.m.book.Sent(id)
	return node
}

// planned reports whether a pod is only planned: the API server may not know where.
func (l Ledger) planned(id shape.PodID) bool {
	_, planned := l.m.book.Target(id)
	pod := l.m.facts.Pods[id]
	return planned && !l.m.virtual.has(id) && pod != nil && pod.Object.Spec.NodeName == "" &&
		pod.Object.DeletionTimestamp == nil
}
