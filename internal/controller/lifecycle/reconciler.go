package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// cloud is the part of a provider.Cloud that this controller needs.
type cloud interface {
	ClassKinds() []schema.GroupKind
	Launch(ctx context.Context, order provider.Order) (provider.Machine, error)
	Terminate(ctx context.Context, providerID string) error
}

// Deps is what a Reconciler needs. All but Aliases, Hold, Devices, Outcome and Planned are required.
type Deps struct {
	Client client.Client
	// Live reads what the API server has now, not what a cache remembers.
	Live    client.Reader
	Cloud   cloud
	Market  *market.Market
	Clock   clock.PassiveClock
	Events  *observe.Recorder
	Metrics *observe.Metrics
	Limits  Limits

	// Aliases are the cloud's other names of well-known labels.
	Aliases karpenterv1.LabelAliases

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error

	// Hold is asked before a claim's node loses the taint that keeps all pods off it, and says whether it is to be kept
	// for the pods that are planned onto it, by another taint. Whoever says so takes that one off.
	Hold func(claim string) bool

	// Devices are the cluster's dynamic resources; nil, or a nil World, if claims for them are not planned.
	Devices func() *devices.World

	// Outcome is called when it is decided whether a pool's node joins.
	Outcome func(pool string, joined bool)

	// Planned are the pods that were planned onto a claim; nil tells nobody of launches that failed but the claim
	// itself.
	Planned func(claim string) []*corev1.Pod
}

// Reconciler brings claims to life.
type Reconciler struct {
	Deps

	mu     sync.Mutex          // guards the fields below
	bought map[string]purchase // by claim name: launched, and maybe not written yet
	failed map[string]failure  // by claim name

	left departed
}

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Live == nil || d.Cloud == nil || d.Market == nil || d.Clock == nil || d.Events == nil ||
		d.Metrics == nil ||
		d.Delete == nil {
		return nil, errors.New("lifecycle controller: a dependency is missing")
	}
	if d.Devices == nil {
		d.Devices = func() *devices.World { return nil }
	}
	return &Reconciler{
		Deps: d, bought: map[string]purchase{}, failed: map[string]failure{},
	}, nil
}

// Reconcile takes one claim one step further.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	// See.
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.Name)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !r.ours(claim) {
		return reconcile.Result{}, nil
	}
	if !claim.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, r.recordLate(ctx, claim)
	}
	if r.left.has(claim) {
		return reconcile.Result{}, nil // the cache is behind; nothing is bought or told a second time
	}
	nodes, err := lookup.Nodes(ctx, r.Client, claim.Status.ProviderID)
	if err != nil {
		return reconcile.Result{}, err
	}

	// Decide.
	nodes = ownFirst(nodes, claim.Status.NodeName)
	todo := next(sight{claim: claim, nodes: nodes, now: r.Clock.Now(), limits: r.Limits, devices: r.Devices()})

	// Act.
	result, err := r.take(ctx, claim, nodes, todo)
	return result, client.IgnoreNotFound(err)
}

// ours are claims whose class is of this cloud.
func (r *Reconciler) ours(claim *karpenterv1.NodeClaim) bool {
	return claim.Spec.NodeClassRef != nil &&
		slices.Contains(r.Cloud.ClassKinds(), claim.Spec.NodeClassRef.GroupKind())
}

func (r *Reconciler) take(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	nodes []corev1.Node,
	todo step,
) (reconcile.Result, error) {
	if err := r.hold(ctx, claim); err != nil {
		return reconcile.Result{}, err
	}
	again := reconcile.Result{RequeueAfter: todo.again}
	before := claim.DeepCopy()
	switch todo.kind {
	case launch:
		_, next := r.Launching(claim)
		if wait := next.Sub(r.Clock.Now()); wait > 0 {
			return reconcile.Result{RequeueAfter: sooner(wait, todo.again)}, nil
		}
		if err := r.launch(ctx, claim); err != nil {
			return reconcile.Result{}, err
		}
		return again, nil
	case miss:
		switch here, err := r.here(ctx, claim); {
		case err != nil:
			return reconcile.Result{}, err
		case here:
			return reconcile.Result{RequeueAfter: hereAgain}, nil
		}
		again.RequeueAfter = rejoinWithin
		condition.Set(claim, r.Clock.Now(), missing(claim))
	case giveUp:
		if todo.reason == ReasonNodeGone {
			if here, err := r.here(ctx, claim); here || err != nil {
				return reconcile.Result{RequeueAfter: hereAgain}, err
			}
		}
		if err := r.giveUp(ctx, claim, todo.reason); err != nil {
			return reconcile.Result{}, err
		}
		if todo.reason == ReasonRegistrationTimeout || todo.reason == ReasonLaunchTimeout {
			r.decided(claim, false)
		}
		return reconcile.Result{}, nil
	case register:
		return again, r.takeIn(ctx, before, claim, nodes[:1])
	case initialize:
		return again, makeReady(ctx, r, before, claim, &nodes[0])
	case rest:
		again.RequeueAfter = wait(claim, todo, r.Clock.Now())
	}
	return again, r.write(ctx, before, claim)
}

