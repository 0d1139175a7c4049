package provision

import (
	"context"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

const (
	// certainPods is how many pods must wait for some of them to be planned before their batch ends: fewer are soon
	// bound in one go.
	certainPods = 100

	// fullPercent is how much of its scarcest resource a node must hold to be full: no pod that is still to come
	// would find a place there.
	fullPercent = 98

	// restPercent is how much of processor and memory it must hold, whichever is the scarcer.
	restPercent = 85

	// tightPermille is what full nodes may cost of the least that any nodes for the same pods would. More pods of the
	// same sizes could make them cheaper by so little only.
	tightPermille = 1005
)

// Meanwhile opens what is certain while more pods are coming: nodes that are full and as good as the cheapest, of
// machines that were so at the last look. If what comes is like what is there, all together rarely cost half a percent
// more than planned at once; pods of other sizes that come later may have gone better together with them. Their
// pods are planned by themselves, as if their batch had ended before the others came; those wait for its end. Batches
// call it, and like Pass only one at a time.
func (p *Provisioner) Meanwhile(ctx context.Context) {
	began := p.Clock.Now()
	if p.Mirror.Buffered() {
		return // stand-ins are planned last, and so after all pods
	}
	p.Market.Refresh(ctx, p.Mirror)
	snapshot := p.Mirror.Snapshot()
	if len(snapshot.Pods) < certainPods {
		return
	}
	snapshot.Pools, _ = p.rests.apply(snapshot.Pools, began, p.Rest)
	planned, _, _ := p.bought.apply(snapshot)
	planned.Pods = p.certain.look(engine.Plan(planned, p.Policy), planned)
	if len(planned.Pods) == 0 {
		return
	}
	made := p.Mirror.Devices().Plan(planned, func(s shape.Snapshot) engine.Decision { return engine.Plan(s, p.Policy) })
	decision := made.Decision
	if !tight(decision) {
		return
	}
	p.Journal.Add(journal.Record{
		At: began, Revision: snapshot.Revision, Took: p.Clock.Since(began), Snapshot: made.Snapshot,
		Policy: p.Policy, Decision: made.Plan,
	})
	p.decided(planned)
	p.Log.Info(observe.SaidClaimsComputed, "nodeclaims", len(decision.Open), "pods", opened(decision))
	if _, err := p.carryOut(ctx, decision, planned); err != nil && ctx.Err() == nil {
		p.Log.Error(err, "carrying out the certain part of a plan; what is left is planned again")
	}
}

// certainty is what is remembered of a batch that is being drawn out: the machines that were full at the last look.
// Which ones are best settles as the pods come; until it has, those that are best for the few that are there would be
// regretted.
type certainty struct{ full map[machine]bool }

// machine is what a node is launched as at best, wherever that is.
type machine struct{ pool, instanceType string }

// look are the pods that a plan puts on new nodes which are then full, in the order of the Snapshot: those whose
// machines were full at the last look as well.
func (c *certainty) look(d engine.Decision, s shape.Snapshot) []shape.Pod {
	room := make(map[string]shape.Vector, len(s.Types))
	for _, t := range s.Types {
		room[t.Name] = t.Allocatable
	}
	before, chosen := c.full, map[shape.PodID]bool{}
	c.full = map[machine]bool{}
	for i := range d.Open {
		n := &d.Open[i]
		if len(n.Options) == 0 || !fills(n.Requests, room[n.Options[0].Type]) {
			continue
		}
		m := machine{n.Pool, n.Options[0].Type}
		c.full[m] = true
		for _, id := range n.Pods {
			chosen[id] = before[m] || chosen[id]
		}
	}
	return slices.DeleteFunc(slices.Clone(s.Pods), func(pod shape.Pod) bool { return !chosen[pod.ID] })
}

// forget is for the end of a batch.
func (c *certainty) forget() { c.full = nil }

// fills reports whether requests leave next to nothing of one resource, and little of processor and memory if they want
// any: what is left of these could be what other pods want.
func fills(requests, room shape.Vector) (yes bool) {
	room.Each(func(resource string, value int64) {
		yes = yes || value > 0 && 100*requests.Get(resource) >= fullPercent*value
	})
	rest := func(requests, room int64) bool { return requests == 0 || 100*requests >= restPercent*room }
	return yes && rest(requests.CPU, room.CPU) && rest(requests.Memory, room.Memory)
}

// tight reports whether a plan that opens nodes for all its pods is about as cheap as any could be.
func tight(d engine.Decision) bool {
	return len(d.Open) > 0 && len(d.Place) == 0 && len(d.Unplaced) == 0 && 1000*d.Price <= tightPermille*d.Bound
}
