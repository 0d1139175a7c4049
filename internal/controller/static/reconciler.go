package static

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// reasonOpened is why claims are created here, as metrics name it: like those for pods.
const reasonOpened = "provisioned"

const (
	// lookAgain is how soon a pool is looked at again that lacks nodes, or whose budget or limit holds something back.
	lookAgain = 10 * time.Second
	// settleFor is how long the cache may take to show claims that were made or deleted.
	settleFor = time.Second
)

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client client.Client
	Clock  clock.PassiveClock

	// Nodes is the planner's view of all nodes, claims that were just made included.
	Nodes func() []*shape.Node
	// Types is what the cloud sells to a pool, with overlays applied.
	Types func(ctx context.Context, pool *karpenterv1.NodePool) ([]*shape.InstanceType, error)
	// Open creates claims within the pools' limits.
	Open func(ctx context.Context, nodes []engine.NewNode, reason string) (map[string]*karpenterv1.NodeClaim, error)
	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler keeps the number of nodes of static pools.
type Reconciler struct{ Deps }

// Reconcile takes one step for one pool.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	// See.
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, req.NamespacedName, pool); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if pool.Spec.Replicas == nil || !pool.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	s, err := r.see(ctx, pool)
	if err != nil {
		return reconcile.Result{}, err
	}

	// Decide.
	todo := next(s)

	// Act.
	return r.take(ctx, pool, s, todo)
}

func (r *Reconciler) see(ctx context.Context, pool *karpenterv1.NodePool) (sight, error) {
	var list karpenterv1.NodeClaimList
	var nodes corev1.NodeList
	for _, l := range []client.ObjectList{&list, &nodes} {
		if err := r.Client.List(ctx, l, client.MatchingLabels{karpenterv1.NodePoolLabelKey: pool.Name}); err != nil {
			return sight{}, fmt.Errorf("listing %T of NodePool %s: %w", l, pool.Name, err)
		}
	}
	failing := map[string]bool{}
	for i := range nodes.Items {
		failing[nodes.Items[i].Name] = !condition.NodeReady(&nodes.Items[i])
	}
	s := sight{replicas: int(*pool.Spec.Replicas), limit: -1}
	if q, ok := pool.Spec.Limits[corev1.ResourceName(shape.LimitNodes)]; ok {
		s.limit = int(q.Value())
	}
	views := map[string]*shape.Node{}
	for _, n := range r.Nodes() {
		if n.Pool == pool.Name && n.Stage != shape.Leaving {
			views[n.Claim] = n
		}
	}
	s.known = len(views)
	going := 0
	for i := range list.Items {
		claim := &list.Items[i]
		if !claim.DeletionTimestamp.IsZero() {
			s.leaving++
			going++
			if views[claim.Name] != nil {
				s.known-- // the planner is late
			}
			continue
		}
		m := member{claim, views[claim.Name]}
		if isMarked(claim) || initialized(m) && failing[claim.Status.NodeName] {
			going++
		}
		s.members = append(s.members, m)
	}
	allowed, err := pool.AllowedDisruptions(r.Clock.Now(), len(s.members)+s.leaving, karpenterv1.DisruptionReasonDrifted)
	if err != nil {
		allowed = 0 // a budget that cannot be read protects; nodepool says so
	}
	s.budget = allowed - going
	return s, nil
}

func (r *Reconciler) take(ctx context.Context, pool *karpenterv1.NodePool, s sight, todo step) (reconcile.Result, error) {
	var errs []error
	for _, claim := range todo.remove {
		errs = append(errs, r.Delete(ctx, claim, todo.reason))
	}
	for _, claim := range todo.mark {
		errs = append(errs, r.mark(ctx, claim))
	}
	for _, claim := range todo.unmark {
		errs = append(errs, r.unmark(ctx, claim))
	}
	if todo.open > 0 {
		errs = append(errs, r.open(ctx, pool, todo.open))
	}
	if err := errors.Join(errs...); err != nil {
		return reconcile.Result{}, fmt.Errorf("keeping %d nodes in NodePool %s: %w", s.replicas, pool.Name, err)
	}
	switch {
	case todo.open > 0 || len(todo.remove) > 0 || len(todo.mark) > 0 || len(todo.unmark) > 0:
		return reconcile.Result{RequeueAfter: settleFor}, nil
	default:
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
}

// open creates claims straight from the template.
func (r *Reconciler) open(ctx context.Context, pool *karpenterv1.NodePool, n int) error {
	if !condition.IsTrue(pool, condition.Ready) {
		return nil // its own condition says why
	}
	template, err := translate.Pool(pool)
	if err != nil {
		return err
	}
	types, err := r.Types(ctx, pool)
	if err != nil {
		return fmt.Errorf("listing instance types: %w", err)
	}
	var options []engine.Option
	for _, c := range provider.Candidates(types, template.Requirements, shape.Vector{}) {
		options = append(options, engine.Option{
			Type: c.Type.Name, Zone: c.Offering.Zone, CapacityType: c.Offering.CapacityType, Reservation: c.Offering.Reservation, Price: c.Offering.Price,
		})
	}
	if len(options) == 0 {
		return errors.New("no instance type satisfies its requirements")
	}
	nodes := make([]engine.NewNode, n)
	for i := range nodes {
		nodes[i] = engine.NewNode{ID: "s" + strconv.Itoa(i), Pool: pool.Name, Requirements: template.Requirements, Options: options, Price: options[0].Price}
	}
	_, err = r.Open(ctx, nodes, reasonOpened)
	return err
}

// mark chooses a drifted claim to be replaced.
func (r *Reconciler) mark(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	before := claim.DeepCopy()
	condition.TrueBecause(claim, r.Clock.Now(), karpenterv1.ConditionDisruptionReason, string(karpenterv1.DisruptionReasonDrifted), "The node is to go because it has drifted.")
	return r.write(ctx, claim, before)
}

func (r *Reconciler) unmark(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	before := claim.DeepCopy()
	condition.Clear(claim, karpenterv1.ConditionDisruptionReason)
	return r.write(ctx, claim, before)
}

func (r *Reconciler) write(ctx context.Context, claim, before *karpenterv1.NodeClaim) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, claim, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing DisruptionReason of NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

// Register has the manager call the Reconciler for pools, and when their claims change.
func (r *Reconciler) Register(m manager.Manager) error {
	ofClaim := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		pool := o.GetLabels()[karpenterv1.NodePoolLabelKey]
		if pool == "" {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: pool}}}
	})
	return builder.ControllerManagedBy(m).Named("static.provisioning").WithOptions(calm.Options(1)).
		For(&karpenterv1.NodePool{}).
		Watches(&karpenterv1.NodeClaim{}, ofClaim).
		Complete(calm.Conflicts(r))
}
