package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// atOnce is how many claims are created in parallel: enough to use the API client's burst.
	atOnce = 50

	// createWithin is how long the creation of one claim may take.
	createWithin = 30 * time.Second

	// insistAfter is how long to wait before a creation is tried again of which nobody knows whether it happened.
	insistAfter = 500 * time.Millisecond

	// insistTimes is how often. An API server that always answers with an error of its own, such as that of a webhook,
	// has not done it.
	insistTimes = 5

	// newNames is how many names are tried when one is taken.
	newNames = 3

	// nameRoom is how much of a pool's name goes into its claims' names, so that they stay valid label values.
	nameRoom = 57
)

// ErrPoolGone means that a NodePool was deleted after the plan was made.
var ErrPoolGone = errors.New("the NodePool is gone or being deleted")

// order is a claim that is ready to be created.
type order struct {
	node  engine.NewNode
	claim *karpenterv1.NodeClaim
}

// Open creates a claim for every new node of a decision, for a reason as metrics name it, and returns the claims by
// the nodes' IDs. The pods of each keep their place there. A node that cannot be opened does not stop the others;
// the error names the pools.
func (a *Applier) Open(
	ctx context.Context,
	nodes []engine.NewNode,
	reason string,
) (map[string]*karpenterv1.NodeClaim, error) {
	orders, errs := a.reserve(ctx, nodes, reason)
	var (
		mu     sync.Mutex // guards opened and errs
		opened = make(map[string]*karpenterv1.NodeClaim, len(orders))
	)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, o := range orders {
		group.Go(func() error {
			claim, err := a.create(ctx, o, reason)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, openingError(o.node.Pool, err))
				return nil
			}
			opened[o.node.ID] = claim
			return nil
		})
	}
	_ = group.Wait() // errors are collected above
	return opened, errors.Join(errs...)
}

func openingError(pool string, err error) error {
	return fmt.Errorf("opening a node of NodePool %s: %w", pool, err)
}

// reserve makes the claims that limits have room for, and enters them into the mirror, where they count
// from then on.
func (a *Applier) reserve(ctx context.Context, nodes []engine.NewNode, reason string) (orders []order, errs []error) {
	var pools []string
	byPool := map[string][]engine.NewNode{}
	for _, n := range nodes {
		if byPool[n.Pool] == nil {
			pools = append(pools, n.Pool)
		}
		byPool[n.Pool] = append(byPool[n.Pool], n)
	}
	stamps := map[string]map[string]string{}
	for _, pool := range pools {
		stamp, err := a.look(ctx, pool)
		if err != nil {
			errs = append(errs, openingError(pool, err))
			delete(byPool, pool)
		}
		stamps[pool] = stamp
	}
	a.reserving.Lock()
	defer a.reserving.Unlock()
	for _, pool := range pools {
		fitting, short := within(
			limitsOf(a.Mirror.Snapshot(), pool),
			a.Mirror.Offered(pool),
			slices.Clone(byPool[pool]),
		)
		if short != nil {
			errs = append(errs, openingError(pool, short))
		}
		object := a.Mirror.Pool(pool)
		for _, n := range fitting {
			if object == nil {
				break // gone since it was looked at
			}
			claim := translate.NodeClaim(object, n, stamps[pool])
			a.Mirror.Offered(pool).Mark(claim, n)
			claim.Name = newName(pool)
			claim.Annotations[translate.AnnotationOpenedFor] = translate.OpenedFor(reason, n.Pods)
			a.Mirror.Expect(claim, n.Pods)
			orders = append(orders, order{n, claim})
		}
	}
	return orders, errs
}

// newName is a claim's name. It is chosen here and not by the API server, so that the claim can be in the
// mirror before it exists.
func newName(pool string) string {
	return pool[:min(len(pool), nameRoom)] + "-" + rand.String(5)
}

// create creates one claim that the mirror expects already.
func (a *Applier) create(ctx context.Context, o order, reason string) (*karpenterv1.NodeClaim, error) {
	claim, err := a.insist(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("creating NodeClaim %s: %w", claim.Name, err)
	}
	a.Metrics.Claims.Created.WithLabelValues(reason, o.node.Pool, strconv.FormatBool(o.node.Relaxed)).Inc()
	a.Log.Info(
		observe.SaidClaimCreated,
		observe.LogNodePool,
		o.node.Pool,
		observe.LogNodeClaim,
		claim.Name,
		observe.LogRequests,
		claim.Spec.Resources.Requests,
		observe.LogInstanceTypes,
		typeNames(o.node.Options),
		observe.LogPodCount,
		len(o.node.Pods),
	)
	return claim, nil
}

// insist creates a claim, by another name if its own is taken. Where an attempt may have been carried out although it
// failed, it is made again by the same name: to plan anew would open a second node for the same pods. A claim of which
// nothing was heard until time was up stays in the mirror, which drops it later if it does not show.
func (a *Applier) insist(ctx context.Context, o order) (*karpenterv1.NodeClaim, error) {
	ctx, cancel := context.WithTimeout(ctx, createWithin)
	defer cancel()
	claim := o.claim
	for taken, unsure := 0, 0; ; {
		err := a.Client.Create(ctx, claim)
		switch {
		case err == nil, unsure > 0 && apierrors.IsAlreadyExists(err):
			return claim, nil
		case mayHaveHappened(err) && unsure < insistTimes:
			unsure++
			select {
			case <-ctx.Done():
				return claim, err
			case <-time.After(insistAfter):
			}
		case apierrors.IsAlreadyExists(err) && taken < newNames-1:
			taken++
			old := claim.Name
			claim = claim.DeepCopy()
			claim.Name = newName(o.node.Pool)
			a.Mirror.Expect(claim, o.node.Pods)
			a.Mirror.Forget(old)
		default:
			a.Mirror.Forget(claim.Name)
			return claim, err
		}
	}
}

// mayHaveHappened reports whether a write that failed may have been carried out: the API server did not answer, or not
// because of the request.
func mayHaveHappened(err error) bool {
	status := apierrors.APIStatus(nil)
	return !errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError
}

// typeNames lists the cheapest types, and says how many more there are.
func typeNames(options []engine.Option) string {
	const most = 5
	var text string
	seen := map[string]bool{}
	for _, o := range options {
		if seen[o.Type] {
			continue
		}
		seen[o.Type] = true
		if len(seen) <= most {
			if text != "" {
				text += ", "
			}
			text += o.Type
		}
	}
	if more := len(seen) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// limitsOf are those of a pool, less what counts as used; nil for none, or no such pool.
func limitsOf(s shape.Snapshot, pool string) []shape.Limit {
	i := slices.IndexFunc(s.Pools, func(p *shape.Pool) bool { return p.Name == pool })
	if i < 0 {
		return nil
	}
	return s.Pools[i].Limits
}
