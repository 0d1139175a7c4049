package terminate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

const (
	// pollMachine is how often the cloud is asked whether a machine is gone. Karpenter's figure.
	pollMachine  = 5 * time.Second
	pollOften    = time.Second
	pollOftenFor = 15 * time.Second
	// pollVolumes bounds the wait for an attachment to go if its deletion is not seen.
	pollVolumes = 5 * time.Second
)

// machines is the part of a cloud that termination needs.
type machines interface {
	Machine(ctx context.Context, providerID string) (provider.Machine, error)
	Machines(ctx context.Context) ([]provider.Machine, error)
	Terminate(ctx context.Context, providerID string) error
}

// Deps are what both Reconcilers need; all are required.
type Deps struct {
	Client client.Client
	// Live reads what the API server has now, not what a cache remembers.
	Live    client.Reader
	Cloud   machines
	Clock   clock.PassiveClock
	Events  *observe.Recorder
	Metrics *observe.Metrics

	// Rank is a pod's place in the order of eviction; nil for translate.EvictionRank.
	Rank func(pod *corev1.Pod) eviction.Rank

	// Refused is told of pods that a PodDisruptionBudget does not let go; nil for nobody. It may be told often.
	Refused func(ctx context.Context, pod *corev1.Pod) error
}

func (d Deps) validate() error {
	if d.Client == nil || d.Live == nil || d.Cloud == nil || d.Clock == nil || d.Events == nil || d.Metrics == nil {
		return errors.New("termination controller: a dependency is missing")
	}
	return nil
}

// Nodes empties nodes that are being deleted, and has their machines given back.
type Nodes struct {
	Deps
	refusals patience
}

// NewNodes checks that nothing is missing.
func NewNodes(d Deps) (*Nodes, error) { return &Nodes{Deps: d}, d.validate() }

// rank is a pod's place in the order of eviction.
func (d Deps) rank(pod *corev1.Pod) eviction.Rank {
	if d.Rank == nil {
		return translate.EvictionRank(pod)
	}
	return d.Rank(pod)
}

// Reconcile takes the next step for one node that carries our finalizer and is being deleted.
func (r *Nodes) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, req.NamespacedName, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if node.DeletionTimestamp.IsZero() || !controllerutil.ContainsFinalizer(node, karpenterv1.TerminationFinalizer) {
		return reconcile.Result{}, nil
	}
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if err != nil {
		return reconcile.Result{}, err
	}
	if claim == nil {
		return r.abandon(ctx, node)
	}
	if claim.DeletionTimestamp.IsZero() {
		if err := r.Client.Delete(
			ctx,
			claim,
			client.Preconditions{UID: &claim.UID},
		); client.IgnoreNotFound(
			err,
		) != nil {
			return reconcile.Result{}, fmt.Errorf(
				"deleting NodeClaim %s, whose node is being deleted: %w",
				claim.Name,
				err,
			)
		}
	}
	switch dead, err := r.dead(ctx, node); {
	case err != nil:
		return reconcile.Result{}, err
	case dead:
		return reconcile.Result{}, r.finish(ctx, node) // nothing runs there any more that could be asked to go
	}
	if err := r.cordon(ctx, node); err != nil {
		return reconcile.Result{}, err
	}
	deadline, err := deadlineOf(claim, node)
	if err != nil {
		return reconcile.Result{}, err
	}
	again, err := r.empty(ctx, node, claim, deadline)
	if again > 0 || err != nil {
		return reconcile.Result{RequeueAfter: again}, err
	}
	return r.giveBack(ctx, node, claim)
}

// cordon keeps new pods and load balancers away.
func (r *Nodes) cordon(ctx context.Context, node *corev1.Node) error {
	disrupted := karpenterv1.DisruptedTaint()
	has := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&disrupted) })
	if has && node.Labels[corev1.LabelNodeExcludeBalancers] == karpenterv1.ExcludeBalancersValue {
		return nil
	}
	before := node.DeepCopy()
	if !has {
		node.Spec.Taints = append(node.Spec.Taints, disrupted)
	}
	if node.Labels == nil {
		node.Labels = map[string]string{}
	}
	node.Labels[corev1.LabelNodeExcludeBalancers] = karpenterv1.ExcludeBalancersValue
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, node, patch); err != nil {
		return fmt.Errorf("cordoning node %s: %w", node.Name, err)
	}
	if !has {
		logf.FromContext(ctx).Info(observe.SaidTainted, observe.LogNode, node.Name,
			"taint.Key", disrupted.Key, "taint.Value", disrupted.Value, "taint.Effect", disrupted.Effect)
	}
	return nil
}

// empty drains pods and waits for volumes. again is 0 once there is nothing to wait for.
func (r *Nodes) empty(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	deadline time.Time,
) (again time.Duration, err error) {
	pods, err := r.podsOf(ctx, node, claim, deadline)
	if err != nil {
		return 0, err
	}
	now := r.Clock.Now()
	next := nextDrain(r.rank, pods, deadline, now)
	if !next.done() && (deadline.IsZero() || now.Before(deadline)) {
		again, err := r.carryOut(ctx, node, claim, next, deadline)
		if err != nil {
			return 0, err
		}
		return again, r.report(ctx, claim, karpenterv1.ConditionDrained, karpenterv1.ReasonDraining, next.summary())
	}
	if next.done() {
		before := condition.IsTrue(claim, karpenterv1.ConditionDrained)
		if err = r.came(ctx, claim, karpenterv1.ConditionDrained); err == nil && !before {
			r.Metrics.Nodes.Drained.WithLabelValues(poolOf(claim)).Inc()
		}
	} else {
		err = r.report(
			ctx,
			claim,
			karpenterv1.ConditionDrained,
			karpenterv1.ReasonTerminationGracePeriodElapsed,
			next.summary(),
		)
	}
	if err != nil {
		return 0, err
	}
	return r.volumes(ctx, node, claim, pods, deadline)
}

