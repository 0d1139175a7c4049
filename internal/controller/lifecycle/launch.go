package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/backoff"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// retry is how soon a launch that failed is tried again. Karpenter's figures.
var retry = backoff.Schedule{First: time.Second, Last: time.Minute}

// purchase is a machine that was launched and that the cache may not show on its claim yet.
type purchase struct {
	claim   types.UID
	machine provider.Machine
}

// launch buys the claim's machine and writes it down.
func (r *Reconciler) launch(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	machine, err := r.buy(ctx, claim)
	switch {
	case errors.Is(err, provider.ErrClassUndecided):
		return r.noteFailure(ctx, claim, err)
	case errors.Is(err, provider.ErrNoCapacity):
		logf.FromContext(ctx).Error(err, observe.SaidLaunchFailed)
		r.Events.Emitf(claim, observe.InsufficientCapacity, "NodeClaim %s is given up: %v", claim.Name, err)
		if r.Planned != nil {
			tellPods(r.Events, r.Planned(claim.Name), claim, err)
		}
		return r.giveUp(ctx, claim, ReasonInsufficientCapacity)
	case errors.Is(err, provider.ErrClassNotReady), errors.Is(err, provider.ErrClassNotFound):
		logf.FromContext(ctx).Error(err, observe.SaidLaunchFailed)
		r.Events.Emitf(claim, observe.NodeClassNotReady, "NodeClaim %s is given up: %v", claim.Name, err)
		return r.giveUp(ctx, claim, ReasonNodeClassNotReady)
	case err != nil:
		return r.noteFailure(ctx, claim, err)
	}
	return r.record(ctx, claim, machine)
}

// tellPods tells of a shortage those who wait for the claim's node: that is where people look.
func tellPods(events *observe.Recorder, planned []*corev1.Pod, claim *karpenterv1.NodeClaim, err error) {
	for _, pod := range planned {
		if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || translate.Finished(pod) {
			continue
		}
		events.EmitOf(claim.Name, pod, observe.PodInsufficientCapacity, fmt.Sprintf(
			"NodeClaim %s nominated for this pod failed to launch: %v", claim.Name, err))
	}
}

// buy launches, unless it has done so already.
func (r *Reconciler) buy(ctx context.Context, claim *karpenterv1.NodeClaim) (provider.Machine, error) {
	if machine, ok := r.remembered(claim); ok {
		return machine, nil
	}
	pool, err := r.poolOf(ctx, claim)
	if err != nil {
		return provider.Machine{}, err
	}
	types, err := r.Market.ForClaim(ctx, claim, pool)
	if err != nil {
		return provider.Machine{}, fmt.Errorf("listing instance types: %w", err)
	}
	candidates, err := provider.CandidatesFor(claim, types, r.Aliases)
	if err != nil {
		return provider.Machine{}, err
	}
	if len(candidates) == 0 {
		return provider.Machine{}, fmt.Errorf(
			"none of %d instance types that are there satisfies its requirements and holds its requests: %w",
			len(types),
			provider.ErrNoCapacity,
		)
	}
	machine, err := r.Cloud.Launch(
		ctx,
		provider.Order{Claim: claim.DeepCopy(), Token: string(claim.UID), Candidates: candidates},
	)
	if err != nil {
		return provider.Machine{}, err
	}
	r.remember(claim, machine)
	r.meterPrice(claim, candidates, machine)
	logf.FromContext(ctx).Info(observe.SaidClaimLaunched,
		observe.LogProviderID, machine.ProviderID, observe.LogInstanceType, machine.InstanceType,
		observe.LogZone, machine.Zone, observe.LogCapacityType, machine.CapacityType, observe.LogAllocatable, machine.Allocatable)
	return machine, nil
}

