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
	fullPercent = 95

	// tightPercent is what full nodes may cost of the least that any nodes for the same pods would. Pods that are still
	// to come could make them cheaper by so little only.
	tightPercent = 102
)

// Meanwhile opens what is certain while more pods are coming: nodes that are full and as good as the cheapest. Their
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
	planned.Pods = full(engine.Plan(planned, p.Policy), planned)
	if len(planned.Pods) == 0 {
		return
	}
	decision := engine.Plan(planned, p.Policy)
	if !tight(decision) {
		return
	}
	p.Journal.Add(journal.Record{
		At: began, Revision: snapshot.Revision, Took: p.Clock.Since(began), Snapshot: planned,
		Policy: p.Policy, Decision: decision,
	})
	p.decided(planned)
	p.Log.Info(observe.SaidClaimsComputed, "nodeclaims", len(decision.Open), "pods", opened(decision))
	if _, err := p.carryOut(ctx, decision, planned); err != nil && ctx.Err() == nil {
		p.Log.Error(err, "carrying out the certain part of a plan; what is left is planned again")
	}
}

// full are the pods that a plan puts on new nodes which are then full, in the order of the Snapshot.
func full(d engine.Decision, s shape.Snapshot) []shape.Pod {
	room := make(map[string]shape.Vector, len(s.Types))
	for _, t := range s.Types {
		room[t.Name] = t.Allocatable
	}
	chosen := map[shape.PodID]bool{}
	for i := range d.Open {
		n := &d.Open[i]
		if len(n.Options) == 0 || !fills(n.Requests, room[n.Options[0].Type]) {
			continue
		}
		for _, id := range n.Pods {
			chosen[id] = true
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Pods), func(pod shape.Pod) bool { return !chosen[pod.ID] })
}

// fills reports whether requests leave next to nothing of one resource.
func fills(requests, room shape.Vector) (yes bool) {
	room.Each(func(resource string, value int64) {
		yes = yes || value > 0 && 100*requests.Get(resource) >= fullPercent*value
	})
	return yes
}

// tight reports whether a plan that opens nodes for all its pods is about as cheap as any could be.
func tight(d engine.Decision) bool {
	return len(d.Open) > 0 && len(d.Place) == 0 && len(d.Unplaced) == 0 && 100*d.Price <= tightPercent*d.Bound
}
