package reboot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client  client.Client
	Clock   clock.PassiveClock
	Events  *observe.Recorder
	Metrics *observe.Metrics
	Cloud   provider.Rebooter

	// Drain asks the pods of a node to go, through the Eviction API, and reports whether none is left to wait for.
	Drain func(ctx context.Context, node *corev1.Node, claim *karpenterv1.NodeClaim) (done bool, err error)
}

// Reconciler reboots nodes.
type Reconciler struct{ Deps }

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Clock == nil || d.Events == nil || d.Metrics == nil || d.Cloud == nil || d.Drain == nil {
		return nil, errors.New("reboot controller: a dependency is missing")
	}
	return &Reconciler{d}, nil
}

// workers is how many nodes are rebooted at once: most of the time each of them waits. Karpenter's figure.
const workers = 10

// soon is when to look again after a write: the cache shows it by then.
const soon = time.Second

// Reconcile takes one claim one step further.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	// See.
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if condition.Get(claim, karpenterv1.ConditionRebooting) == nil {
		return reconcile.Result{}, nil
	}
	node, err := r.nodeOf(ctx, claim)
	if err != nil {
		return reconcile.Result{}, err
	}

	// Decide.
	s := sight{claim: claim, node: node, now: r.Clock.Now()}
	todo := next(s)

	// Act.
	if todo.kind == drain {
		if s.drained, err = r.Drain(ctx, node, claim); err != nil {
			return reconcile.Result{}, err
		}
		if again := next(s); again.kind == drain {
			return reconcile.Result{RequeueAfter: again.again}, nil
		}
		todo = step{kind: note}
	}
	return r.take(ctx, s, todo)
}

func (r *Reconciler) nodeOf(ctx context.Context, claim *karpenterv1.NodeClaim) (*corev1.Node, error) {
	nodes, err := lookup.Nodes(ctx, r.Client, claim.Status.ProviderID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == claim.Status.NodeName })
	if i < 0 {
		return nil, nil // a Node that is gone is a case of its own
	}
	return &nodes[i], nil
}

func (r *Reconciler) take(ctx context.Context, s sight, todo step) (reconcile.Result, error) {
	again := reconcile.Result{RequeueAfter: soon}
	switch todo.kind {
	case tidy:
		return reconcile.Result{}, r.annotate(
			ctx,
			s.claim,
			func(map[string]string) { nodehealth.ForgetReboot(s.claim) },
		)
	case fence:
		return again, r.fence(ctx, s.node)
	case note:
		return again, r.annotate(ctx, s.claim, func(a map[string]string) {
			a[karpenterv1.RebootPreBootIDAnnotationKey] = bootID(s.node)
			a[nodehealth.AnnotationRebootAsked] = s.now.UTC().Format(time.RFC3339)
		})
	case issue:
		return r.issue(ctx, s, todo)
	case issued:
		return again, r.agreed(ctx, s)
	case sink:
		return again, r.relabel(
			ctx,
			s.node,
			func(n *corev1.Node) { delete(n.Labels, karpenterv1.NodeInitializedLabelKey) },
		)
	case reopen:
		r.Events.Emit(s.claim, observe.RebootObserved, "The node has booted anew; it is waited for until it is ready.")
		return again, r.unfence(ctx, s.node)
	case succeed:
		return again, r.succeed(ctx, s)
	case fail:
		return again, r.fail(ctx, s, todo)
	}
	return reconcile.Result{RequeueAfter: todo.again}, nil
}

// issue asks the cloud, and writes down that it has agreed.
func (r *Reconciler) issue(ctx context.Context, s sight, todo step) (reconcile.Result, error) {
	err := r.Cloud.Reboot(ctx, s.claim.Status.ProviderID, operation(s.claim))
	switch {
	case err == nil:
		return reconcile.Result{RequeueAfter: soon}, r.agreed(ctx, s)
	case errors.Is(err, provider.ErrRebootRefused), errors.Is(err, provider.ErrNotFound):
		return reconcile.Result{RequeueAfter: soon}, r.fail(ctx, s, step{
			kind: fail, result: providerError, message: "the cloud refuses to reboot the machine: " + err.Error(),
		})
	}
	logf.FromContext(ctx).Error(err, "rebooting a node", observe.LogNodeClaim, s.claim.Name)
	return reconcile.Result{RequeueAfter: todo.again}, nil
}

// agreed writes down that the cloud reboots the machine: on the claim's annotations first, so that it is not asked
// again.
func (r *Reconciler) agreed(ctx context.Context, s sight) error {
	claim := s.claim
	if _, has := claim.Annotations[nodehealth.AnnotationRebootIssued]; !has {
		err := r.annotate(ctx, claim, func(a map[string]string) {
			a[nodehealth.AnnotationRebootIssued] = s.now.UTC().Format(time.RFC3339)
			a[nodehealth.AnnotationReboots] = nodehealth.WithReboot(claim, s.now)
		})
		if err != nil {
			return err
		}
	}
	return r.status(ctx, claim, func() {
		was := condition.Get(claim, karpenterv1.ConditionRebooting).Message
		condition.TrueBecause(claim, s.now, karpenterv1.ConditionRebooting, karpenterv1.ReasonRebootIssued, was)
		condition.Unknown(
			claim,
			s.now,
			karpenterv1.ConditionInitialized,
			karpenterv1.ReasonRebooting,
			"node is rebooting",
		)
	})
}

