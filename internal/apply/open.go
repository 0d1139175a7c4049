package apply

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// atOnce is how many claims are created in parallel: enough to use the API client's burst.
const atOnce = 50

// ErrPoolGone means that a NodePool was deleted after the plan was made.
var ErrPoolGone = errors.New("the NodePool is being deleted")

// Open creates a claim for every new node of a decision, for a reason as metrics name it, and returns the claims by
// the nodes' IDs. A node that cannot be opened does not stop the others; the error names each of them.
func (a *Applier) Open(ctx context.Context, nodes []engine.NewNode, reason string) (map[string]*karpenterv1.NodeClaim, error) {
	var (
		mu     sync.Mutex // guards opened and errs
		opened = make(map[string]*karpenterv1.NodeClaim, len(nodes))
		errs   []error
	)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, node := range nodes {
		group.Go(func() error {
			claim, err := a.open(ctx, node, reason)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("opening a node of NodePool %s for %d pods: %w", node.Pool, len(node.Pods), err))
				return nil
			}
			opened[node.ID] = claim
			return nil
		})
	}
	_ = group.Wait() // errors are collected above
	return opened, errors.Join(errs...)
}

func (a *Applier) open(ctx context.Context, node engine.NewNode, reason string) (*karpenterv1.NodeClaim, error) {
	pool := &karpenterv1.NodePool{}
	if err := a.Client.Get(ctx, types.NamespacedName{Name: node.Pool}, pool); err != nil {
		return nil, fmt.Errorf("reading the pool: %w", err)
	}
	if !pool.DeletionTimestamp.IsZero() {
		return nil, ErrPoolGone
	}
	stamp, err := a.stamp(ctx, pool)
	if err != nil {
		return nil, err
	}
	claim := translate.NodeClaim(pool, node, stamp)
	if err := a.Client.Create(ctx, claim); err != nil {
		return nil, fmt.Errorf("creating the claim: %w", err)
	}
	a.Expect(claim)
	a.Metrics.Claims.Created.WithLabelValues(reason, pool.Name, strconv.FormatBool(node.Relaxed)).Inc()
	a.Log.Info("created nodeclaim", observe.LogNodePool, pool.Name, observe.LogNodeClaim, claim.Name,
		observe.LogRequests, claim.Spec.Resources.Requests, observe.LogInstanceTypes, typeNames(node.Options), observe.LogPodCount, len(node.Pods))
	return claim, nil
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
