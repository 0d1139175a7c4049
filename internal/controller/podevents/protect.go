package podevents

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// fresh is how long after its end the end of a hold is worth telling: a daemon that starts later does not repeat it.
const fresh = time.Minute

// Protector says on pods what their annotation karpenter.sh/do-not-disrupt does.
type Protector struct {
	Client client.Reader
	Clock  clock.PassiveClock
	Events *observe.Recorder
}

// Reconcile tells of one pod, and comes back when its hold ends.
func (p *Protector) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pod := &corev1.Pod{}
	if err := p.Client.Get(ctx, req.NamespacedName, pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	value, ok := pod.Annotations[karpenterv1.DoNotDisruptAnnotationKey]
	if !ok || pod.Spec.NodeName == "" || translate.Finished(pod) || !pod.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	forever, after, err := translate.DoNotDisrupt(value)
	switch {
	case err != nil:
		p.Events.Emit(pod, observe.InvalidDoNotDisruptAnnotation, fmt.Sprintf("It has no effect: %v.", err))
		return reconcile.Result{}, nil
	case forever || after == 0:
		return reconcile.Result{}, nil
	}
	end := translate.HeldSince(pod).Add(after)
	left := end.Sub(p.Clock.Now())
	switch {
	case left > 0:
		p.Events.Emitf(
			pod,
			observe.DoNotDisruptUntil,
			"The pod's node is kept until %s.",
			end.UTC().Format(time.RFC3339),
		)
		return reconcile.Result{RequeueAfter: left}, nil
	case left > -fresh:
		p.Events.Emitf(
			pod,
			observe.DoNotDisruptGracePeriodElapsed,
			"The pod has run for %s and no longer keeps its node.",
			after,
		)
	}
	return reconcile.Result{}, nil
}

// Register has the manager call the Protector for pods with the annotation.
func (p *Protector) Register(m manager.Manager) error {
	annotated := predicate.NewPredicateFuncs(func(o client.Object) bool {
		_, ok := o.GetAnnotations()[karpenterv1.DoNotDisruptAnnotationKey]
		return ok
	})
	return builder.ControllerManagedBy(m).
		Named("pod.donotdisrupt").
		WithOptions(calm.Options(1)).
		For(&corev1.Pod{}, builder.WithPredicates(annotated)).
		Complete(p)
}