// podsOf are a node's pods: as the cache shows them, and once that shows none to wait for, as the API server has them.
// The cache may be behind, and the next step ends the machine under whatever runs there. After that step nothing is
// left to be found.
func (r *Nodes) podsOf(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	deadline time.Time,
) ([]*corev1.Pod, error) {
	pods, err := podsFrom(ctx, r.Client, node.Name)
	if err != nil || condition.IsTrue(claim, karpenterv1.ConditionInstanceTerminating) ||
		!nextDrain(r.rank, pods, deadline, r.Clock.Now()).done() {
		return pods, err
	}
	if pods, err = podsFrom(ctx, r.Live, node.Name); err != nil {
		return nil, fmt.Errorf("looking at node %s a last time: %w", node.Name, err)
	}
	return pods, nil
}

func podsFrom(ctx context.Context, c client.Reader, node string) ([]*corev1.Pod, error) {
	list, err := lookup.Pods(ctx, c, node)
	pods := make([]*corev1.Pod, 0, len(list))
	for i := range list {
		pods = append(pods, &list[i])
	}
	return pods, err
}

// carryOut evicts and kills. A refused eviction is tried again; it does not keep the others. Pods that are harder to
// place than the next ones have a moment to find their places first.
func (r *Nodes) carryOut(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	next drain,
	deadline time.Time,
) (time.Duration, error) {
	var errs []error
	again := next.again
	for _, k := range next.kill {
		errs = append(errs, r.kill(ctx, k, claim))
	}
	asked := false
	var held []string
	for i, pod := range next.evict {
		if asked && r.rank(pod).Demand < r.rank(next.evict[i-1]).Demand {
			again = time.Second
			break
		}
		wait := r.refusals.left(pod, r.Clock.Now())
		if wait == 0 {
			switch err := r.evict(ctx, pod, claim); {
			case errors.Is(err, errRefused):
				wait = r.refusals.refuse(pod, r.Clock.Now())
				if r.Refused != nil {
					errs = append(errs, r.Refused(ctx, pod))
				}
			case err != nil:
				errs = append(errs, err)
				continue
			default:
				asked = true
				r.refusals.forget(pod)
				continue
			}
		}
		held = append(held, pod.Namespace+"/"+pod.Name)
		if again == 0 || wait < again {
			again = wait
		}
	}
	if len(held) > 0 {
		r.Events.Emit(node, observe.FailedDraining, refusedSentence(held))
	}
	if !deadline.IsZero() {
		r.Events.Emitf(
			node,
			observe.TerminationGracePeriodExpires,
			"What is left on the node is deleted by %s.",
			deadline.UTC().Format(time.RFC3339),
		)
	}
	if again == 0 {
		again = stuckAfter // pods that go are seen; this only catches what is not
	}
	return again, errors.Join(errs...)
}

// refusedSentence says which pods PodDisruptionBudgets hold: the first by name, and how many more.
func refusedSentence(held []string) string {
	if len(held) == 1 {
		return fmt.Sprintf("Pod %s cannot be evicted yet: a PodDisruptionBudget does not allow it.", held[0])
	}
	return fmt.Sprintf(
		"Pod %s and %d more cannot be evicted yet: PodDisruptionBudgets do not allow it.",
		slices.Min(held),
		len(held)-1,
	)
}

// volumes waits until the drained pods' volumes are detached, so that they can be attached elsewhere.
func (r *Nodes) volumes(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	pods []*corev1.Pod,
	deadline time.Time,
) (time.Duration, error) {
	attachments, err := lookup.Attachments(ctx, r.Client, node.Name)
	if err != nil {
		return 0, err
	}
	kept, err := r.keptVolumes(ctx, pods)
	if err != nil {
		return 0, err
	}
	attached := 0
	for i := range attachments {
		if pv := attachments[i].Spec.Source.PersistentVolumeName; pv != nil && !kept[*pv] {
			attached++
		}
	}
	switch {
	case attached == 0:
		return 0, r.came(ctx, claim, karpenterv1.ConditionVolumesDetached)
	case !deadline.IsZero() && !r.Clock.Now().Before(deadline):
		return 0, r.report(
			ctx,
			claim,
			karpenterv1.ConditionVolumesDetached,
			karpenterv1.ReasonTerminationGracePeriodElapsed,
			"the termination grace period is over",
		)
	}
	message := fmt.Sprintf("%d volumes are still attached", attached)
	r.Events.Emit(node, observe.AwaitingVolumeDetachment, message)
	return pollVolumes, r.report(
		ctx,
		claim,
		karpenterv1.ConditionVolumesDetached,
		karpenterv1.ReasonAwaitingVolumeDetachment,
		message,
	)
}

// keptVolumes are those of pods that are not drained: they stay attached to the end.
func (r *Nodes) keptVolumes(ctx context.Context, pods []*corev1.Pod) (map[string]bool, error) {
	kept := map[string]bool{}
	now := r.Clock.Now()
	for _, pod := range pods {
		if holdsUp(pod, now) || translate.Finished(pod) {
			continue
		}
		for _, name := range translate.VolumeClaims(pod) {
			pvc := &corev1.PersistentVolumeClaim{}
			err := r.Client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, pvc)
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("reading volume claim %s of pod %s/%s: %w", name, pod.Namespace, pod.Name, err)
			}
			kept[pvc.Spec.VolumeName] = true
		}
	}
	return kept, nil
}
