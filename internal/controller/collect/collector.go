package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/regular"
	"github.com/dovetail-sh/dovetail/provider"
)

// Reason is why claims without a machine are disrupted, as metrics name it.
const Reason = "garbage_collected"

const (
	// every is how often the cloud is asked, once things are settled.
	every = 2 * time.Minute
	// soonEvery and soonTimes make the first rounds quick: what an earlier daemon lost is found within seconds.
	soonEvery = 10 * time.Second
	soonTimes = 20
)

// cloud is the part of a cloud that collecting needs.
type cloud interface {
	Machines(ctx context.Context) ([]provider.Machine, error)
	Terminate(ctx context.Context, providerID string) error
}

// Deps are what a Collector needs; all are required.
type Deps struct {
	// Client reads what the API server has now, not what a cache remembers: deciding that something is an
	// orphan from a stale list would kill machines that were just bought.
	Client client.Reader
	Writer client.Writer
	Cloud  cloud
	Clock  clock.Clock
	Log    logr.Logger

	// Outcome is told how listing machines went, and giving back those without a claim.
	Outcome regular.Outcome

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error

	// NeverJoined is told of a pool's machine that ended before its node joined.
	NeverJoined func(pool string)
}

// Collector finds orphans at regular intervals.
type Collector struct{ Deps }

// Start collects until the context ends. Only the leader may run it.
func (c *Collector) Start(ctx context.Context) error {
	for round := 0; ; round++ {
		if err := c.Round(ctx); err != nil && ctx.Err() == nil {
			c.Log.Error(err, "collecting orphans; trying again")
		}
		wait := every
		if round < soonTimes {
			wait = soonEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.Clock.After(wait):
		}
	}
}

// NeedLeaderElection is true: two daemons would give back each other's newest machines.
func (c *Collector) NeedLeaderElection() bool { return true }

// Round looks once. One orphan that cannot be removed does not stop the others.
func (c *Collector) Round(ctx context.Context) error {
	// Machines first: a claim that is made after this list cannot have a machine in it.
	machines, err := c.Cloud.Machines(ctx)
	c.Outcome(ctx, "Listing machines", err)
	if err != nil {
		return fmt.Errorf("listing machines: %w", err)
	}
	var claims karpenterv1.NodeClaimList
	if err := c.Client.List(ctx, &claims); err != nil {
		return fmt.Errorf("listing claims: %w", err)
	}
	var nodes corev1.NodeList
	if err := c.Client.List(ctx, &nodes); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}

	found := orphans(machines, claims.Items, nodes.Items, c.Clock.Now())
	var errs []error
	for _, m := range found.machines {
		errs = append(errs, c.giveBack(ctx, m, nodes.Items))
	}
	c.Outcome(ctx, "Giving back machines without a claim", errors.Join(errs...))
	for _, claim := range found.claims {
		c.Log.Info(
			"deleting claim whose machine is gone",
			observe.LogNodeClaim,
			claim.Name,
			observe.LogProviderID,
			claim.Status.ProviderID,
		)
		if err := c.Delete(ctx, claim, Reason); err != nil {
			errs = append(errs, fmt.Errorf("deleting NodeClaim %s, whose machine is gone: %w", claim.Name, err))
			continue
		}
		if claim.Status.NodeName == "" {
			c.NeverJoined(claim.Labels[karpenterv1.NodePoolLabelKey])
		}
	}
	return errors.Join(errs...)
}

// giveBack ends a machine that has no claim, and removes its node.
func (c *Collector) giveBack(ctx context.Context, m provider.Machine, nodes []corev1.Node) error {
	c.Log.Info(
		"giving back machine without a claim",
		observe.LogProviderID,
		m.ProviderID,
		observe.LogNodeClaim,
		m.Claim,
	)
	if err := c.Cloud.Terminate(ctx, m.ProviderID); err != nil && !errors.Is(err, provider.ErrNotFound) {
		return fmt.Errorf("giving back machine %s, which has no claim: %w", m.ProviderID, err)
	}
	for i := range nodes {
		if nodes[i].Spec.ProviderID != m.ProviderID {
			continue
		}
		if err := c.Writer.Delete(ctx, &nodes[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf(
				"deleting node %s of machine %s, which has no claim: %w",
				nodes[i].Name,
				m.ProviderID,
				err,
			)
		}
	}
	return nil
}
