package daemon

import (
	"context"
	"errors"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
	"k8s.io/utils/clock"
)

// metered is a cloud whose calls are timed and whose failures are counted, for one controller.
type metered struct {
	provider.Cloud
	controller string
	metrics    observe.CloudMetrics
	clock      clock.PassiveClock
}

// done notes a call that began at start.
func (m metered) done(method string, start time.Time, err error) {
	m.metrics.Duration.WithLabelValues(m.controller, method, m.Name()).Observe(m.clock.Since(start).Seconds())
	if err != nil {
		m.metrics.Errors.WithLabelValues(m.controller, method, m.Name(), errorName(err)).Inc()
	}
}

// errorName groups failures in few series.
func errorName(err error) string {
	var launch *provider.LaunchError
	switch {
	case errors.Is(err, provider.ErrNoCapacity):
		return "InsufficientCapacityError"
	case errors.Is(err, provider.ErrNotFound):
		return "NodeClaimNotFoundError"
	case errors.Is(err, provider.ErrClassNotFound), errors.Is(err, provider.ErrClassNotReady):
		return "NodeClassNotReadyError"
	case errors.As(err, &launch):
		return "CreateError"
	default:
		return ""
	}
}

// The methods below are named in metrics as Karpenter names them.

func (m metered) Launch(ctx context.Context, o provider.Order) (machine provider.Machine, err error) {
	defer func(start time.Time) { m.done("Create", start, err) }(m.clock.Now())
	return m.Cloud.Launch(ctx, o)
}

func (m metered) Terminate(ctx context.Context, providerID string) (err error) {
	defer func(start time.Time) { m.done("Delete", start, err) }(m.clock.Now())
	return m.Cloud.Terminate(ctx, providerID)
}

func (m metered) Machine(ctx context.Context, providerID string) (machine provider.Machine, err error) {
	defer func(start time.Time) { m.done("Get", start, err) }(m.clock.Now())
	return m.Cloud.Machine(ctx, providerID)
}

func (m metered) Machines(ctx context.Context) (machines []provider.Machine, err error) {
	defer func(start time.Time) { m.done("List", start, err) }(m.clock.Now())
	return m.Cloud.Machines(ctx)
}

func (m metered) InstanceTypes(ctx context.Context, ref karpenterv1.NodeClassReference) (types []*shape.InstanceType, err error) {
	defer func(start time.Time) { m.done("GetInstanceTypes", start, err) }(m.clock.Now())
	return m.Cloud.InstanceTypes(ctx, ref)
}

func (m metered) Drift(ctx context.Context, claim *karpenterv1.NodeClaim) (reason string, err error) {
	defer func(start time.Time) { m.done("IsDrifted", start, err) }(m.clock.Now())
	return m.Cloud.Drift(ctx, claim)
}
