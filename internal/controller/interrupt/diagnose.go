package interrupt

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// diagnoseEvery is how often the cloud is asked what is wrong with its machines.
const diagnoseEvery = time.Minute

// Checker asks the cloud at intervals which machines are broken or about to be worked upon, and acts as upon notices.
// It needs no queue.
type Checker struct {
	*Listener
	Diagnose func(context.Context) ([]provider.Notice, error)
}

// NeedLeaderElection is true: two daemons would only double the calls.
func (c *Checker) NeedLeaderElection() bool { return true }

// Start asks until the context ends.
func (c *Checker) Start(ctx context.Context) error {
	for {
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.Log.Error(
				err,
				"asking the cloud what is wrong with its machines; trying again",
				observe.LogDuration,
				diagnoseEvery.String(),
			)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.Clock.After(diagnoseEvery):
		}
	}
}

// round asks once. What fails for one machine is tried again in the next round, with all the others.
func (c *Checker) round(ctx context.Context) error {
	notices, err := c.Diagnose(ctx)
	c.Outcome(ctx, "Asking for the status of machines", err)
	if err != nil {
		return err
	}
	for _, n := range notices {
		for _, machine := range n.Machines {
			if err := c.diagnosed(ctx, machine, n); err != nil && ctx.Err() == nil {
				c.Log.Error(err, "acting upon a diagnosis; trying again", observe.LogReason, string(n.Kind))
			}
		}
	}
	return nil
}

func (c *Checker) diagnosed(ctx context.Context, machine string, n provider.Notice) error {
	claim, err := lookup.ClaimOfMachine(ctx, c.Client, machine)
	switch {
	case err != nil || claim == nil:
		return err
	case n.Kind == provider.EventPlanned:
		return c.schedule(ctx, claim, n)
	case !claim.DeletionTimestamp.IsZero():
		return nil
	}
	c.Metrics.Unhealthy.WithLabelValues(string(n.Kind)).Inc()
	c.tell(ctx, claim, observe.InstanceUnhealthy, unhealthy[n.Kind])
	if err := c.hurry(ctx, claim); err != nil {
		return err
	}
	return c.retire(ctx, claim, n.Kind)
}

// unhealthy is what is told of a broken machine.
var unhealthy = map[provider.NoticeKind]string{
	provider.InstanceImpaired: "The machine does not answer the cloud's status checks",
	provider.SystemImpaired:   "The hardware or network under the machine fails the cloud's status checks",
}

// hurry makes a claim's termination wait for nothing: pods on a machine that does not answer cannot be evicted.
func (c *Checker) hurry(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	if claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] != "" {
		return nil
	}
	changed := claim.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] = c.Clock.Now().
		UTC().
		Format(time.RFC3339)
	if err := c.Client.Patch(ctx, changed, client.MergeFrom(claim)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("noting on NodeClaim %s that its machine is broken: %w", claim.Name, err)
	}
	return nil
}

// Register has the manager run the Checker on the leader.
func (c *Checker) Register(m manager.Manager) error {
	if err := m.Add(c); err != nil {
		return fmt.Errorf("adding the check of machines: %w", err)
	}
	return nil
}
