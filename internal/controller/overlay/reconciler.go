package overlay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// lookAgain is how soon overlays are checked against what clouds sell by then. Karpenter takes six hours; the answer
// of a cloud is cached, so it costs nothing to ask.
const lookAgain = time.Minute

// seller is the part of a cloud that says what can be bought.
type seller interface {
	InstanceTypes(ctx context.Context, ref karpenterv1.NodeClassReference) ([]*shape.InstanceType, error)
}

// Deps are what a Reconciler needs; all are required but Rules.
type Deps struct {
	Client client.Client
	Cloud  seller
	Clock  clock.PassiveClock
	Store  *market.Overlays

	// Changed is called when other overlays hold than before: prices and sizes differ from then on.
	Changed func()

	// Rules are the cloud's own labels, beside Kubernetes' and Karpenter's.
	Rules []karpenterv1.LabelRules
}

// Reconciler checks overlays. It has one request only: all of them.
type Reconciler struct {
	Deps
	last string // what held after the last pass; of the one worker that there is
}

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Cloud == nil || d.Clock == nil || d.Store == nil || d.Changed == nil {
		return nil, errors.New("overlay controller: a dependency is missing")
	}
	return &Reconciler{Deps: d}, nil
}

// Reconcile checks all overlays against all pools.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	// See.
	var list karpenterv1alpha1.NodeOverlayList
	if err := r.Client.List(ctx, &list); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing NodeOverlays: %w", err)
	}
	stocks, err := r.stocks(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}

	// Decide.
	hold, problems := evaluate(list.Items, stocks, r.Rules)

	// Act.
	if now := fingerprint(hold, list.Items); now != r.last {
		r.Store.Set(hold)
		r.last = now
		r.Changed()
	}
	errs := make([]error, 0, len(list.Items))
	for i := range list.Items {
		errs = append(errs, r.say(ctx, &list.Items[i], problems[list.Items[i].Name]))
	}
	return reconcile.Result{RequeueAfter: lookAgain}, errors.Join(errs...)
}

// stocks asks what is sold to each pool. A pool whose class is not ready sells nothing for now, so nothing can conflict
// there.
func (r *Reconciler) stocks(ctx context.Context) ([]translate.Stock, error) {
	var pools karpenterv1.NodePoolList
	if err := r.Client.List(ctx, &pools); err != nil {
		return nil, fmt.Errorf("listing NodePools: %w", err)
	}
	alive := map[string]bool{}
	var out []translate.Stock
	for i := range pools.Items {
		pool := &pools.Items[i]
		alive[pool.Name] = true
		ref := pool.Spec.Template.Spec.NodeClassRef
		if ref == nil {
			continue
		}
		sold, err := r.Cloud.InstanceTypes(ctx, *ref)
		if err != nil {
			continue // the pool's own condition says why
		}
		out = append(out, translate.Stock{Pool: pool, Types: sold})
	}
	r.Store.Forget(alive)
	slices.SortFunc(out, func(a, b translate.Stock) int { return strings.Compare(a.Pool.Name, b.Pool.Name) })
	return out, nil
}

// problem is why an overlay does not hold.
type problem struct{ reason, message string }

// evaluate says which overlays hold, and of the others why not.
func evaluate(
	list []karpenterv1alpha1.NodeOverlay,
	stocks []translate.Stock,
	rules []karpenterv1.LabelRules,
) (hold []translate.Overlay, problems map[string]problem) {
	problems = map[string]problem{}
	var good []translate.Overlay
	for i := range list {
		if !list[i].DeletionTimestamp.IsZero() {
			continue
		}
		o, err := translate.ReadOverlay(&list[i], rules...)
		if err != nil {
			problems[list[i].Name] = problem{karpenterv1alpha1.ReasonRuntimeValidation, err.Error()}
			continue
		}
		good = append(good, o)
	}
	hold, conflicts := translate.Settle(good, stocks)
	for _, c := range conflicts {
		problems[c.Overlay] = problem{karpenterv1alpha1.ReasonConflict, c.Error()}
	}
	return hold, problems
}

// fingerprint changes when other overlays hold, or one of them changed.
func fingerprint(hold []translate.Overlay, list []karpenterv1alpha1.NodeOverlay) string {
	versions := map[string]string{}
	for i := range list {
		versions[list[i].Name] = fmt.Sprintf("%s@%d", list[i].UID, list[i].Generation)
	}
	text := "evaluated"
	for _, o := range hold {
		text += " " + o.Name + "=" + versions[o.Name]
	}
	return text
}

// say writes an overlay's conditions.
func (r *Reconciler) say(ctx context.Context, o *karpenterv1alpha1.NodeOverlay, p problem) error {
	before := o.DeepCopy()
	if p.reason == "" {
		condition.True(o, r.Clock.Now(), karpenterv1alpha1.ConditionValidationSucceeded)
	} else {
		condition.False(o, r.Clock.Now(), karpenterv1alpha1.ConditionValidationSucceeded, p.reason, p.message)
	}
	condition.RollUpReady(o, r.Clock.Now())
	if equality.Semantic.DeepEqual(before.Status, o.Status) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, o, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing status of NodeOverlay %s: %w", o.Name, err)
	}
	return nil
}

// Register has the manager call the Reconciler when an overlay, a pool or a node class changes.
func (r *Reconciler) Register(m manager.Manager, classes ...client.Object) error {
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "all"}}}
	})
	changed := builder.WithPredicates(
		predicate.GenerationChangedPredicate{},
	) // status is ours to write, or no concern
	b := builder.ControllerManagedBy(m).Named("nodeoverlay.controller").
		WithOptions(calm.Options(1)).
		Watches(&karpenterv1alpha1.NodeOverlay{}, all, changed).
		Watches(&karpenterv1.NodePool{}, all, changed)
	for _, class := range classes {
		b = b.Watches(class, all) // a class that becomes ready sells
	}
	return b.Complete(calm.Conflicts(r))
}