// meterPrice counts what a machine was planned to cost and what it costs.
func (r *Reconciler) meterPrice(
	claim *karpenterv1.NodeClaim,
	candidates []provider.Candidate,
	machine provider.Machine,
) {
	planned, ok := translate.PlannedPrice(claim)
	i := slices.IndexFunc(candidates, func(c provider.Candidate) bool {
		return c.Type.Name == machine.InstanceType && c.Offering.Zone == machine.Zone &&
			c.Offering.CapacityType == machine.CapacityType &&
			c.Offering.Reservation == machine.Reservation
	})
	if !ok || i < 0 {
		return // of no plan, or adopted from a launch whose offers are others by now
	}
	pool := claim.Labels[karpenterv1.NodePoolLabelKey]
	r.Metrics.Claims.PlannedPrice.WithLabelValues(pool, machine.CapacityType).Add(planned)
	r.Metrics.Claims.LaunchedPrice.WithLabelValues(pool, machine.CapacityType).
		Add(candidates[i].Offering.Price.Float())
}

// poolOf reads a claim's NodePool; nil if it has none, or none any more.
func (r *Reconciler) poolOf(ctx context.Context, claim *karpenterv1.NodeClaim) (*karpenterv1.NodePool, error) {
	name := claim.Labels[karpenterv1.NodePoolLabelKey]
	if name == "" {
		return nil, nil
	}
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, pool); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading NodePool %s: %w", name, err)
	}
	return pool, nil
}

// record writes the machine on its claim: labels first, so that whoever sees the claim
// launched also sees what was launched.
func (r *Reconciler) record(ctx context.Context, claim *karpenterv1.NodeClaim, machine provider.Machine) error {
	before := claim.DeepCopy()
	claim.Labels = launchedLabels(claim, machine, r.Aliases)
	claim.Annotations = merge(claim.Annotations, machine.Annotations)
	if !maps.Equal(before.Labels, claim.Labels) || !maps.Equal(before.Annotations, claim.Annotations) {
		if err := r.Client.Patch(ctx, claim, client.MergeFrom(before)); err != nil {
			return r.returnIfGone(ctx, claim, machine, fmt.Errorf("labelling NodeClaim %s: %w", claim.Name, err))
		}
	}
	before = claim.DeepCopy()
	claim.Status.ProviderID = machine.ProviderID
	claim.Status.ImageID = machine.ImageID
	claim.Status.Capacity = machine.Capacity
	claim.Status.Allocatable = machine.Allocatable
	condition.True(claim, r.Clock.Now(), karpenterv1.ConditionLaunched)
	if after := next(sight{claim: claim, now: r.Clock.Now(), limits: r.Limits}); after.kind == rest {
		condition.Set(claim, r.Clock.Now(), after.open) // what the next look would write
	}
	return r.returnIfGone(ctx, claim, machine, r.write(ctx, before, claim))
}

// returnIfGone gives the machine back when the claim vanished while it was bought.
func (r *Reconciler) returnIfGone(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	machine provider.Machine,
	err error,
) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	if end := r.Cloud.Terminate(ctx, machine.ProviderID); end != nil && !errors.Is(end, provider.ErrNotFound) {
		return fmt.Errorf(
			"giving back machine %s, whose NodeClaim %s is gone: %w",
			machine.ProviderID,
			claim.Name,
			end,
		)
	}
	return nil
}

// recordLate writes down a machine whose claim was deleted while it was bought, so that
// terminate finds it.
func (r *Reconciler) recordLate(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	machine, ok := r.remembered(claim)
	if !ok || claim.Status.ProviderID != "" {
		return nil
	}
	err := r.record(ctx, claim, machine)
	if apierrors.IsConflict(err) {
		return nil // a newer version is on its way here
	}
	return err
}

