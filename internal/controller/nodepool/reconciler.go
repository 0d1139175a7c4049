package nodepool

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// Deps are what a Reconciler needs; all are required but Rules and Events.
type Deps struct {
	Client  client.Client
	Cloud   provider.Cloud
	Clock   clock.PassiveClock
	Metrics *observe.Metrics
	Events  *observe.Recorder

	// Rules are the cloud's own labels, beside Kubernetes' and Karpenter's.
	Rules []karpenterv1.LabelRules
}

// Reconciler keeps NodePools. One worker runs it.
type Reconciler struct {
	Deps
	answered  map[string]answer    // by pool
	published map[string]published // by pool
	written   map[string]time.Time // by pool: when its status was written last
}

// published is what a pool's gauges show.
type published struct{ usage, limits corev1.ResourceList }

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Cloud == nil || d.Clock == nil || d.Metrics == nil {
		return nil, errors.New("nodepool controller: a dependency is missing")
	}
	return &Reconciler{Deps: d, answered: map[string]answer{}, published: map[string]published{},
		written: map[string]time.Time{}}, nil
}

// Reconcile brings one NodePool's annotations and status up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, req.NamespacedName, pool); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req.Name)
			delete(r.answered, req.Name)
			delete(r.written, req.Name)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var pools karpenterv1.NodePoolList
	if err := r.Client.List(ctx, &pools); err != nil {
		return reconcile.Result{}, fmt.Errorf("looking for holds of NodePool %s: %w", pool.Name, err)
	}
	claims, nodes, err := r.fleet(ctx, pool.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.sign(ctx, pool, claims); err != nil {
		return reconcile.Result{}, err
	}

	class, missing := r.Cloud.Class(ctx, *pool.Spec.Template.Spec.NodeClassRef)
	if missing != nil && !errors.Is(missing, provider.ErrClassNotFound) {
		return reconcile.Result{}, fmt.Errorf("reading the class of NodePool %s: %w", pool.Name, missing)
	}
	if err := r.renewAll(
		ctx,
		ofClass(claims, pool.Spec.Template.Spec.NodeClassRef),
		stamp{class.Stamp, class.StampVersion},
	); err != nil {
		return reconcile.Result{}, err
	}
	before := pool.DeepCopy()
	judge(
		pool,
		verdict{class: class, classMissing: missing != nil, kinds: r.Cloud.ClassKinds(), rules: r.Rules},
		r.Clock.Now(),
	)
	count(pool, claims, nodes)
	rollout(pool, claims, asked{class, r.Cloud.LabelRules().Aliases}, r.Clock.Now())
	switchedOff(pool, r.Clock.Now())
	again := reconcile.Result{RequeueAfter: r.holds(pool, pools.Items)}
	r.publish(pool)
	r.warnIfNothingSuits(ctx, pool)
	if equality.Semantic.DeepEqual(before.Status, pool.Status) {
		return again, nil
	}
	if wait := r.counting(before, pool); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	r.written[pool.Name] = r.Clock.Now()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, pool, patch); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("writing status of NodePool %s: %w", pool.Name, err)
	}
	return again, nil
}

// countsEvery is how far apart two writes of a pool's status are at least that say no more than how much the pool has:
// while nodes come by the dozen that changes with each step of each of them.
const countsEvery = time.Second

// counting is how long a status is still kept back; 0 if more of it has changed than what is counted.
func (r *Reconciler) counting(before, pool *karpenterv1.NodePool) time.Duration {
	now := pool.Status.DeepCopy()
	now.Resources, now.Nodes = before.Status.Resources, before.Status.Nodes
	if !equality.Semantic.DeepEqual(before.Status, *now) {
		return 0
	}
	return r.written[pool.Name].Add(countsEvery).Sub(r.Clock.Now())
}

// fleet lists a pool's claims and nodes.
func (r *Reconciler) fleet(ctx context.Context, pool string) ([]karpenterv1.NodeClaim, []corev1.Node, error) {
	var claims karpenterv1.NodeClaimList
	var nodes corev1.NodeList
	ours := client.MatchingLabels{karpenterv1.NodePoolLabelKey: pool}
	if err := r.Client.List(ctx, &claims, ours); err != nil {
		return nil, nil, fmt.Errorf("listing claims of NodePool %s: %w", pool, err)
	}
	if err := r.Client.List(ctx, &nodes, ours); err != nil {
		return nil, nil, fmt.Errorf("listing nodes of NodePool %s: %w", pool, err)
	}
	return claims.Items, nodes.Items, nil
}
