package feasible

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// addVariants gives every class that has preferences a chain of variants: first the class as if
// all of them were required, then one that gives up one of them, and so on; the last one is the
// class itself. Pods stay with the first of the chain.
//
// Given up are, in this order, preferred affinity to pods, preferred anti-affinity, preferred node
// affinity (of which only the heaviest counts at a time), soft topology spread, and last the wish
// to stay off nodes with a PreferNoSchedule taint; within each, the heaviest first. That is the
// order that Karpenter's users know.
func (cp *compiler) addVariants() {
	discouraged := cp.discourages()
	for base := range cp.t.Classes {
		c := cp.t.Classes[base]
		steps := preferences(c.Class, discouraged)
		if len(steps) == 0 {
			continue
		}
		// The chain's first link takes the class's place, with its pods.
		chain := []*Class{c}
		for left := range steps {
			chain = append(chain, &Class{
				Class: promote(c.Class, steps[left+1:]), Need: c.Need, Size: c.Size, Shared: c.Shared, First: c.First,
				Source: c.Source, Strict: c.Strict, avoid: left+1 < len(steps) && discouraged,
				Wished: wished(c.Class, steps[left+1:]),
			})
		}
		c.Wished = wished(c.Class, steps)
		c.Class, c.avoid = promote(c.Class, steps), discouraged
		for i, v := range chain {
			v.Base, v.Next = int32(base), -1
			v.Where = cp.t.whereOf(v.Class, v.avoid)
			if i > 0 {
				chain[i-1].Next = int32(len(cp.t.Classes))
				cp.t.Classes = append(cp.t.Classes, v)
			}
		}
	}
}

// discourages reports whether any node or pool has a PreferNoSchedule taint.
func (cp *compiler) discourages() bool {
	soft := func(x shape.Taint) bool { return x.Effect == shape.PreferNoSchedule }
	for _, p := range cp.t.snapshot.Pools {
		if slices.ContainsFunc(p.Taints, soft) {
			return true
		}
	}
	for _, p := range cp.t.snapshot.Profiles {
		if slices.ContainsFunc(p.Taints, soft) {
			return true
		}
	}
	return false
}

// step is one preference, in the order in which they are given up.
type step struct {
	affinity int // index into Class.Affinity, or -1
	nodes    int // index into Class.PreferredNodes, or -1
	spread   int // index into Class.Spread, or -1
}

func preferences(c *shape.Class, discouraged bool) []step {
	var out []step
	for _, anti := range []bool{false, true} {
		var own []step
		for i := range c.Affinity {
			if c.Affinity[i].Weight > 0 && c.Affinity[i].Anti == anti {
				own = append(own, step{i, -1, -1})
			}
		}
		slices.SortStableFunc(own, func(a, b step) int {
			return cmp.Compare(c.Affinity[b.affinity].Weight, c.Affinity[a.affinity].Weight)
		})
		out = append(out, own...)
	}
	var own []step
	for i := range c.PreferredNodes {
		own = append(own, step{-1, i, -1})
	}
	slices.SortStableFunc(own, func(a, b step) int {
		return cmp.Compare(c.PreferredNodes[b.nodes].Weight, c.PreferredNodes[a.nodes].Weight)
	})
	out = append(out, own...)
	for i := range c.Spread {
		if !c.Spread[i].Hard {
			out = append(out, step{-1, -1, i})
		}
	}
	if discouraged {
		out = append(out, step{-1, -1, -1})
	}
	return out
}

// wished tells by the Spread of the promoted class which of it are preferences.
func wished(c *shape.Class, steps []step) (out []bool) {
	for i, sp := range c.Spread {
		if sp.Hard || slices.ContainsFunc(steps, func(s step) bool { return s.spread == i }) {
			out = append(out, !sp.Hard)
		}
	}
	return out
}

// promote is the class with some of its preferences required and the others forgotten.
func promote(c *shape.Class, steps []step) *shape.Class {
	out := *c
	out.Affinity, out.Spread, out.PreferredNodes = nil, nil, nil
	kept := func(match func(step) bool) bool { return slices.ContainsFunc(steps, match) }
	for i, term := range c.Affinity {
		if term.Weight == 0 || kept(func(s step) bool { return s.affinity == i }) {
			term.Weight = 0
			out.Affinity = append(out.Affinity, term)
		}
	}
	for i, sp := range c.Spread {
		if sp.Hard || kept(func(s step) bool { return s.spread == i }) {
			sp.Hard = true
			out.Spread = append(out.Spread, sp)
		}
	}
	if i := slices.IndexFunc(steps, func(s step) bool { return s.nodes >= 0 }); i >= 0 {
		out.NodeTerms = both(c.NodeTerms, c.PreferredNodes[steps[i].nodes].Term)
	}
	return &out
}

// both is the OR terms, each narrowed by one more.
func both(terms []shape.NodeTerm, and shape.NodeTerm) []shape.NodeTerm {
	if len(terms) == 0 {
		return []shape.NodeTerm{and}
	}
	out := make([]shape.NodeTerm, 0, len(terms))
	for _, t := range terms {
		if len(t.Labels) == 0 && len(t.Names) == 0 {
			continue // matches nothing, with or without other conditions
		}
		out = append(out, shape.NodeTerm{
			Labels: slices.Concat(t.Labels, and.Labels), Names: slices.Concat(t.Names, and.Names),
		})
	}
	return out
}
