package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// classes is the part of a cloud that new claims need.
type classes interface {
	Class(ctx context.Context, ref karpenterv1.NodeClassReference) (provider.Class, error)
}

// Deps are what an Applier needs; all are required.
type Deps struct {
	Client  client.Client
	Cloud   classes
	Metrics *observe.Metrics
	Log     logr.Logger

	// Expect tells the picture of the cluster of a claim that was just made, so that the next plan
	// counts it before the API server's watch has told of it.
	Expect func(*karpenterv1.NodeClaim)
}

// Applier creates and deletes NodeClaims.
type Applier struct{ Deps }

// New checks that nothing is missing.
func New(d Deps) (*Applier, error) {
	if d.Client == nil || d.Cloud == nil || d.Metrics == nil || d.Expect == nil {
		return nil, errors.New("apply: a dependency is missing")
	}
	return &Applier{d}, nil
}

// stamp is what the cloud wants on a new claim of a pool.
func (a *Applier) stamp(ctx context.Context, pool *karpenterv1.NodePool) (map[string]string, error) {
	ref := pool.Spec.Template.Spec.NodeClassRef
	class, err := a.Cloud.Class(ctx, *ref)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	return class.Stamp, nil
}
