package market

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// askWithin is how long a cloud may take to say what it sells. A pool whose answer is late does
// without for this pass; the others go on.
const askWithin = 10 * time.Second

// book is where offers are written down: the mirror.
type book interface {
	Pools() []*karpenterv1.NodePool
	Offered(pool string) *translate.Offer
	Offer(pool string, offer *translate.Offer)
}

// Refresh writes down what each NodePool can buy now. Why a pool can buy nothing is in its offer.
func (m *Market) Refresh(ctx context.Context, b book) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var group errgroup.Group
	for _, pool := range b.Pools() {
		ref := pool.Spec.Template.Spec.NodeClassRef
		if ref == nil {
			continue // the API server requires one
		}
		group.Go(func() error {
			sold, err := m.ask(ctx, *ref, pool)
			write(b, pool.Name, sold, trouble(*ref, sold.Types, err))
			return nil
		})
	}
	_ = group.Wait() // troubles are in the offers
}

// write replaces what is known of a pool if it has changed.
func write(b book, pool string, now translate.Overlaid, why string) {
	known := b.Offered(pool)
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
	b.Offer(pool, now.Offer(why))
}

// trouble is why nothing can be launched, one sentence that holds still; empty if it can.
func trouble(ref karpenterv1.NodeClassReference, types []*shape.InstanceType, err error) string {
	class := ref.Kind + " " + ref.Name
	switch {
	case errors.Is(err, ErrUnevaluated):
		return err.Error()
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
