package binder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// room is what is remembered of a node that is kept.
type room struct {
	since  time.Time // when it was first seen kept
	ready  time.Time // since when it is ready for pods; zero if it is not
	began  time.Time // when the first pod was promised or nominated
	quiet  time.Time // since when nothing was bound or nominated any more
	told   time.Time // since when pods are nominated; zero before
	bound  bool      // anything was promised
	closed bool      // nothing is bound any more: it is being opened, or pods of it are left to kube-scheduler

	promised, untold int // at the last look
}

// node is one that is kept, with what is to become of its pods.
type node struct {
	mirror.Reserved
	*room
	own    bool
	bind   []mirror.Plan // planned pods to be bound
	untell []*corev1.Pod // planned pods to be nominated
}

// openWithin is how long the API server may take to open a node.
const openWithin = 10 * time.Second

// Round looks after all nodes that are kept, once, and reports whether there are any.
func (k *Keeper) Round(ctx context.Context) (busy bool) {
	// See.
	now := k.Clock.Now()
	k.settleSent(ctx, now)
	nodes, coming, pending := k.look(now)
	if len(nodes) == 0 {
		return k.sent.any()
	}

	// Bind.
	for _, todo := range k.bindable(nodes, now) {
		k.group.Go(func() { k.bind(ctx, todo) })
	}

	// Decide and act.
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, s := range k.sights(nodes, coming, pending, now) {
		n := &nodes[i]
		switch decide(s) {
		case tell:
			n.closed = true
			if n.told.IsZero() {
				n.told = now
			}
			group.Go(func() error { return k.Scheduler.Tell(ctx, n.untell, n.Node.Name) })
		case open:
			n.closed = true
			group.Go(func() error { return k.open(ctx, n, now) })
		}
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		k.Log.V(1).Info("keeping nodes for their plans", "error", err.Error())
	}
	return true
}

// look sorts the pods of all nodes that are kept.
func (k *Keeper) look(now time.Time) (out []node, coming, pending int) {
	reserved, coming, pending := k.Plans.Reserved()
	kept, claims := map[types.UID]bool{}, map[string]bool{}
	for i := range reserved {
		r := &reserved[i]
		kept[r.Node.UID] = true
		if k.rooms[r.Node.UID] == nil {
			k.rooms[r.Node.UID] = &room{since: now}
		}
		n := node{Reserved: *r, room: k.rooms[r.Node.UID]}
		if r.Claim != nil {
			claims[r.Claim.Name] = true
			n.own = k.owns(r.Claim.Name)
		}
		n.wake(now)
		k.sort(&n, now)
		n.note(now)
		if n.bound && n.quiet.After(k.moved) {
			k.moved = n.quiet
		}
		out = append(out, n)
	}
	k.forget(kept, claims, now)
	return out, coming, pending
}

// sort says what is to become of a node's planned pods.
func (k *Keeper) sort(n *node, now time.Time) {
	binds := k.Bind && n.own && !n.closed && !n.stale(now, k.moved, k.HoldAtMost) && !now.Before(k.sent.pausedUntil())
	for _, p := range n.Planned {
		switch {
		case binds && !left(p, n.CSI):
			n.bind = append(n.bind, p)
		case k.Scheduler != nil && k.Scheduler.Open(p.Pod):
			n.untell = append(n.untell, p.Pod)
		}
	}
}

// wake notes whether a node is ready for pods.
func (n *node) wake(now time.Time) {
	switch {
	case !ready(n.Node):
		n.ready = time.Time{}
	case n.ready.IsZero():
		n.ready, n.quiet = now, now
	}
}

// note remembers what has changed on a node since the last look.
func (n *node) note(now time.Time) {
	if n.room.promised != n.Promised || n.untold != len(n.untell) {
		n.quiet = now
	}
	n.room.promised, n.untold = n.Promised, len(n.untell)
}

// stale nodes have been ready for so long, and no pod was bound for so long, that what is not there yet is left to
// kube-scheduler.
func (r *room) stale(now, moved time.Time, patience time.Duration) bool {
	patience = max(patience, bindsFor)
	waited := now.Sub(r.ready)
	return !r.ready.IsZero() && waited > patience && (now.Sub(moved) > patience || waited > holdTimes*patience)
}

// bindsFor is for how long pods are bound to a node that is ready, however short the patience.
const bindsFor = time.Second

// ready nodes have been initialized, so that what they say of themselves is true, and nothing but our taint keeps pods
// off that would go by itself.
func ready(node *corev1.Node) bool {
	return node.Labels[karpenterv1.NodeInitializedLabelKey] == "true" && condition.NodeReady(node) &&
		!slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return translate.Ephemeral(t.Key) })
}

