package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/learned"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// metered is a cloud whose calls are timed and whose failures are counted, for one controller.
type metered struct {
	provider.Cloud
	controller string
	book       *learned.Book // what nodes have taught of their types
	metrics    observe.CloudMetrics
	clock      clock.PassiveClock
	claims     client.Reader // tells whose pool a call was for, once it failed
}

// done notes a call that began at start. pool is asked only for a call that failed.
func (m metered) done(method string, start time.Time, err error, pool func() string) {
	m.metrics.Duration.WithLabelValues(m.controller, method, m.Name()).Observe(m.clock.Since(start).Seconds())
	if err != nil {
		m.metrics.Errors.WithLabelValues(m.controller, method, m.Name(), pool(), errorName(err)).Inc()
	}
}

// poolOf is the NodePool of a machine, empty if it has none or nobody knows.
func (m metered) poolOf(ctx context.Context, providerID string) func() string {
	return func() string {
		claim, err := lookup.Claim(ctx, m.claims, providerID)
		if err != nil || claim == nil {
			return ""
		}
		return claim.Labels[karpenterv1.NodePoolLabelKey]
	}
}

// poolUsing is the only NodePool of a node class, empty if several use it.
func (m metered) poolUsing(ctx context.Context, ref karpenterv1.NodeClassReference) func() string {
	return func() string {
		var pools karpenterv1.NodePoolList
		if err := m.claims.List(ctx, &pools); err != nil {
			return ""
		}
		pools.Items = slices.DeleteFunc(pools.Items, func(p karpenterv1.NodePool) bool {
			return p.Spec.Template.Spec.NodeClassRef == nil || *p.Spec.Template.Spec.NodeClassRef != ref
		})
		if len(pools.Items) != 1 {
			return ""
		}
		return pools.Items[0].Name
	}
}

func named(claim *karpenterv1.NodeClaim) func() string {
	return func() string { return claim.Labels[karpenterv1.NodePoolLabelKey] }
}

func nobody() string { return "" }

// errorName groups failures in few series.
func errorName(err error) string {
	var launch *provider.LaunchError
	switch {
	case errors.Is(err, provider.ErrNoCapacity):
		return "InsufficientCapacityError"
	case errors.Is(err, provider.ErrNotFound):
		return "NodeClaimNotFoundError"
	case errors.Is(err, provider.ErrRebootRefused):
		return "NodeRebootFailedError"
	case errors.Is(err, provider.ErrClassNotFound), errors.Is(err, provider.ErrClassNotReady):
		return "NodeClassNotReadyError"
	case errors.As(err, &launch):
		return "CreateError"
	default:
		return "unknown"
	}
}

// The methods below are named in metrics as Karpenter names them.

func (m metered) Launch(ctx context.Context, o provider.Order) (machine provider.Machine, err error) {
	defer func(start time.Time) { m.done("Create", start, err, named(o.Claim)) }(m.clock.Now())
	return m.Cloud.Launch(ctx, o)
}

func (m metered) Terminate(ctx context.Context, providerID string) (err error) {
	defer func(start time.Time) { m.done("Delete", start, err, m.poolOf(ctx, providerID)) }(m.clock.Now())
	return m.Cloud.Terminate(ctx, providerID)
}

func (m metered) Machine(ctx context.Context, providerID string) (machine provider.Machine, err error) {
	defer func(start time.Time) { m.done("Get", start, err, m.poolOf(ctx, providerID)) }(m.clock.Now())
	return m.Cloud.Machine(ctx, providerID)
}

func (m metered) Machines(ctx context.Context) (machines []provider.Machine, err error) {
	defer func(start time.Time) { m.done("List", start, err, nobody) }(m.clock.Now())
	return m.Cloud.Machines(ctx)
}

func (m metered) InstanceTypes(
	ctx context.Context,
	ref karpenterv1.NodeClassReference,
) (types []*shape.InstanceType, err error) {
	defer func(start time.Time) { m.done("GetInstanceTypes", start, err, m.poolUsing(ctx, ref)) }(m.clock.Now())
	if types, err = m.Cloud.InstanceTypes(ctx, ref); err != nil {
		return nil, err
	}
	class, err := m.Class(ctx, ref)
	if err != nil {
		return nil, err
	}
	return m.book.Apply(ref, class.Stamp, types), nil
}

func (m metered) Reboot(ctx context.Context, providerID, operation string) (err error) {
	defer func(start time.Time) { m.done("Reboot", start, err, m.poolOf(ctx, providerID)) }(m.clock.Now())
	rebooter, can := m.Cloud.(provider.Rebooter)
	if !can {
		return provider.ErrRebootRefused
	}
	return rebooter.Reboot(ctx, providerID, operation)
}

func (m metered) Drift(ctx context.Context, claim *karpenterv1.NodeClaim) (reason string, err error) {
	defer func(start time.Time) { m.done("IsDrifted", start, err, named(claim)) }(m.clock.Now())
	return m.Cloud.Drift(ctx, claim)
}
