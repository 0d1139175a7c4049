package disrupt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// ReasonEmpty is why empty nodes are disrupted, as metrics name it.
const ReasonEmpty = "empty"

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client client.Client
	Clock  clock.PassiveClock
	Events *observe.Recorder

	// Nodes is the planner's view of the cluster: pods that are planned for a node count as being there.
	Nodes func() []*shape.Node

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler gives up nodes. It has one request only: the whole cluster.
type Reconciler struct{ Deps }

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Clock == nil || d.Events == nil || d.Nodes == nil || d.Delete == nil {
		return nil, errors.New("disrupt controller: a dependency is missing")
	}
	return &Reconciler{d}, nil
}

// Reconcile makes one pass.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	all, err := r.see(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	choices, again := decide(all, r.Clock.Now())
	var errs []error
	for _, c := range choices {
		errs = append(errs, client.IgnoreNotFound(r.act(ctx, c)))
		if c.step == reserve {
			again = minPositive(again, settle)
		}
	}
	return reconcile.Result{RequeueAfter: again}, errors.Join(errs...)
}

// see reads claims, pools, nodes and the planner's view of them.
func (r *Reconciler) see(ctx context.Context) ([]seen, error) {
	var claims karpenterv1.NodeClaimList
	var pools karpenterv1.NodePoolList
	var nodes corev1.NodeList
	for _, list := range []client.ObjectList{&claims, &pools, &nodes} {
		if err := r.Client.List(ctx, list); err != nil {
			return nil, fmt.Errorf("listing %T: %w", list, err)
		}
	}
	poolNamed, nodeNamed, podsOn := map[string]*karpenterv1.NodePool{}, map[string]*corev1.Node{}, map[string]*shape.Node{}
	for i := range pools.Items {
		poolNamed[pools.Items[i].Name] = &pools.Items[i]
	}
	for i := range nodes.Items {
		nodeNamed[nodes.Items[i].Name] = &nodes.Items[i]
	}
	for _, n := range r.Nodes() {
		podsOn[n.Name] = n
	}
	out := make([]seen, 0, len(claims.Items))
	for i := range claims.Items {
		claim := &claims.Items[i]
		out = append(out, seen{
			claim: claim,
			pool:  poolNamed[claim.Labels[karpenterv1.NodePoolLabelKey]],
			node:  nodeNamed[claim.Status.NodeName],
			pods:  podsOn[claim.Status.NodeName],
		})
	}
	return out, nil
}

func (r *Reconciler) act(ctx context.Context, c choice) error {
	switch c.step {
	case reserve:
		if err := r.mark(ctx, c.claim, c.why); err != nil {
			return err
		}
		return r.taint(ctx, c.node)
	case release:
		if err := r.untaint(ctx, c.node); err != nil {
			return err
		}
		return r.unmark(ctx, c.claim)
	case remove:
		message := fmt.Sprintf("Giving up the node because %s.", c.why)
		r.Events.Emit(c.claim, observe.DisruptionTerminating, message)
		r.Events.Emit(c.node, observe.DisruptionTerminating, message)
		if err := r.Delete(ctx, c.claim, ReasonEmpty); err != nil {
			return fmt.Errorf("deleting empty NodeClaim %s: %w", c.claim.Name, err)
		}
	}
	return nil
}

func (r *Reconciler) mark(ctx context.Context, claim *karpenterv1.NodeClaim, why string) error {
	before := claim.DeepCopy()
	condition.TrueBecause(claim, r.Clock.Now(), karpenterv1.ConditionDisruptionReason, string(karpenterv1.DisruptionReasonEmpty), "The node is to go because "+why+".")
	return r.patchStatus(ctx, claim, before)
}

func (r *Reconciler) unmark(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	before := claim.DeepCopy()
	if !condition.Clear(claim, karpenterv1.ConditionDisruptionReason) {
		return nil
	}
	return r.patchStatus(ctx, claim, before)
}

func (r *Reconciler) patchStatus(ctx context.Context, claim, before *karpenterv1.NodeClaim) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, claim, patch); err != nil {
		return fmt.Errorf("writing DisruptionReason of NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

func (r *Reconciler) taint(ctx context.Context, node *corev1.Node) error {
	before := node.DeepCopy()
	node.Spec.Taints = append(node.Spec.Taints, karpenterv1.DisruptedTaint())
	return r.patchNode(ctx, node, before)
}

func (r *Reconciler) untaint(ctx context.Context, node *corev1.Node) error {
	before := node.DeepCopy()
	disrupted := karpenterv1.DisruptedTaint()
	node.Spec.Taints = slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(t corev1.Taint) bool { return t.MatchTaint(&disrupted) })
	return r.patchNode(ctx, node, before)
}

func (r *Reconciler) patchNode(ctx context.Context, node, before *corev1.Node) error {
	// Taints are one list: without the lock somebody else's new taint would be lost.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, node, patch); err != nil {
		return fmt.Errorf("writing taints of node %s: %w", node.Name, err)
	}
	return nil
}

// Register has the manager call the Reconciler when a claim or a pool changes; what happens on nodes shows in their claims.
func (r *Reconciler) Register(m manager.Manager) error {
	everything := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "cluster"}}}
	})
	return builder.ControllerManagedBy(m).Named("disruption").
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Watches(&karpenterv1.NodeClaim{}, everything).
		Watches(&karpenterv1.NodePool{}, everything).
		Complete(r)
}

// minPositive is the shorter of two waits, where 0 means none.
func minPositive(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
