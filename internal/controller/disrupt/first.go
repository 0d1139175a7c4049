package disrupt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// AnnotationTerminateFirst on a NodePool says for which reservations a node was ended before its replacement was
// there: a JSON object of endings by reservation. Until something has followed, no other one is ended first, so that
// at any moment no more than one node of a reservation is lost, whatever becomes of what follows it and of the
// controller.
const AnnotationTerminateFirst = "dovetail.sh/terminate-first"

// ending is what is remembered of a node that was ended first. Something has followed it once as many nodes of the
// reservation are ready as before. Where fewer are wanted by then, one that was made since will do. The time alone
// would not do: it has whole seconds, and it is not told by the same clock as when claims were made.
type ending struct {
	At    time.Time `json:"at"`
	Nodes int       `json:"nodes"` // of the reservation that were ready, with the one that was ended
}

// firstReason is why nodes of pools without replicas are ended first, as metrics name it.
const firstReason = "no-reserved-capacity"

// slots decides about nodes that go before their replacement is there.
type slots struct{ *planner }

// first begins to end a node whose pods have no place while it is there, and have one in the slot of its full
// reservation once it is gone. It is false if this is no such node.
func (p slots) first(s seen, reason karpenterv1.DisruptionReason) bool {
	slot := p.slotOf(s)
	if !p.rules.First[reason] || slot == "" {
		return false
	}
	place, ok := p.inSlot(s, slot)
	if !ok {
		return false
	}
	if why := p.slotBusy(slot, s); why != "" {
		replacer(p).block(s, reason, why)
		return true
	}
	p.want(place)
	p.choose(&move{reason: reason, why: s.because(reason), first: slot}, []seen{s})
	return true
}

// slotOf names the reservation that a node holds a place in, as far as it still can be bought from; empty for none.
func (p slots) slotOf(s seen) string {
	return provider.ReservationOf(p.snapshot.Types, s.claim.Labels)
}

// inSlot asks where a node's pods go if its reservation has one place more. That place is the only thing new.
func (p slots) inSlot(s seen, slot string) (place []engine.Placement, ok bool) {
	more := p.snapshot
	more.Types = slices.Clone(more.Types)
	for i, t := range more.Types {
		more.Types[i] = withOneMore(t, slot)
	}
	next := refit.Begin(more, p.refitPolicy(false), time.Time{}).Follow(refit.Course{Nodes: []string{s.node.Name}})
	if next.Why.Kind != "" {
		return nil, false
	}
	_, ok = p.devices.Allows(more, next.Place, next.Open)
	return next.Place, ok
}

// withOneMore is a type of whose full reservation one machine is free.
func withOneMore(t *shape.InstanceType, slot string) *shape.InstanceType {
	of := func(o shape.Offering) bool { return o.Reservation == slot && o.Remaining <= 0 }
	if !slices.ContainsFunc(t.Offerings, of) {
		return t
	}
	out := *t
	out.Offerings = slices.Clone(t.Offerings)
	for i := range out.Offerings {
		if of(out.Offerings[i]) {
			out.Offerings[i].Remaining, out.Offerings[i].Available = 1, true
		}
	}
	return &out
}

// slotBusy says why no node of a reservation may be ended first now, or nothing: another one is going or was ended, and
// what follows it is not ready.
func (p slots) slotBusy(slot string, self seen) string {
	last := p.lastEnding(slot)
	followed := last.At.IsZero() || p.ready(slot) >= last.Nodes
	for _, s := range p.all {
		if s.claim.UID == self.claim.UID || p.slotOf(s) != slot {
			continue
		}
		m := p.memory.moves[s.claim.UID]
		switch {
		case !s.claim.DeletionTimestamp.IsZero(), m != nil && m.first == slot:
			return fmt.Sprintf("reservation %s is full, and node %s of it is going", slot, s.claim.Status.NodeName)
		case !condition.IsTrue(s.claim, karpenterv1.ConditionInitialized):
			return fmt.Sprintf("reservation %s is full, and NodeClaim %s of it is not ready yet", slot, s.claim.Name)
		}
		followed = followed || s.claim.CreationTimestamp.After(last.At)
	}
	if !followed {
		return fmt.Sprintf(
			"reservation %s is full, and nothing has followed the node of it that was ended at %s",
			slot,
			last.At.Format(time.RFC3339),
		)
	}
	return ""
}

// lastEnding is the last one of a reservation, of whatever pool; zero for none.
func (p slots) lastEnding(slot string) (last ending) {
	for _, s := range p.all {
		if s.pool == nil {
			continue
		}
		if e := endedFirst(s.pool)[slot]; e.At.After(last.At) {
			last = e
		}
	}
	return last
}

// ready counts the nodes of a reservation that pods can use.
func (p slots) ready(slot string) (n int) {
	for _, s := range p.all {
		if p.slotOf(s) == slot && s.claim.DeletionTimestamp.IsZero() &&
			condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) {
			n++
		}
	}
	return n
}

// carryFirst takes a move one step further whose node goes before its replacement is there.
func (p slots) carryFirst(g group, blocked string) {
	if len(g.nodes) == 0 {
		return
	}
	held := g.held(p.now)
	switch s := g.nodes[0]; {
	case p.fence(g):
	case blocked != "":
		p.soon(settle)
	case held < settle:
		p.soon(settle - held)
	default:
		if why := p.slotBusy(g.first, s); why != "" {
			p.release(g, failedCheck, why)
			return
		}
		place, ok := p.inSlot(s, g.first)
		if !ok {
			p.release(g, failedCheck, "its pods would find no place in its reservation")
			return
		}
		p.want(place)
		p.remove(g)
	}
}

// endedFirst reads a pool's annotation; what cannot be read is as if it were not there.
func endedFirst(pool *karpenterv1.NodePool) map[string]ending {
	var out map[string]ending
	if json.Unmarshal([]byte(pool.Annotations[AnnotationTerminateFirst]), &out) != nil {
		return nil
	}
	return out
}

// noteFirst writes on a pool that a node of a reservation is ended first. What is written of others stays: it is
// little, and holds nothing up once something has followed.
func (r mender) noteFirst(ctx context.Context, c choice) error {
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(c.pool), pool); err != nil {
		return fmt.Errorf("reading NodePool %s: %w", c.pool.Name, err)
	}
	before := pool.DeepCopy()
	all := endedFirst(pool)
	if all == nil {
		all = map[string]ending{}
	}
	all[c.first] = ending{At: r.Clock.Now().UTC().Truncate(time.Second), Nodes: c.nodes}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("writing down which reservations give a node up first: %w", err)
	}
	if pool.Annotations == nil {
		pool.Annotations = map[string]string{}
	}
	pool.Annotations[AnnotationTerminateFirst] = string(text)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, pool, patch); err != nil {
		return fmt.Errorf(
			"writing on NodePool %s that a node of reservation %s goes first: %w",
			pool.Name,
			c.first,
			err,
		)
	}
	r.Metrics.Disruption.TerminateFirst.WithLabelValues(pool.Name, observe.SnakeCase(string(c.reason)), firstReason).
		Inc()
	return nil
}
