package nodeclass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// resolver is the part of a cloud that this controller needs.
type resolver interface {
	ResolveClass(ctx context.Context, ref karpenterv1.NodeClassReference) (again time.Duration, err error)
}

// Reconciler resolves the NodeClasses of one kind.
type Reconciler struct {
	cloud  resolver
	kind   schema.GroupKind
	reader client.Reader
	events *observe.Recorder
	empty  client.Object // of the kind
}

// Reconcile has the cloud resolve one class.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ref := karpenterv1.NodeClassReference{Group: r.kind.Group, Kind: r.kind.Kind, Name: req.Name}
	again, err := r.cloud.ResolveClass(ctx, ref)
	switch {
	case errors.Is(err, provider.ErrClassNotFound):
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("resolving %s %s: %w", r.kind.Kind, req.Name, err)
	}
	return reconcile.Result{RequeueAfter: again}, r.tellWaiting(ctx, req)
}

// tellWaiting says of a class that is being deleted that claims still use it.
func (r *Reconciler) tellWaiting(ctx context.Context, req reconcile.Request) error {
	class, ok := r.empty.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object of the API", r.empty)
	}
	if err := r.reader.Get(ctx, req.NamespacedName, class); err != nil {
		return client.IgnoreNotFound(err)
	}
	if class.GetDeletionTimestamp().IsZero() {
		return nil
	}
	claims := &karpenterv1.NodeClaimList{}
	if err := r.reader.List(ctx, claims); err != nil {
		return fmt.Errorf("listing the NodeClaims of %s %s: %w", r.kind.Kind, req.Name, err)
	}
	var names []string
	for i := range claims.Items {
		if slices.Contains(r.used(ctx, &claims.Items[i]), req) {
			names = append(names, claims.Items[i].Name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		r.events.Emit(class, observe.WaitingOnNodeClaims, "Waiting for NodeClaims to terminate: "+truncated(names))
	}
	return nil
}

// namesTold is how many names an event tells.
const namesTold = 5

func truncated(names []string) string {
	if more := len(names) - namesTold; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namesTold], ", "), more)
	}
	return strings.Join(names, ", ")
}

// atOnce is how many classes of a kind are resolved at once: one that a service of the cloud keeps waiting must not
// hold up the others.
const atOnce = 10

// Register has the manager resolve every class of each kind that classes holds an empty object of: when its spec
// changes, and when a claim that uses it comes or goes, since a class that is being deleted waits for them.
func Register(m manager.Manager, cloud resolver, events *observe.Recorder, classes ...client.Object) error {
	for _, class := range classes {
		gvk, err := m.GetClient().GroupVersionKindFor(class)
		if err != nil {
			return fmt.Errorf("finding the kind of node class %T: %w", class, err)
		}
		r := &Reconciler{cloud: cloud, kind: gvk.GroupKind(), reader: m.GetClient(), events: events, empty: class}
		err = builder.ControllerManagedBy(m).Named("nodeclass."+gvk.Kind).
			For(
				class,
				builder.WithPredicates(
					predicate.Or(
						predicate.GenerationChangedPredicate{},
						predicate.AnnotationChangedPredicate{},
						deletion(),
					),
				),
			).
			Watches(
				&karpenterv1.NodeClaim{},
				handler.EnqueueRequestsFromMapFunc(r.used),
				builder.WithPredicates(comingOrGoing()),
			).
			WithOptions(calm.Options(atOnce)).
			Complete(calm.Conflicts(r))
		if err != nil {
			return fmt.Errorf("registering the controller of %s: %w", gvk.Kind, err)
		}
	}
	return nil
}

// used names the class that a claim refers to.
func (r *Reconciler) used(_ context.Context, o client.Object) []reconcile.Request {
	claim, ok := o.(*karpenterv1.NodeClaim)
	if !ok || claim.Spec.NodeClassRef == nil || claim.Spec.NodeClassRef.GroupKind() != r.kind {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: claim.Spec.NodeClassRef.Name}}}
}

// deletion lets through the update that begins a deletion.
func deletion() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

func comingOrGoing() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}
