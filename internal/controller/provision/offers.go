package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// seller is the part of a cloud that says what can be bought.
type seller interface {
	InstanceTypes(ctx context.Context, ref karpenterv1.NodeClassReference) ([]*shape.InstanceType, error)
}

// overlays are the NodeOverlays that hold.
type overlays interface {
	Apply(pool *karpenterv1.NodePool, types []*shape.InstanceType) (translate.Overlaid, error)
}

// askWithin is how long a cloud may take to say what it sells. A pool whose answer is late does
// without for this pass; the others go on.
const askWithin = 10 * time.Second

// Refresh has the mirror know what the cloud offers to each NodePool now, with overlays applied.
func Refresh(ctx context.Context, m *mirror.Mirror, cloud seller, o overlays) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var group errgroup.Group
	for _, pool := range m.Pools() {
		ref := pool.Spec.Template.Spec.NodeClassRef
		if ref == nil {
			continue // the API server requires one
		}
		group.Go(func() error {
			types, err := cloud.InstanceTypes(ctx, *ref)
			why := trouble(*ref, types, err)
			overlaid, err := o.Apply(pool, types)
			if err != nil {
				why = err.Error()
			}
			offer(m, pool.Name, overlaid, why)
			return nil
		})
	}
	_ = group.Wait() // troubles are in the offers
}

// offer replaces what the mirror knows if it has changed.
func offer(m *mirror.Mirror, pool string, now translate.Overlaid, why string) {
	known := m.Offered(pool)
	if known != nil && known.NotReady == why && sameTypes(known.Types, now.Types) {
		return
	}
	if known != nil && why != "" && len(now.Types) == 0 {
		now = translate.Overlaid{
			Types:   known.Types,
			Priced:  known.Priced,
			Resized: known.Resized,
		} // nodes that run still have their price
	}
	m.Offer(pool, now.Offer(why))
}

// sameTypes compares by identity: a cloud returns the same list until something changes.
func sameTypes(a, b []*shape.InstanceType) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// trouble is why nothing can be launched, one sentence that holds still; empty if it can.
func trouble(ref karpenterv1.NodeClassReference, types []*shape.InstanceType, err error) string {
	class := ref.Kind + " " + ref.Name
	switch {
	case errors.Is(err, provider.ErrClassNotFound):
		return class + " does not exist"
	case errors.Is(err, provider.ErrClassNotReady):
		return class + " is not ready"
	case errors.Is(err, context.DeadlineExceeded):
		return "the cloud does not say which instance types " + class + " could launch"
	case err != nil:
		return fmt.Sprintf("the cloud does not say which instance types %s could launch: %v", class, err)
	case len(types) == 0:
		return class + " can launch no instance type"
	}
	return ""
}
