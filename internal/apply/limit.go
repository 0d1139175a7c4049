package apply

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// ErrLimit means that a NodePool's limit leaves no room for a node.
var ErrLimit = errors.New("limit reached")

// within keeps those nodes that a pool's limits have room for, and of their options those that the limits hold for
// whichever the cloud picks: a launch is never larger than what was taken into account. Each node first gets its
// cheapest option; what is left over is shared out as in a plan. short is why the first node was left out.
func within(
	ruled []shape.Limit,
	offer *translate.Offer,
	nodes []engine.NewNode,
) (kept []engine.NewNode, short error) {
	if len(ruled) == 0 {
		return nodes, nil
	}
	left := make([]int64, len(ruled))
	for i, l := range ruled {
		left[i] = l.Max - l.Used
	}
	var base [][]int64 // of kept
	for _, n := range nodes {
		need, ok := cheapest(ruled, offer, n)
		if !ok {
			short = errors.Join(short, fmt.Errorf("its instance types are no longer offered: %w", ErrLimit))
			continue
		}
		if i := firstShort(need, left); i >= 0 {
			if short == nil {
				l := ruled[i]
				short = fmt.Errorf(
					"%s of %d is used up to %d, %d more needed: %w",
					l.Resource,
					l.Max,
					l.Max-left[i],
					need[i],
					ErrLimit,
				)
			}
			continue
		}
		for i := range left {
			left[i] -= need[i]
		}
		kept, base = append(kept, n), append(base, need)
	}
	for k, ok := range shareOut(ruled, offer, kept, base, left) {
		if !ok && short == nil {
			short = fmt.Errorf("too few instance types are left for minValues: %w", ErrLimit)
		}
		if !ok {
			kept[k].Options = nil
		}
	}
	return slices.DeleteFunc(kept, func(n engine.NewNode) bool { return len(n.Options) == 0 }), short
}

// shareOut narrows each node to its share of what is left, beyond what its cheapest option takes of each limit: its
// base. ok is false for a node of which the rest would break a promise; giving it up frees its base.
func shareOut(
	ruled []shape.Limit, offer *translate.Offer, nodes []engine.NewNode, base [][]int64, left []int64,
) (ok []bool) {
	ok = make([]bool, len(nodes))
	shares := limits.NewShares(left, len(nodes))
	for k := range nodes {
		allowed := func(limit int) int64 { return shares.Most(limit, base[k][limit]) }
		narrowed, most := narrow(ruled, offer, nodes[k], allowed)
		ok[k] = keepsMinValues(narrowed)
		for i := range ruled {
			if ok[k] {
				shares.Grow(i, base[k][i], most[i])
			} else {
				shares.Drop(i, base[k][i])
			}
		}
		shares.Next()
		nodes[k] = narrowed
	}
	return ok
}

// amounts is what one machine takes of each limit.
func amounts(ruled []shape.Limit, capacity shape.Vector) []int64 {
	out := make([]int64, len(ruled))
	for i, l := range ruled {
		out[i] = capacity.Get(l.Resource)
		if l.Resource == shape.LimitNodes {
			out[i] = 1
		}
	}
	return out
}

func cheapest(ruled []shape.Limit, offer *translate.Offer, n engine.NewNode) ([]int64, bool) {
	for _, o := range n.Options {
		if t := offer.Type(o.Type); t != nil {
			return amounts(ruled, t.Capacity), true
		}
	}
	return nil, false
}

func firstShort(need, left []int64) int {
	for i := range need {
		if need[i] > 0 && need[i] > left[i] {
			return i
		}
	}
	return -1
}

// narrow drops options that take more than allowed of a limit; most is what the largest of the rest take.
func narrow(
	ruled []shape.Limit, offer *translate.Offer, n engine.NewNode, allowed func(limit int) int64,
) (out engine.NewNode, most []int64) {
	most = make([]int64, len(ruled))
	keep, seen := map[string]bool{}, map[string]bool{}
	for _, o := range n.Options {
		if seen[o.Type] {
			continue
		}
		seen[o.Type] = true
		if t := offer.Type(o.Type); t != nil && fitsAll(amounts(ruled, t.Capacity), allowed, most) {
			keep[o.Type] = true
		}
	}
	if len(keep) == len(seen) {
		return n, most
	}
	out = n
	out.Options = slices.DeleteFunc(slices.Clone(n.Options), func(o engine.Option) bool { return !keep[o.Type] })
	out.Requirements = slices.Clone(n.Requirements)
	for i, r := range out.Requirements {
		if r.Key == shape.LabelInstanceType && r.Operator == shape.In {
			out.Requirements[i].Values = slices.DeleteFunc(
				slices.Clone(r.Values),
				func(v string) bool { return !keep[v] },
			)
		}
	}
	return out, most
}

// fitsAll reports whether a machine that needs so much of each limit is allowed; most is raised to what it needs then.
func fitsAll(need []int64, allowed func(limit int) int64, most []int64) bool {
	for i := range need {
		if need[i] > allowed(i) {
			return false
		}
	}
	for i := range need {
		most[i] = max(most[i], need[i])
	}
	return true
}

// keepsMinValues reports whether enough instance types are left for what the pool wants of them.
func keepsMinValues(n engine.NewNode) bool {
	for _, r := range n.Requirements {
		if r.Key == shape.LabelInstanceType && r.Operator == shape.In && len(r.Values) < int(r.MinValues) {
			return false
		}
	}
	return true
}