// bindable promises pods to nodes, as many as may be bound there now.
func (k *Keeper) bindable(nodes []node, now time.Time) (out []binding) {
	want, asked, pods := wantedOf(nodes)
	if len(asked) == 0 || k.Plans.Revision() == k.last.revision || len(asked) == k.last.waiting &&
		now.Sub(k.last.at) < askEvery {
		return nil
	}
	snapshot, seen, crowded := k.Plans.Bound(want)
	answer := engine.Admit(snapshot, asked)
	if !crowded {
		for _, p := range answer.Never {
			k.Plans.GiveUp(p.Pod)
		}
	}
	k.last.at, k.last.revision, k.last.waiting = now, snapshot.Revision, len(answer.Later)
	clear(want)
	for _, p := range answer.Now {
		want[p.Node] = append(want[p.Node], p.Pod)
	}
	for i := range nodes {
		n, name := &nodes[i], nodes[i].Node.Name
		promised := k.Plans.Promise(name, seen[name], want[name])
		if len(promised) > 0 {
			n.promises(len(promised), now)
		}
		for _, id := range promised {
			out = append(out, k.sent.note(pods[id], name))
		}
	}
	return out
}

// askEvery is how often it is asked again about pods none of which might be bound: on a large cluster that is much
// work.
const askEvery = 10 * lookEvery

// wantedOf lists the pods that are to be bound to nodes which are ready for them: by node, and the most important
// first.
func wantedOf(nodes []node) (want map[string][]shape.PodID, asked []engine.Placement,
	pods map[shape.PodID]*corev1.Pod) {
	want, pods = map[string][]shape.PodID{}, map[shape.PodID]*corev1.Pod{}
	at := map[shape.PodID]string{}
	var order []mirror.Plan
	for i := range nodes {
		n := &nodes[i]
		if n.ready.IsZero() {
			continue
		}
		for _, p := range n.bind {
			id := translate.IDOf(p.Pod)
			want[n.Node.Name] = append(want[n.Node.Name], id)
			pods[id], at[id] = p.Pod, n.Node.Name
			order = append(order, p)
		}
	}
	slices.SortStableFunc(order, mirror.ComparePlans)
	for _, p := range order {
		id := translate.IDOf(p.Pod)
		asked = append(asked, engine.Placement{Pod: id, Node: at[id]})
	}
	return want, asked, pods
}

// promises notes that pods of a node are about to be bound.
func (n *node) promises(count int, now time.Time) {
	n.bound, n.quiet = true, now
	if n.began.IsZero() {
		n.began = now
	}
	n.Promised += count
	n.room.promised = n.Promised
}

// sights are what is seen of each node. Where a DaemonSet waits for the node to open, any pod that is pending could be
// faster than its pod, and take the room that was left for it.
func (k *Keeper) sights(nodes []node, coming, pending int, now time.Time) []sight {
	telling := 0
	for i := range nodes {
		coming += nodes[i].wanted()
		telling += nodes[i].tells()
	}
	out := make([]sight, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		out[i] = sight{
			now: now, holdAtMost: k.HoldAtMost,
			own: n.own, leaving: n.Node.DeletionTimestamp != nil, keeps: n.Keeps, since: n.since, ready: n.ready,
			toBind: len(n.bind), promised: n.Promised, coming: coming - n.wanted(),
			untold: len(n.untell), telling: telling - n.tells(), told: n.told, bound: n.bound, quiet: n.quiet,
			moved: k.moved,
		}
		if n.Keeps {
			out[i].coming += pending
		}
		if !n.began.IsZero() {
			out[i].took = n.quiet.Sub(n.began)
		}
	}
	return out
}

// wanted is how many pods are still to come to a node whose room they could take elsewhere.
func (n *node) wanted() int {
	switch {
	case n.closed, !n.own:
		return 0
	case n.ready.IsZero():
		return len(n.Planned)
	}
	return len(n.bind)
}

// tells is how many pods of a node are being nominated.
func (n *node) tells() int {
	if n.told.IsZero() {
		return 0
	}
	return len(n.untell)
}

// open takes the taint off a node, unless the node has changed since it was seen.
func (k *Keeper) open(ctx context.Context, n *node, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	changed := n.Node.DeepCopy()
	changed.Spec.Taints = slices.DeleteFunc(changed.Spec.Taints,
		func(t corev1.Taint) bool { return t.Key == translate.PlannedTaintKey })
	err := k.Client.Patch(ctx, changed, client.MergeFromWithOptions(n.Node, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		return fmt.Errorf("opening node %s: %w", n.Node.Name, client.IgnoreNotFound(err))
	}
	k.Log.V(1).Info("opened a node that was kept for its plan", observe.LogNode, n.Node.Name, observe.LogDuration,
		now.Sub(n.since).String())
	return nil
}
