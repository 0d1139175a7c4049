package mirror

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Expect notes a claim that is about to be created, and which pods are planned onto it: it counts as
// a node on its way, against its pool's limits too, before any informer shows it. The claim needs its
// name. Forget takes it back when it cannot be created.
func (m *Mirror) Expect(claim *karpenterv1.NodeClaim, pods []shape.PodID) {
	now := m.clock.Now()
	claim = claim.DeepCopy()
	if claim.CreationTimestamp.IsZero() {
		claim.CreationTimestamp = metav1.NewTime(now)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rev++
	if m.claims[claim.Name] == nil {
		m.expected[claim.Name] = now.Add(believeFor)
		m.timer(now.Add(believeFor))
		m.putClaim(claim)
	}
	m.nominate(claim.Name, pods, time.Time{})
}

// Forget notes that an expected claim does not come. One that an informer has shown stays.
func (m *Mirror) Forget(claim string) {
	m.mu.Lock()
	var change Change
	if _, ok := m.expected[claim]; ok {
		delete(m.expected, claim)
		m.rev++
		change = m.dropClaim(claim)
	}
	m.mu.Unlock()
	m.watch.tell(change)
}

// Nominate notes that pods are planned onto a node or claim: their room there is taken until they
// are bound, or go, or until some time after the node is ready.
func (m *Mirror) Nominate(pods []shape.PodID, target string) {
	now := m.clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rev++
	m.nominate(target, pods, now.Add(m.nomination))
}

func (p *picture) nominate(target string, pods []shape.PodID, until time.Time) {
	slot := p.slotNamed(target)
	if slot == "" {
		return
	}
	if s := p.slots[slot]; s.view.Node == nil || s.view.Stage < shape.Ready {
		until = time.Time{} // begins once it is ready
	}
	for _, id := range pods {
		rec := p.pods[id]
		end := until
		if _, virtual := p.virtual[id]; virtual {
			end = time.Time{}
		}
		if rec == nil || rec.object.Spec.NodeName != "" || p.nodes[p.promised[id].node] != nil {
			continue
		}
		p.unindex(rec)
		delete(p.promised, id)
		p.nominated[id] = nomination{target, end}
		p.index(id, rec)
		p.place(id, rec)
	}
	if !until.IsZero() {
		p.timer(until)
	}
}

// denominate forgets nominations to something that is gone.
func (p *picture) denominate(target string) {
	if p.slotNamed(target) != "" {
		return
	}
	for _, id := range podIDs(p.refs[target]) {
		if p.nominated[id].target == target || p.promised[id].node == target {
			p.cancel(id)
		}
	}
}

// cancel forgets where a pod was planned.
func (p *picture) cancel(id shape.PodID) Change {
	rec := p.pods[id]
	if rec == nil {
		delete(p.nominated, id)
		return 0
	}
	p.unindex(rec)
	delete(p.nominated, id)
	delete(p.promised, id)
	p.index(id, rec)
	return p.place(id, rec)
}

// expire ends what ends by itself: expectations, nominations, and annotations that hold pods for a while.
func (p *picture) expire(now time.Time) {
	if p.nextTimer.IsZero() || now.Before(p.nextTimer) {
		return
	}
	p.nextTimer = time.Time{}
	for claim, until := range p.expected {
		if now.Before(until) {
			p.timer(until)
			continue
		}
		delete(p.expected, claim)
		p.dropClaim(claim)
	}
	for id, n := range p.nominated {
		switch {
		case n.until.IsZero():
		case now.Before(n.until):
			p.timer(n.until)
		default:
			p.cancel(id)
		}
	}
	for id := range p.timed {
		rec := p.pods[id]
		if now.Before(rec.view.Until) {
			p.timer(rec.view.Until)
			continue
		}
		delete(p.timed, id)
		if rec.slot != "" {
			p.dirtySlots[rec.slot] = struct{}{}
		}
	}
}

// Target is a claim that pods are planned onto.
type Target struct {
	Claim string
	Node  *corev1.Node // nil until it joins; must not be changed

	// Untold is whether a pod is among Planned of which the API server does not say where it is planned.
	Untold bool
}

// Targets lists the claims that pods are planned onto and not bound yet, ascending by name.
func (m *Mirror) Targets() []Target {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.nominated) == 0 {
		return nil
	}
	seen := map[string]Target{}
	alike := m.alike()
	for id, n := range m.nominated {
		s := m.slots[m.slotNamed(n.target)]
		if s == nil || s.claim == nil {
			continue
		}
		_, virtual := m.virtual[id]
		rec := m.pods[id]
		untold := !alike && !virtual && rec != nil && rec.object.Status.NominatedNodeName == ""
		seen[s.claim.Name] = Target{s.claim.Name, s.node, untold || seen[s.claim.Name].Untold}
	}
	out := make([]Target, 0, len(seen))
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, seen[name])
	}
	return out
}

// Planned lists the pods that are planned onto a claim and not bound yet, the most important first. It is
// empty as well when all pods that wait for a place are of one class: any of them may go there then.
// The pods must not be changed.
func (m *Mirror) Planned(claim string) []*corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[m.slotOf[claim]]
	if s == nil || m.alike() {
		return nil
	}
	var plans []Plan
	for id := range s.pods {
		_, virtual := m.virtual[id]
		if _, ok := m.nominated[id]; ok && !virtual {
			rec := m.pods[id]
			plans = append(plans, Plan{Pod: rec.object, Class: m.in.Classes()[rec.view.Class]})
		}
	}
	slices.SortFunc(plans, ComparePlans)
	out := make([]*corev1.Pod, len(plans))
	for i := range plans {
		out[i] = plans[i].Pod
	}
	return out
}

// alike reports whether all pods that wait for a place are of one class.
func (p *picture) alike() bool {
	class := int32(-1)
	differs := func(c int32) bool {
		if class < 0 {
			class = c
		}
		return c != class
	}
	for id := range p.nominated {
		if _, virtual := p.virtual[id]; virtual {
			continue // no scheduler sees it
		}
		if rec := p.pods[id]; rec != nil && differs(rec.view.Class) {
			return false
		}
	}
	for id, sp := range p.loose {
		if _, virtual := p.virtual[id]; !virtual && differs(sp.Class) {
			return false
		}
	}
	return true
}
