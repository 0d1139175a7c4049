package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// patience is how long pods that nothing could be bought for wait before they are planned again.
const patience = 5 * time.Second

// waiting are the pods without a node and without a machine that is on its way to them.
func (w *week) waiting() []*workload {
	expected := map[*workload]bool{}
	for _, m := range w.machines {
		for _, p := range m.planned {
			expected[p] = true
		}
	}
	var out []*workload
	for _, p := range w.all() {
		if p.Spec.NodeName == "" && !expected[p] {
			out = append(out, p)
		}
	}
	return out
}

// snapshot is the cluster as the planner sees it: nodes that joined and stay, their pods, and those given.
func (w *week) snapshot(ctx context.Context, pending []*workload) (shape.Snapshot, error) {
	sold, err := w.cloud.InstanceTypes(ctx, classRef())
	if err != nil {
		return shape.Snapshot{}, fmt.Errorf("listing instance types: %w", err)
	}
	objects := translate.Objects{
		NodePools: []*karpenterv1.NodePool{
			w.pool,
		},
		Offers:     map[string]*translate.Offer{w.pool.Name: translate.NewOffer(sold, "")},
		TrustPools: true,
	}
	stays := map[string]bool{}
	for _, m := range w.machines {
		if m.node != nil && !m.leaving {
			objects.Nodes, objects.NodeClaims = append(objects.Nodes, m.node), append(objects.NodeClaims, m.claim)
			stays[m.node.Name] = true
		}
	}
	for _, p := range w.all() {
		if stays[p.Spec.NodeName] {
			objects.Pods = append(objects.Pods, p.Pod)
		}
	}
	for _, p := range pending {
		objects.Pods = append(objects.Pods, p.Pod)
	}
	snapshot, problems := translate.Snapshot(objects, w.clock.Now())
	if len(problems) > 0 {
		return shape.Snapshot{}, problems[0]
	}
	return snapshot, nil
}

// plan finds nodes for pods that wait: at once for those that just lost theirs, as the provision controller does.
func (w *week) plan(ctx context.Context) error {
	if !w.unsettled || w.clock.Now().Before(w.again) {
		return nil
	}
	w.unsettled = false
	pending := w.waiting()
	if len(pending) == 0 {
		return nil
	}
	snapshot, err := w.snapshot(ctx, pending)
	if err != nil {
		return err
	}
	byID := map[shape.PodID]*workload{}
	for _, p := range pending {
		byID[translate.IDOf(p.Pod)] = p
	}
	decision := engine.Plan(snapshot, engine.DefaultPolicy())
	w.result.plans++
	for _, place := range decision.Place {
		if m := w.named(place.Node); m != nil {
			w.bind(byID[place.Pod], m)
		}
	}
	short := len(decision.Unplaced) > 0
	for _, n := range decision.Open {
		m, err := w.buy(ctx, n, pick(byID, n.Pods))
		if err != nil {
			return err
		}
		short = short || m == nil
	}
	if w.unsettled = short; short {
		w.again = w.clock.Now().Add(patience)
	}
	return nil
}

func pick(byID map[shape.PodID]*workload, ids []shape.PodID) []*workload {
	var out []*workload
	for _, id := range ids {
		if p := byID[id]; p != nil {
			out = append(out, p)
		}
	}
	return out
}

// named finds the machine behind a node.
func (w *week) named(node string) *machine {
	for _, m := range w.machines {
		if m.node != nil && m.node.Name == node {
			return m
		}
	}
	return nil
}

// move is a change to a cheaper fleet that waits for its new nodes.
type move struct {
	remove []*machine
	opened []*machine
	goes   map[*workload]*machine // where the pods of the removed nodes go
}

func (m *move) forget(p *workload) { delete(m.goes, p) }

// settled says that a node has been there for long enough to be given up: consolidateAfter.
const settled = 15 * time.Minute

// effort bounds one search for a cheaper fleet, in steps of about a microsecond.
const effort = 10_000

// refit looks for a cheaper fleet, when no other move is on its way.
func (w *week) refit(ctx context.Context) error {
	if len(w.moving) > 0 || len(w.waiting()) > 0 {
		return nil
	}
	nodes := 0
	for _, m := range w.machines {
		if m.node == nil || m.leaving {
			continue
		}
		nodes++
		if w.clock.Since(m.since) >= settled {
			condition.True(m.claim, w.clock.Now(), karpenterv1.ConditionConsolidatable)
		}
	}
	snapshot, err := w.snapshot(ctx, nil)
	if err != nil {
		return err
	}
	policy := refit.DefaultPolicy()
	policy.Effort = effort
	policy.Pools = map[string]refit.PoolPolicy{w.pool.Name: {Mode: refit.WhenUnderutilized, Budget: max(1, nodes/10)}}
	for _, m := range refit.Refit(snapshot, policy).Moves {
		if err := w.begin(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// begin buys what a move needs. A move whose nodes can not be had is dropped.
func (w *week) begin(ctx context.Context, m refit.Move) error {
	out := &move{goes: map[*workload]*machine{}}
	byID := map[shape.PodID]*workload{}
	for _, name := range m.Remove {
		machine := w.named(name)
		out.remove = append(out.remove, machine)
		for _, p := range w.podsOn(machine) {
			byID[translate.IDOf(p.Pod)] = p
		}
	}
	for _, place := range m.Place {
		out.goes[byID[place.Pod]] = w.named(place.Node)
	}
	for _, n := range m.Open {
		opened, err := w.buy(ctx, n, nil)
		if err != nil {
			return err
		}
		if opened == nil {
			for _, other := range out.opened {
				other.leaving = true
			}
			return nil
		}
		out.opened = append(out.opened, opened)
		for _, p := range pick(byID, n.Pods) {
			out.goes[p] = opened
		}
	}
	w.result.moves++
	w.moving = append(w.moving, out)
	return nil
}

// finishMoves carries out the moves whose nodes have all joined, and gives up those that lost one.
func (w *week) finishMoves(ctx context.Context) {
	w.moving = slices.DeleteFunc(w.moving, func(m *move) bool {
		for _, opened := range m.opened {
			if opened.leaving {
				return true // the interruption took it; its like is bought when pods need it
			}
			if opened.node == nil {
				return false
			}
		}
		for _, gone := range m.remove {
			if gone.leaving {
				continue
			}
			pods := w.podsOn(gone)
			w.drain(gone)
			gone.endsAt = w.clock.Now().Add(gracePeriod)
			for _, p := range pods {
				if to := m.goes[p]; to != nil && to.node != nil && !to.leaving && w.fits(p, to) {
					w.bind(p, to)
				}
			}
		}
		return true
	})
	w.retire(ctx)
}

// fits says whether a node still has room for a pod, as the scheduler's filter does.
func (w *week) fits(p *workload, m *machine) bool {
	used := corev1.ResourceList{}
	for _, other := range append(w.podsOn(m), p) {
		for name, q := range other.Spec.Containers[0].Resources.Requests {
			sum := used[name]
			sum.Add(q)
			used[name] = sum
		}
	}
	for name, q := range used {
		if room := m.node.Status.Allocatable[name]; q.Cmp(room) > 0 {
			return false
		}
	}
	return true
}
