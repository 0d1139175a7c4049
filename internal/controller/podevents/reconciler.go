package podevents

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// granularity is how far apart two notes on one claim are at least: a node that gets a hundred pods
// in a second is written to once. Karpenter's figure.
const granularity = 10 * time.Second

// workers is how many claims are written at once.
const workers = 10

// Reconciler notes pod events on claims. A request's name is that of a node.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock

	mu   sync.Mutex           // guards last
	last map[string]time.Time // when something last happened on a node and is not noted yet
}

// Reconcile notes what happened on a node, at the time when it happened.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	happened, ok := r.happened(req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	claim, err := lookup.ClaimOfNode(ctx, r.Client, req.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if claim == nil || !claim.DeletionTimestamp.IsZero() {
		r.noted(req.Name, happened)
		return reconcile.Result{}, nil
	}
	if last := claim.Status.LastPodEventTime; last != nil {
		if wait := granularity - r.Clock.Since(last.Time); wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
	}
	before := claim.DeepCopy()
	claim.Status.LastPodEventTime = &metav1.Time{Time: happened}
	if err := r.Client.Status().Patch(ctx, claim, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("noting a pod event on NodeClaim %s: %w", claim.Name, err)
	}
	r.noted(req.Name, happened)
	return reconcile.Result{}, nil
}

// happen remembers that something happens on a node now.
func (r *Reconciler) happen(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	r.last[node] = r.Clock.Now()
}

func (r *Reconciler) happened(node string) (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok = r.last[node]
	return at, ok
}

// noted forgets what happened, unless something has happened since.
func (r *Reconciler) noted(node string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last[node].Equal(at) {
		delete(r.last, node)
	}
}

// Register has the manager call the Reconciler when a pod is bound, finishes, begins to be deleted or is gone.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.podevents").WithOptions(calm.Options(workers)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.nodeOf), builder.WithPredicates(counts())).
		Complete(calm.Conflicts(r))
}

func (r *Reconciler) nodeOf(_ context.Context, o client.Object) []reconcile.Request {
	pod, ok := o.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	r.happen(pod.Spec.NodeName)
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: pod.Spec.NodeName}}}
}

// counts lets through what moves the note. Pods that exist when the daemon starts are no events, and pods of
// DaemonSets come and go with the node.
func counts() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(e event.DeleteEvent) bool { return !translate.OfDaemonSet(e.Object) },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*corev1.Pod)
			after, also := e.ObjectNew.(*corev1.Pod)
			if !ok || !also || translate.OfDaemonSet(after) {
				return false
			}
			bound := before.Spec.NodeName == "" && after.Spec.NodeName != ""
			finished := !translate.Finished(before) && translate.Finished(after)
			leaving := before.DeletionTimestamp.IsZero() && !after.DeletionTimestamp.IsZero()
			return bound || finished || leaving
		},
	}
}
