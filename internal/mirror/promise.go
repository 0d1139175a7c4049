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
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// promise is a binding that was sent, or is about to be, and that no watch shows yet. It counts as a pod on its node:
// no plan and no other promise may use the room, whatever became of the binding. A promise ends when the pod is seen
// bound, to whatever node, or gone, when the node is gone, or when it is known that the binding did not come about.
type promise struct{ node string }

// Ledger is the part of a Mirror that knows which nodes are kept for plans, and what they are promised.
type Ledger struct{ *Mirror }

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
func (m Ledger) Expected(claim string) []*corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[m.slotOf[claim]]
	if s == nil {
		return nil
	}
	var out []*corev1.Pod
	for id := range s.pods {
		_, virtual := m.virtual[id]
		if _, ok := m.nominated[id]; ok && !virtual {
			out = append(out, m.pods[id].object)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return cmp.Compare(translate.IDOf(a), translate.IDOf(b)) })
	return out
}

// Reserved lists the nodes that are kept for plans, ascending by name, how many pods are planned onto claims that
// have not registered, and how many wait and are not planned anywhere.
func (m Ledger) Reserved() (nodes []Reserved, coming, pending int) {
	now := m.clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.reserved) == 0 {
		return nil, 0, 0
	}
	m.settle(now, m.nomination)
	for _, name := range slices.Sorted(maps.Keys(m.reserved)) {
		s := m.slots[name]
		r := Reserved{Node: s.node, Claim: s.claim, CSI: m.csiNodes[name], Keeps: m.keeps(s)}
		for id := range s.pods {
			if _, ok := m.promised[id]; ok {
				r.Promised++
			} else if m.planned(id) {
				rec := m.pods[id]
				class := m.in.Classes()[rec.view.Class]
				r.Planned = append(r.Planned, Plan{rec.object, class, m.devices.served(class)})
			}
		}
		slices.SortFunc(r.Planned, ComparePlans)
		nodes = append(nodes, r)
	}
	for id, n := range m.nominated {
		if s := m.slots[m.slotNamed(n.target)]; s != nil && m.planned(id) && s.claim != nil && !s.registered() {
			coming++
		}
	}
	for id := range m.loose {
		if _, virtual := m.virtual[id]; !virtual {
			pending++
		}
	}
	return nodes, coming, pending
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
func (m Ledger) IsReserved(node string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.reserved[node]
	return ok
}

// planned reports whether a pod is only planned: the API server may not know where.
func (p Ledger) planned(id shape.PodID) bool {
	_, nominated := p.nominated[id]
	_, virtual := p.virtual[id]
	_, promised := p.promised[id]
	rec := p.pods[id]
	return nominated && !virtual && !promised && rec != nil && rec.object.Spec.NodeName == "" &&
		rec.object.DeletionTimestamp == nil
}

// registered reports whether a slot's node has been made its claim's.
func (s *slot) registered() bool {
	return s.node != nil && s.node.Labels[karpenterv1.NodeRegisteredLabelKey] == "true"
}

// keeps reports whether the taint of a slot's node keeps a DaemonSet off that would run there without it.
func (p Ledger) keeps(s *slot) bool {
	for i := range p.daemons {
		if _, running := slices.BinarySearch(s.view.Daemons, int32(i)); running {
			continue
		}
		class := p.in.Classes()[p.daemons[i].Class]
		if !translate.ToleratesPlanned(class) && selects(class, s.node) {
			return true
		}
	}
	return false
}

// Awaited reports whether pods are planned onto a claim, and whether its node must not be kept for them: they want
// devices that it does not have yet, and a DaemonSet that may bring them would be kept off.
func (m Ledger) Awaited(claim string) (planned, blocked bool) {
	now := m.clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle(now, m.nomination)
	s := m.slots[m.slotOf[claim]]
	if s == nil {
		return false, false
	}
	var have shape.Vector
	if s.node != nil {
		have = translate.Offered(s.node.Status.Allocatable)
	}
	for id := range s.pods {
		if !m.planned(id) {
			continue
		}
		planned = true
		for _, r := range m.in.Classes()[m.pods[id].view.Class].Requests.Extended {
			blocked = blocked || r.Value > 0 && have.Get(r.Resource) == 0
		}
	}
	return planned, blocked && s.node != nil && m.keeps(s)
}