// takeIn makes the node the claim's and says so on the claim. What happens once is told once the claim has it: a write
// that somebody else was faster with is made again.
func (r *Reconciler) takeIn(ctx context.Context, before, claim *karpenterv1.NodeClaim, nodes []corev1.Node) error {
	if err := r.register(ctx, claim, &nodes[0]); err != nil {
		return err
	}
	claim.Status.NodeName = nodes[0].Name
	condition.True(claim, r.Clock.Now(), karpenterv1.ConditionRegistered)
	ready := foretell(sight{claim: claim, nodes: nodes, now: r.Clock.Now(), limits: r.Limits, devices: r.Devices()})
	if err := r.write(ctx, before, claim); err != nil {
		return err
	}
	if ready {
		sayInitialized(ctx, claim, &nodes[0])
	}
	if before.Status.NodeName == "" {
		r.decided(claim, true)
	}
	return nil
}

// makeReady says on the node and on the claim that the node is ready for pods, and tells of it once both have it.
func makeReady(
	ctx context.Context,
	r *Reconciler,
	before, claim *karpenterv1.NodeClaim,
	node *corev1.Node,
) error {
	labelled, err := markReady(ctx, r.Client, claim, node)
	if err != nil {
		return err
	}
	changed := condition.True(claim, r.Clock.Now(), karpenterv1.ConditionInitialized)
	if err := r.write(ctx, before, claim); err != nil {
		return err
	}
	if labelled || changed {
		sayInitialized(ctx, claim, node)
	}
	return nil
}

// settlesWithin is how long what a claim waits for may change without a word: a node that starts has one obstacle after
// the other, for moments.
const settlesWithin = 2 * time.Second

// wait says on a claim what it waits for, and returns when to look again.
func wait(claim *karpenterv1.NodeClaim, todo step, now time.Time) time.Duration {
	if left := settling(claim, todo.open, now); left > 0 {
		return sooner(left, todo.again)
	}
	if todo.open.Type != "" {
		condition.Set(claim, now, todo.open)
	}
	return todo.again
}

// settling is how long it is still kept back that a claim waits for something else than it said before. That it waits
// at all is always said at once.
func settling(claim *karpenterv1.NodeClaim, open metav1.Condition, now time.Time) time.Duration {
	said := condition.Get(claim, open.Type)
	if said == nil || said.Status != open.Status || said.Reason == open.Reason {
		return 0
	}
	return said.LastTransitionTime.Add(settlesWithin).Sub(now)
}

// hereAgain is how soon a claim is looked at again whose node the API server has and the cache does not show.
const hereAgain = 5 * time.Second

// here asks the API server itself whether the node of a registered claim is there.
func (r *Reconciler) here(ctx context.Context, claim *karpenterv1.NodeClaim) (bool, error) {
	node := &corev1.Node{}
	err := r.Live.Get(ctx, client.ObjectKey{Name: claim.Status.NodeName}, node)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("looking for node %s of NodeClaim %s: %w", claim.Status.NodeName, claim.Name, err)
	}
	return err == nil && node.Spec.ProviderID == claim.Status.ProviderID, nil
}

// ownFirst puts the node that a claim has registered before others with its machine's provider ID.
func ownFirst(nodes []corev1.Node, name string) []corev1.Node {
	slices.SortStableFunc(nodes, func(a, b corev1.Node) int {
		switch name {
		case a.Name:
			return -1
		case b.Name:
			return 1
		}
		return 0
	})
	return nodes
}

// sooner is the shorter of two waits, where 0 means none.
func sooner(a, b time.Duration) time.Duration {
	if b == 0 {
		return a
	}
	return min(a, b)
}

// decided passes on whether a node joined.
func (r *Reconciler) decided(claim *karpenterv1.NodeClaim, joined bool) {
	if r.Outcome != nil {
		r.Outcome(claim.Labels[karpenterv1.NodePoolLabelKey], joined)
	}
}

// hold puts the finalizer on a claim, so that nothing is bought for a claim that could
// vanish without giving its machine back.
func (r *Reconciler) hold(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	if slices.Contains(claim.Finalizers, karpenterv1.TerminationFinalizer) {
		return nil
	}
	before := claim.DeepCopy()
	claim.Finalizers = append(claim.Finalizers, karpenterv1.TerminationFinalizer)
	if err := r.Client.Patch(
		ctx,
		claim,
		client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}),
	); err != nil {
		return fmt.Errorf("adding the finalizer to NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

// write patches the status if it changed since before, with Ready rolled up.
func (r *Reconciler) write(ctx context.Context, before, claim *karpenterv1.NodeClaim) error {
	condition.RollUpReady(claim, r.Clock.Now())
	if same(before, claim) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, claim, patch); err != nil {
		return fmt.Errorf("writing status of NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

func (r *Reconciler) giveUp(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error {
	if err := r.Delete(ctx, claim, reason); err != nil {
		return fmt.Errorf("giving up NodeClaim %s (%s): %w", claim.Name, reason, err)
	}
	r.left.add(claim)
	return nil
}

// Register has the manager call the Reconciler for claims and for nodes of claims, at most so many at once.
func (r *Reconciler) Register(m manager.Manager, concurrency int) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.lifecycle").
		For(&karpenterv1.NodeClaim{}).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.claimOf)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
				retry.First,
				retry.Last,
			),
		}).
		Complete(calm.Conflicts(r))
}

func (r *Reconciler) claimOf(ctx context.Context, o client.Object) []reconcile.Request {
	node, ok := o.(*corev1.Node)
	if !ok {
		return nil
	}
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if err != nil || claim == nil {
		return nil // not a node of ours, or its claim will be reconciled once the cache has it
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(claim)}}
}
