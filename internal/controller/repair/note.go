package repair

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// Noter writes on claims since when their nodes are unhealthy. All fields are required.
type Noter struct {
	Client   client.Client
	Clock    clock.PassiveClock
	Policies *nodehealth.Policies
}

// Reconcile looks at one node.
func (r *Noter) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, req.NamespacedName, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if err != nil || claim == nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, note(ctx, r.Client, node, claim, r.Policies, r.Clock.Now())
}

// Register has the manager call the Noter for every node.
func (r *Noter) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.unhealthysince").WithOptions(calm.Options(1)).
		For(&corev1.Node{}).Complete(calm.Conflicts(r))
}

// note writes down since when a claim's node is unhealthy, for the controller that comes after this one.
func note(ctx context.Context, c client.Client, node *corev1.Node, claim *karpenterv1.NodeClaim,
	policies *nodehealth.Policies, now time.Time) error {
	text := nodehealth.Noted(claim).Follow(node, policies, now).String()
	if claim.Annotations[nodehealth.AnnotationUnhealthySince] == text {
		return nil
	}
	before := claim.DeepCopy()
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	if claim.Annotations[nodehealth.AnnotationUnhealthySince] = text; text == "" {
		delete(claim.Annotations, nodehealth.AnnotationUnhealthySince)
	}
	if err := c.Patch(ctx, claim, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("noting on NodeClaim %s since when its node is unhealthy: %w", claim.Name, err)
	}
	return nil
}