func (r *Reconciler) succeed(ctx context.Context, s sight) error {
	requested := condition.Get(s.claim, karpenterv1.ConditionRebooting).LastTransitionTime.Time
	at := timeOf(s.claim, nodehealth.AnnotationRebootIssued, requested)
	err := r.status(ctx, s.claim, func() {
		condition.False(
			s.claim,
			s.now,
			karpenterv1.ConditionRebooting,
			karpenterv1.ReasonRebootSucceeded,
			"node rebooted and rejoined the cluster",
		)
		condition.Clear(s.claim, karpenterv1.ConditionDisruptionReason)
	})
	if err != nil {
		return err
	}
	r.over(ctx, s, requested, succeeded)
	r.Metrics.Nodes.RebootRecovery.WithLabelValues().Observe(s.now.Sub(at).Seconds())
	return nil
}

// fail ends a reboot that did not mend the node. The claim stays marked, and the node is replaced; only of a request
// that cannot be read nothing is left, since nothing is known of how the node may go.
func (r *Reconciler) fail(ctx context.Context, s sight, todo step) error {
	if s.node != nil {
		if err := r.unfence(ctx, s.node); err != nil {
			return err
		}
	}
	requested := condition.Get(s.claim, karpenterv1.ConditionRebooting).LastTransitionTime.Time
	err := r.status(ctx, s.claim, func() {
		condition.False(s.claim, s.now, karpenterv1.ConditionRebooting, karpenterv1.ReasonRebootFailed, todo.message)
		if todo.result == invalidRequest {
			condition.Clear(s.claim, karpenterv1.ConditionDisruptionReason)
		}
	})
	if err != nil {
		return err
	}
	r.Events.Emitf(s.claim, observe.RebootFailed, "The reboot did not mend the node: %s.", todo.message)
	r.over(ctx, s, requested, todo.result)
	if todo.result != invalidRequest {
		logf.FromContext(ctx).
			Info("reboot failed, replacing node", observe.LogNodeClaim, s.claim.Name, "result", todo.result)
	}
	return nil
}

func (r *Reconciler) over(ctx context.Context, s sight, requested time.Time, result string) {
	logf.FromContext(ctx).
		Info("reboot reached terminal outcome", observe.LogNodeClaim, s.claim.Name, observe.LogReason, result)
	r.Metrics.Nodes.Reboots.WithLabelValues(result).Inc()
	r.Metrics.Nodes.RebootDuration.WithLabelValues(result).Observe(s.now.Sub(requested).Seconds())
}

// fence keeps new pods and load balancers off a node.
func (r *Reconciler) fence(ctx context.Context, node *corev1.Node) error {
	return r.relabel(ctx, node, func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, karpenterv1.RebootingTaint())
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		if _, theirs := n.Labels[corev1.LabelNodeExcludeBalancers]; !theirs {
			n.Labels[corev1.LabelNodeExcludeBalancers] = karpenterv1.ExcludeBalancersValue
		}
	})
}

// unfence takes back what fence did.
func (r *Reconciler) unfence(ctx context.Context, node *corev1.Node) error {
	return r.relabel(ctx, node, func(n *corev1.Node) {
		n.Spec.Taints = slices.DeleteFunc(
			n.Spec.Taints,
			func(t corev1.Taint) bool { return t.Key == karpenterv1.RebootingTaintKey },
		)
		if n.Labels[corev1.LabelNodeExcludeBalancers] == karpenterv1.ExcludeBalancersValue {
			delete(n.Labels, corev1.LabelNodeExcludeBalancers)
		}
	})
}

func (r *Reconciler) relabel(ctx context.Context, node *corev1.Node, change func(*corev1.Node)) error {
	before := node.DeepCopy()
	change(node)
	// Taints are one list: without the lock somebody else's new taint would be lost.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, node, patch); err != nil {
		return fmt.Errorf("writing node %s, which is rebooted: %w", node.Name, err)
	}
	return nil
}

// annotate changes a claim's annotations; a change that changes nothing is not written.
func (r *Reconciler) annotate(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	change func(map[string]string),
) error {
	before := claim.DeepCopy()
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	change(claim.Annotations)
	if len(claim.Annotations) == len(before.Annotations) && condition.IsFalse(claim, karpenterv1.ConditionRebooting) {
		return nil // there was nothing to tidy up
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, claim, patch); err != nil {
		return fmt.Errorf("writing how far the reboot of NodeClaim %s has come: %w", claim.Name, err)
	}
	return nil
}

func (r *Reconciler) status(ctx context.Context, claim *karpenterv1.NodeClaim, change func()) error {
	before := claim.DeepCopy()
	change()
	condition.RollUpReady(claim, r.Clock.Now())
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, claim, patch); err != nil {
		return fmt.Errorf("writing Rebooting of NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

// Register has the manager call the Reconciler for claims and for nodes of claims.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.reboot").WithOptions(calm.Options(workers)).
		For(&karpenterv1.NodeClaim{}).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.ofNode)).
		Complete(calm.Conflicts(r))
}

func (r *Reconciler) ofNode(ctx context.Context, o client.Object) []reconcile.Request {
	node, ok := o.(*corev1.Node)
	if !ok {
		return nil
	}
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if err != nil || claim == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(claim)}}
}
