package devices

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// told are pods without a place whose reasons speak of devices: the planner knows only that something that binds pods
// to places, as volumes and neighbours do, does not suit.
func (c *checker) told(list []engine.Unplaced) []engine.Unplaced {
	out := slices.Clone(list)
	for i := range out {
		if d := c.demands[out[i].Pod]; d != nil {
			out[i].Why = d.told(out[i].Why)
		}
	}
	return out
}

func (d *demand) told(t explain.Tree) explain.Tree {
	t.Groups, t.Children = slices.Clone(t.Groups), slices.Clone(t.Children)
	for i := range t.Groups {
		t.Groups[i].Reason = d.reason(t.Groups[i].Reason)
	}
	for i := range t.Children {
		t.Children[i] = d.told(t.Children[i])
	}
	return t
}

// reason is what a refusal is about if a claim of the pod stands behind it.
func (d *demand) reason(r feasible.Reason) feasible.Reason {
	switch {
	case r.Kind == feasible.WrongVolume && d.binds(r.Key):
		return feasible.Reason{Kind: feasible.NoDevices, Want: "those of a claim are allocated where " + r.Want}
	case r.Kind == feasible.Affinity:
		// Whoever follows another pod is nobody's first neighbour either, so any affinity may be named for it.
		for _, g := range d.groups {
			if !g.leads {
				with := "goes where another pod goes that shares ResourceClaim " + g.claim.String()
				return feasible.Reason{Kind: feasible.NoDevices, Want: with}
			}
		}
	}
	return r
}

// binds reports whether claims are bound to nodes by a label or field.
func (d *demand) binds(key string) bool {
	about := func(r shape.Requirement) bool { return r.Key == key }
	return slices.ContainsFunc(d.terms, func(t shape.NodeTerm) bool {
		return slices.ContainsFunc(t.Labels, about) || slices.ContainsFunc(t.Names, about)
	})
}