// Promise notes that pods are about to be bound to a node, and returns those of them that may be: all that are planned
// there still, or none if the node or what is on it has changed since it was seen.
func (m Ledger) Promise(node string, seen *shape.Node, pods []shape.PodID) (promised []shape.PodID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[node]
	if _, changed := m.dirtySlots[node]; changed || s == nil || s.node == nil || s.view.Node != seen || s.leaving() {
		return nil
	}
	for _, id := range pods {
		if !m.planned(id) || m.slotNamed(m.nominated[id].target) != node {
			continue
		}
		rec := m.pods[id]
		m.unindex(rec)
		delete(m.nominated, id)
		m.promised[id] = promise{node}
		m.index(id, rec)
		m.place(id, rec)
		promised = append(promised, id)
	}
	if len(promised) > 0 {
		m.rev++
	}
	return promised
}

// Withdraw notes that a binding is known not to have come about.
func (m Ledger) Withdraw(id shape.PodID) {
	m.mu.Lock()
	var change Change
	if _, ok := m.promised[id]; ok {
		change = m.cancel(id)
		m.rev++
	}
	m.mu.Unlock()
	m.watch.tell(change)
}

// GiveUp forgets where a pod is planned, so that it is planned anew. A promise stays.
func (m Ledger) GiveUp(id shape.PodID) {
	m.mu.Lock()
	var change Change
	if m.planned(id) {
		change = m.cancel(id)
		m.rev++
	}
	m.mu.Unlock()
	m.watch.tell(change)
}

// PromisedTo is the node that a pod is promised to, empty if it is not or if the node is gone.
func (m Ledger) PromisedTo(id shape.PodID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.promised[id].node
}

// Bound is the cluster as kube-scheduler has it, with all promises kept: pods that are only planned wait, and claims
// without a node are left out. Room that a pod could take which the taint of a reserved node does not keep off counts
// as taken. Want are planned pods by the node that they are planned onto; they are the Snapshot's Pods. Seen are those
// nodes as Promise wants them. Crowded is set if there are such pods: what finds no room may find some yet.
func (m Ledger) Bound(want map[string][]shape.PodID) (s shape.Snapshot, seen map[string]*shape.Node, crowded bool) {
	now := m.clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle(now, m.nomination)
	s = shape.Snapshot{Now: now, Revision: m.rev, Classes: m.in.Classes(), Profiles: m.in.Profiles(),
		DaemonSets: m.daemons}
	intruders := m.intruders()
	for _, n := range m.cutNodes {
		if slot := m.slots[n.Name]; slot.node != nil {
			s.Nodes = append(s.Nodes, m.bare(n, slot, intruders))
		}
	}
	seen = make(map[string]*shape.Node, len(want))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		slot := m.slots[name]
		if slot == nil || slot.view.Node == nil {
			continue
		}
		seen[name] = slot.view.Node
		for _, id := range want[name] {
			if rec := m.pods[id]; rec != nil && m.planned(id) {
				pod := rec.view.Pod
				pod.Role = shape.Movable
				s.Pods = append(s.Pods, pod)
			}
		}
	}
	return s, seen, len(intruders) > 0
}

// bare is a node with the pods that are bound or promised to it, those included that are to leave it, and with the room
// counted that intruders could take.
func (p Ledger) bare(n *shape.Node, s *slot, intruders []*shape.Class) *shape.Node {
	_, reserved := p.reserved[n.Name]
	if !reserved && len(s.view.Displaced) == 0 && !slices.ContainsFunc(n.Pods,
		func(pod shape.Pod) bool { return p.planned(pod.ID) }) {
		return n
	}
	out := *n
	out.Pods = slices.DeleteFunc(slices.Clone(n.Pods), func(pod shape.Pod) bool { return p.planned(pod.ID) })
	for _, pod := range s.view.Displaced {
		pod.From = ""
		out.Pods = append(out.Pods, pod)
	}
	var sum shape.Vector
	for i := range out.Pods {
		sum = sum.Add(p.in.Classes()[out.Pods[i].Class].Requests)
	}
	for _, class := range intruders {
		if reserved && selects(class, s.node) {
			sum = sum.Add(class.Requests)
		}
	}
	out.Requested = &sum
	return &out
}

// intruders are the classes, once for each pod, of those that kube-scheduler may put onto a reserved node at any time,
// because they tolerate its taint.
func (p Ledger) intruders() (out []*shape.Class) {
	add := func(id shape.PodID) {
		rec := p.pods[id]
		if _, virtual := p.virtual[id]; virtual || rec == nil {
			return
		}
		if class := p.in.Classes()[rec.view.Class]; translate.ToleratesPlanned(class) {
			out = append(out, class)
		}
	}
	for id := range p.loose {
		add(id)
	}
	for id := range p.nominated {
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
