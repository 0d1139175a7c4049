package apply

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// ErrLimit means that a NodePool's limit leaves no room for a node.
var ErrLimit = errors.New("limit reached")

// within keeps those nodes that a pool's limits have room for, and of their options those that
// the limits hold for whichever the cloud picks: a launch is never larger than what was
// taken into account. Each node first gets its cheapest option; what is left over is shared out in
// order. short is why the first node was left out.
func within(limits []shape.Limit, offer *translate.Offer, nodes []engine.NewNode) (kept []engine.NewNode, short error) {
	if len(limits) == 0 {
		return nodes, nil
	}
	left := make([]int64, len(limits))
	for i, l := range limits {
		left[i] = l.Max - l.Used
	}
	var base [][]int64 // of kept
	for _, n := range nodes {
		need, ok := cheapest(limits, offer, n)
		if !ok {
			short = errors.Join(short, fmt.Errorf("its instance types are no longer offered: %w", ErrLimit))
			continue
		}
		if i := firstShort(need, left); i >= 0 {
			if short == nil {
				short = fmt.Errorf("%s of %d is used up to %d, %d more needed: %w", limits[i].Resource, limits[i].Max, limits[i].Max-left[i], need[i], ErrLimit)
			}
			continue
		}
		for i := range left {
			left[i] -= need[i]
		}
		kept, base = append(kept, n), append(base, need)
	}
	for k := range kept {
		narrowed, grown := narrow(limits, offer, kept[k], base[k], left)
		if !keepsMinValues(narrowed) {
			// The cheapest option alone would break a promise; giving it up frees what it holds.
			for i := range left {
				left[i] += base[k][i]
			}
			kept[k].Options = nil
			if short == nil {
				short = fmt.Errorf("too few instance types are left for minValues: %w", ErrLimit)
			}
			continue
		}
		kept[k] = narrowed
		for i := range left {
			left[i] -= grown[i]
		}
	}
	return slices.DeleteFunc(kept, func(n engine.NewNode) bool { return len(n.Options) == 0 }), short
}

// amounts is what one machine takes of each limit.
func amounts(limits []shape.Limit, capacity shape.Vector) []int64 {
	out := make([]int64, len(limits))
	for i, l := range limits {
		out[i] = capacity.Get(l.Resource)
		if l.Resource == shape.LimitNodes {
			out[i] = 1
		}
	}
	return out
}

func cheapest(limits []shape.Limit, offer *translate.Offer, n engine.NewNode) ([]int64, bool) {
	for _, o := range n.Options {
		if t := offer.Type(o.Type); t != nil {
			return amounts(limits, t.Capacity), true
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

// narrow drops options that could grow past what is left over; grown is how much more than base the largest of the rest takes.
func narrow(limits []shape.Limit, offer *translate.Offer, n engine.NewNode, base, left []int64) (out engine.NewNode, grown []int64) {
	grown = make([]int64, len(limits))
	keep := map[string]bool{}
	seen := map[string]bool{}
	for _, o := range n.Options {
		if seen[o.Type] {
			continue
		}
		seen[o.Type] = true
		t := offer.Type(o.Type)
		if t == nil {
			continue
		}
		need := amounts(limits, t.Capacity)
		for i := range need {
			need[i] = max(need[i]-base[i], grown[i])
		}
		if firstShort(need, left) < 0 {
			keep[o.Type] = true
			grown = need
		}
	}
	if len(keep) == len(seen) {
		return n, grown
	}
	out = n
	out.Options = slices.DeleteFunc(slices.Clone(n.Options), func(o engine.Option) bool { return !keep[o.Type] })
	out.Requirements = slices.Clone(n.Requirements)
	for i, r := range out.Requirements {
		if r.Key == shape.LabelInstanceType && r.Operator == shape.In {
			out.Requirements[i].Values = slices.DeleteFunc(slices.Clone(r.Values), func(v string) bool { return !keep[v] })
		}
	}
	return out, grown
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
