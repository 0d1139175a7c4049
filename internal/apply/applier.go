package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// classes is the part of a cloud that new claims need.
type classes interface {
	Class(ctx context.Context, ref karpenterv1.NodeClassReference) (provider.Class, error)
}

// Deps are what an Applier needs; all are required but Retiring.
type Deps struct {
	Client client.Client
	// Live reads what the API server has now, not what a cache remembers.
	Live    client.Reader
	Cloud   classes
	Mirror  *mirror.Mirror
	Metrics *observe.Metrics
	Log     logr.Logger

	// Retiring hears of each claim, right before its deletion begins, for what reason; nil for nobody.
	Retiring func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string)
}

// Applier creates and deletes NodeClaims.
type Applier struct {
	Deps

	// reserving is held from looking at limits until what is taken of them is in the mirror.
	reserving sync.Mutex

	retiring sync.Mutex         // guards retired
	retired  map[types.UID]bool // claims whose deletion has begun, some of them long ago
}

// New checks that nothing is missing.
func New(d Deps) (*Applier, error) {
	if d.Client == nil || d.Live == nil || d.Cloud == nil || d.Mirror == nil || d.Metrics == nil {
		return nil, errors.New("apply: a dependency is missing")
	}
	return &Applier{Deps: d}, nil
}

// look finds out whether a pool can still launch, and what its cloud wants on new claims.
func (a *Applier) look(ctx context.Context, name string) (stamp map[string]string, err error) {
	pool := a.Mirror.Pool(name)
	if pool == nil || !pool.DeletionTimestamp.IsZero() {
		return nil, ErrPoolGone
	}
	ref := pool.Spec.Template.Spec.NodeClassRef
	if ref == nil {
		return nil, errors.New("it has no spec.template.spec.nodeClassRef")
	}
	class, err := a.Cloud.Class(ctx, *ref)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	if class.Deleting || !class.Ready {
		return nil, fmt.Errorf("%s %s: %w", ref.Kind, ref.Name, provider.ErrClassNotReady)
	}
	return class.Stamp, nil
}
