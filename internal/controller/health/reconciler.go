package health

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/provider"
)

// classes is the part of a cloud that is needed here.
type classes interface {
	Class(ctx context.Context, ref karpenterv1.NodeClassReference) (provider.Class, error)
}

// Reconciler keeps the condition NodeRegistrationHealthy.
type Reconciler struct {
	client client.Client
	cloud  classes
	clock  clock.PassiveClock
	news   chan event.GenericEvent

	mu    sync.Mutex          // guards the field below
	pools map[string]*history // by name
}

// history is what happened to the nodes of one pool since it or its class changed.
type history struct {
	ring
	rests
	pool, class int64 // generations
}

// backlog is how many outcomes may wait to be written down; more are remembered and written with a later one.
const backlog = 1024

// New makes a Reconciler that has seen nothing.
func New(c client.Client, cloud classes, k clock.PassiveClock) *Reconciler {
	return &Reconciler{
		client: c,
		cloud:  cloud,
		clock:  k,
		news:   make(chan event.GenericEvent, backlog),
		pools:  map[string]*history{},
	}
}

// Note remembers whether a node of a pool joined. It never waits.
func (r *Reconciler) Note(pool string, joined bool) {
	if pool == "" {
		return
	}
	r.mu.Lock()
	h := r.of(pool)
	h.add(joined)
	h.rests.note(joined, h.state(), r.clock.Now())
	r.mu.Unlock()
	changed := &karpenterv1.NodePool{}
	changed.Name = pool
	select {
	case r.news <- event.GenericEvent{Object: changed}:
	default:
	}
}

// NeverJoined notes that a pool's machine ended before its node joined.
func (r *Reconciler) NeverJoined(pool string) { r.Note(pool, false) }

// of is the history of a pool. r.mu is held.
func (r *Reconciler) of(pool string) *history {
	if r.pools[pool] == nil {
		r.pools[pool] = &history{}
	}
	return r.pools[pool]
}

// Rest is until when a pool whose nodes keep failing to join is to launch nothing more; the past for none.
func (r *Reconciler) Rest(pool string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.pools[pool]; h != nil {
		return h.Until()
	}
	return time.Time{}
}

// Reconcile writes the condition of one pool.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pool := &karpenterv1.NodePool{}
	if err := r.client.Get(ctx, req.NamespacedName, pool); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.mu.Lock()
			delete(r.pools, req.Name)
			r.mu.Unlock()
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	class, err := r.cloud.Class(ctx, *pool.Spec.Template.Spec.NodeClassRef)
	if err != nil && !errors.Is(err, provider.ErrClassNotFound) {
		return reconcile.Result{}, fmt.Errorf("reading the class of NodePool %s: %w", pool.Name, err)
	}
	before := pool.DeepCopy()
	r.judge(pool, class.Generation)
	if equality.Semantic.DeepEqual(before.Status, pool.Status) {
		return reconcile.Result{}, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, pool, patch); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("writing NodeRegistrationHealthy of NodePool %s: %w", pool.Name, err)
	}
	return reconcile.Result{}, nil
}

// judge sets the condition. What was seen of an older pool or class does not count, and what an earlier daemon said of
// this one stays until something is seen.
func (r *Reconciler) judge(pool *karpenterv1.NodePool, class int64) {
	r.mu.Lock()
	h := r.of(pool.Name)
	if h.pool != 0 && (h.pool != pool.Generation || h.class != class) {
		h.outcomes, h.rests = nil, rests{}
	}
	h.pool, h.class = pool.Generation, class
	seen := h.state()
	r.mu.Unlock()

	said := condition.Get(pool, karpenterv1.ConditionNodeRegistrationHealthy)
	current := said != nil && said.ObservedGeneration == pool.Generation &&
		pool.Status.NodeClassObservedGeneration == class
	now := r.clock.Now()
	switch seen {
	case healthy:
		condition.True(pool, now, karpenterv1.ConditionNodeRegistrationHealthy)
	case failing:
		condition.False(pool, now, karpenterv1.ConditionNodeRegistrationHealthy, karpenterv1.ReasonRegistrationFailed,
			"Nodes were launched and did not join the cluster; look at the node class and at the machines' logs.")
	case unknown:
		if !current {
			condition.Unknown(
				pool,
				now,
				karpenterv1.ConditionNodeRegistrationHealthy,
				condition.ReasonAwaiting,
				"No node has been launched since the NodePool or its class changed.",
			)
		}
	}
	pool.Status.NodeClassObservedGeneration = class
}

// Register has the manager call the Reconciler for every pool, and when something is noted.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodepool.registrationhealth").WithOptions(calm.Options(1)).
		For(&karpenterv1.NodePool{}).
		WatchesRawSource(source.Channel(r.news, &handler.EnqueueRequestForObject{})).
		Complete(calm.Conflicts(r))
}
