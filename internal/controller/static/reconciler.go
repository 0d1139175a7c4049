package static

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/apply"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
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

// Deps are what a Reconciler needs; all are required but Health.
type Deps struct {
	Client  client.Client
	Clock   clock.PassiveClock
	Events  *observe.Recorder
	Metrics *observe.Metrics

	// Health has sick nodes replaced; nil for nobody replaces them here.
	Health *nodehealth.Policies
	// First are the reasons for which nodes may be ended before their replacement is there, where there is no room for
	// both.
	First map[karpenterv1.DisruptionReason]bool

	// Aliases are the cloud's other names of well-known labels.
	Aliases karpenterv1.LabelAliases

	// Snapshot is the planner's view of the cluster, claims that were just made included.
	Snapshot func() shape.Snapshot
	// Types is what the cloud sells to a pool, with overlays applied.
	Types func(ctx context.Context, pool *karpenterv1.NodePool) ([]*shape.InstanceType, error)
	// Open creates claims within the pools' limits.
	Open func(ctx context.Context, nodes []engine.NewNode, reason string) (map[string]*karpenterv1.NodeClaim, error)
	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler keeps the number of nodes of static pools. One worker runs it.
type Reconciler struct {
	Deps

	// dry is since when a pool could buy nothing, by name. A restart forgets it, which costs some claims.
	dry map[string]time.Time
}

// New makes a Reconciler.
func New(d Deps) *Reconciler { return &Reconciler{Deps: d, dry: map[string]time.Time{}} }

// Reconcile takes one step for one pool.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	// See.
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, req.NamespacedName, pool); err != nil {
		delete(r.dry, req.Name)
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

// probes reports whether a pool that could buy nothing is yet to see a claim launched since.
func (r *Reconciler) probes(pool string, members []member) bool {
	since, dry := r.dry[pool]
	if !dry {
		return false
	}
	for _, m := range members {
		if c := condition.Get(m.claim, karpenterv1.ConditionLaunched); !unlaunched(m) &&
			c.LastTransitionTime.After(since) {
			delete(r.dry, pool)
			return false
		}
	}
	return true
}

func (r *Reconciler) take(
	ctx context.Context,
	pool *karpenterv1.NodePool,
	s sight,
	todo step,
) (reconcile.Result, error) {
	var errs []error
	for _, claim := range todo.remove {
		err := r.remove(ctx, pool, claim, todo)
		if errors.Is(err, apply.ErrNotAsSeen) {
			logf.FromContext(ctx).
				Info("not deleting nodeclaim", observe.LogNodeClaim, claim.Name, observe.LogReason, err.Error())
			continue // when the cache has caught up, it is decided anew which go
		}
		errs = append(errs, err)
	}
	for _, claim := range todo.mark {
		errs = append(errs, r.mark(ctx, claim, s.sick(claim)))
	}
	for _, claim := range todo.unmark {
		errs = append(errs, r.unmark(ctx, claim))
	}
	r.tell(todo)
	state := r.standing(s)
	if todo.open > 0 {
		short, err := r.open(ctx, pool, todo.open)
		if errs = append(errs, err); short.reason != "" {
			state = short
		}
	}
	errs = append(errs, r.report(ctx, pool, s, state))
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

// open creates claims straight from the template. What stands in the way of all of them is told, and is no error.
func (r *Reconciler) open(ctx context.Context, pool *karpenterv1.NodePool, n int) (obstacle, error) {
	if !condition.IsTrue(pool, condition.Ready) {
		return obstacle{
			karpenterv1.ReasonPoolNotReady,
			"The NodePool is not ready; its condition Ready says why",
		}, nil
	}
	template, err := translate.Pool(pool, r.Aliases)
	if err != nil {
		return obstacle{}, err
	}
	types, err := r.Types(ctx, pool)
	if err != nil {
		return obstacle{}, fmt.Errorf("listing instance types: %w", err)
	}
	var options []engine.Option
	for _, c := range provider.Candidates(types, template.Requirements, shape.Vector{}) {
		options = append(options, engine.Option{
			Type:         c.Type.Name,
			Zone:         c.Offering.Zone,
			CapacityType: c.Offering.CapacityType,
			Reservation:  c.Offering.Reservation,
			Price:        c.Offering.Price,
		})
	}
	if len(options) == 0 {
		if !provider.Sells(types, template.Requirements) {
			return obstacle{
				karpenterv1.ReasonNothingSuits,
				"No instance type that the cloud sells satisfies spec.template.spec.requirements; widen them",
			}, nil
		}
		if _, known := r.dry[pool.Name]; !known {
			r.dry[pool.Name] = r.Clock.Now()
		}
		return obstacle{
			karpenterv1.ReasonNoCapacity,
			"The cloud has none of what spec.template.spec.requirements allow just now; one claim tries again when " +
				"its last answer has aged",
		}, nil
	}
	options = engine.Roomy(r.Snapshot(), template, types, options)
	nodes := make([]engine.NewNode, n)
	for i := range nodes {
		nodes[i] = engine.NewNode{
			ID:           "s" + strconv.Itoa(i),
			Pool:         pool.Name,
			Requirements: template.Requirements,
			Options:      options,
			Price:        options[0].Price,
		}
	}
	if _, err = r.Open(ctx, nodes, reasonOpened); errors.Is(err, apply.ErrLimit) {
		return obstacle{karpenterv1.ReasonLimitReached, "spec.limits leave no room for more: " + err.Error()}, nil
	}
	return obstacle{}, err
}

// obstacle is why a pool has fewer nodes than it should: a reason and a sentence without its full stop. The zero
// obstacle is that nodes are on their way.
type obstacle struct{ reason, message string }

// standing is what can be said of a pool that opens nothing in this pass.
func (r *Reconciler) standing(s sight) obstacle {
	switch {
	case s.limit >= 0 && s.limit < s.replicas && len(s.members)+s.leaving >= s.limit:
		return obstacle{
			karpenterv1.ReasonLimitReached,
			fmt.Sprintf("spec.limits.nodes is %d, spec.replicas %d", s.limit, s.replicas),
		}
	case s.probing:
		return obstacle{
			karpenterv1.ReasonNoCapacity,
			"The cloud had none of what spec.template.spec.requirements allow; one claim tries whether it has again",
		}
	}
	return obstacle{}
}

// report writes whether the pool has all its nodes, and if not, why.
func (r *Reconciler) report(ctx context.Context, pool *karpenterv1.NodePool, s sight, why obstacle) error {
	before := pool.DeepCopy()
	ready := len(keep(s.members, initialized))
	changed := false
	switch {
	case ready >= s.replicas:
		changed = condition.True(pool, r.Clock.Now(), karpenterv1.ConditionReplicasReady)
	case why.reason == "":
		changed = condition.False(
			pool,
			r.Clock.Now(),
			karpenterv1.ConditionReplicasReady,
			karpenterv1.ReasonNodesStarting,
			fmt.Sprintf("%d of %d nodes are ready; others are on their way", ready, s.replicas),
		)
	default:
		changed = condition.False(
			pool,
			r.Clock.Now(),
			karpenterv1.ConditionReplicasReady,
			why.reason,
			fmt.Sprintf("%d of %d nodes are ready. %s", ready, s.replicas, why.message),
		)
	}
	if !changed {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, pool, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing %s of NodePool %s: %w", karpenterv1.ConditionReplicasReady, pool.Name, err)
	}
	return nil
}

// mark chooses a drifted or sick claim to be replaced.
func (r *Reconciler) mark(ctx context.Context, claim *karpenterv1.NodeClaim, sick bool) error {
	before := claim.DeepCopy()
	reason, why := karpenterv1.DisruptionReasonDrifted, "The node is to go because it has drifted."
	if sick {
		reason, why = karpenterv1.DisruptionReasonUnhealthy,
			"The node is to go because it has been unhealthy for too long."
	}
	condition.TrueBecause(claim, r.Clock.Now(), karpenterv1.ConditionDisruptionReason, string(reason), why)
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