// noteFailure says on the claim why it is not launched, and returns the failure so that the launch is tried again,
// later each time. The note itself wakes the claim up: if clouds say each time something else, it would be tried
// without a pause.
func (r *Reconciler) noteFailure(ctx context.Context, claim *karpenterv1.NodeClaim, failure error) error {
	reason, message := karpenterv1.ReasonLaunchFailed, failure.Error()
	var launch *provider.LaunchError
	if errors.As(failure, &launch) && launch.Reason != "" {
		reason, message = launch.Reason, launch.Message
	}
	refused(ctx, r, claim, reason, message)
	r.rest(claim)
	before := claim.DeepCopy()
	condition.Unknown(claim, r.Clock.Now(), karpenterv1.ConditionLaunched, reason, message)
	return errors.Join(
		fmt.Errorf("launching NodeClaim %s: %w", claim.Name, failure),
		client.IgnoreNotFound(r.write(ctx, before, claim)),
	)
}

// refused tells of a launch that failed and is tried again: on the claim, and on its pool, where people
// look first.
func refused(ctx context.Context, r *Reconciler, claim *karpenterv1.NodeClaim, reason, message string) {
	r.Events.Emitf(claim, observe.LaunchFailed, "The machine is not launched (%s): %s. It is tried again.",
		reason, strings.TrimSuffix(message, "."))
	pool := &karpenterv1.NodePool{}
	name := claim.Labels[karpenterv1.NodePoolLabelKey]
	if name == "" || r.Client.Get(ctx, client.ObjectKey{Name: name}, pool) != nil {
		return // Events are a courtesy.
	}
	r.Events.EmitOf(
		reason,
		pool,
		observe.LaunchFailed,
		fmt.Sprintf("NodeClaim %s is not launched (%s): %s. It is tried again.",
			claim.Name, reason, strings.TrimSuffix(message, ".")),
	)
}

// launchedLabels are the claim's labels once its machine is known: its own win, then the
// machine's, then what its requirements leave no choice about. The hostname is the node's business.
func launchedLabels(
	claim *karpenterv1.NodeClaim,
	machine provider.Machine,
	aliases karpenterv1.LabelAliases,
) map[string]string {
	labels := map[string]string{}
	for _, r := range claim.Spec.Requirements {
		if r.Operator == corev1.NodeSelectorOpIn && len(r.Values) == 1 {
			labels[aliases.Normalize(r.Key)] = r.Values[0]
		}
	}
	maps.Copy(labels, machine.Labels)
	labels[karpenterv1.NodeClassLabelKey(claim.Spec.NodeClassRef.GroupKind())] = claim.Spec.NodeClassRef.Name
	maps.Copy(labels, claim.Labels)
	delete(labels, shape.LabelHostname)
	return labels
}

// merge is a with what b adds; a wins.
func merge(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := maps.Clone(b)
	maps.Copy(out, a)
	return out
}

func same(a, b *karpenterv1.NodeClaim) bool {
	return equality.Semantic.DeepEqual(a.Status, b.Status)
}

func (r *Reconciler) remembered(claim *karpenterv1.NodeClaim) (provider.Machine, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.bought[claim.Name]
	return p.machine, ok && p.claim == claim.UID
}

func (r *Reconciler) remember(claim *karpenterv1.NodeClaim, machine provider.Machine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bought[claim.Name] = purchase{claim.UID, machine}
}

func (r *Reconciler) forget(claim string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bought, claim)
	delete(r.failed, claim)
	r.left.forget(claim)
}

// failure is a launch that is not to be tried again before its time.
type failure struct {
	claim types.UID
	rest  backoff.Rest
}

// rest leaves a claim alone for a while, each time twice as long.
func (r *Reconciler) rest(claim *karpenterv1.NodeClaim) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.failed[claim.Name]
	if f.claim != claim.UID {
		f = failure{claim: claim.UID}
	}
	f.rest = f.rest.Fail(r.Clock.Now(), retry)
	r.failed[claim.Name] = f
}

// Launching is how often a claim's launch has failed in a row, and when it is tried again.
func (r *Reconciler) Launching(claim *karpenterv1.NodeClaim) (failures int, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.failed[claim.Name]; ok && f.claim == claim.UID {
		return f.rest.Failures(), f.rest.Until()
	}
	return 0, time.Time{}
}
