package mirror

import (
	"time"

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
	if m.facts.Claim(claim.Name) == nil {
		m.book.Expect(claim.Name, now.Add(believeFor))
		m.rejoined(m.facts.PutClaim(claim))
	}
	m.nominate(claim.Name, pods, time.Time{})
}

// Forget notes that an expected claim does not come. One that an informer has shown stays.
func (m *Mirror) Forget(claim string) {
	m.mu.Lock()
	var change Change
	if m.book.Appeared(claim) {
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

// nominate notes where pods are planned, until a time that begins to run only once the node is ready.
func (p *picture) nominate(target string, pods []shape.PodID, until time.Time) {
	name := p.facts.Named(target)
	if name == "" {
		return
	}
	if view := p.sheet.View(name); view.Node == nil || view.Stage < shape.Ready {
		until = time.Time{}
	}
	for _, id := range pods {
		pod := p.facts.Pods[id]
		if pod == nil || pod.Object.Spec.NodeName != "" {
			continue
		}
		if node, _ := p.book.Sent(id); p.facts.Node(node) != nil {
			continue // it may be bound there already
		}
		end := until
		if p.virtual.has(id) {
			end = time.Time{}
		}
		p.book.Plan(id, target, end)
		p.place(id, pod)
	}
}

// cancel forgets where a pod was planned, or its binding was sent to.
func (p *picture) cancel(id shape.PodID) Change {
	p.book.Cancel(id)
	if pod := p.facts.Pods[id]; pod != nil {
		return p.place(id, pod)
	}
	return 0
}

// cancelToward forgets what was promised of a node or claim that is gone.
func (p *picture) cancelToward(name string) {
	if p.facts.Named(name) != "" {
		return
	}
	for _, id := range p.book.Toward(name) {
		p.cancel(id)
	}
}
