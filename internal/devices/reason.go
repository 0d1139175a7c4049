package devices

import (
	"slices"
	"strings"

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
		p := c.pods[out[i].Pod]
		if p == nil {
			continue
		}
		t := teller{demand: c.needs(p)}
		if class := c.classOf(p); class != nil {
			t.apart = apart(class)
		}
		out[i].Why = t.told(out[i].Why)
	}
	return out
}

// Told is why a pod has no place in a plan for a part of a Snapshot that [World.Shape] made, in words that speak of
// devices.
func Told(w *World, s shape.Snapshot, u engine.Unplaced) engine.Unplaced {
	if w == nil || !slices.ContainsFunc(s.Classes, w.Concerns) {
		return u
	}
	return w.check(s, engine.Decision{}).told([]engine.Unplaced{u})[0]
}

// Why a pod has no place where the planner may not mix it with others, since the allocator refused it once.
const (
	notBeside = "devices could not be allocated for it and other pods there together"
	keptApart = "it keeps away from other pods there, or devices could not be allocated for them together"
)

// teller tells why one pod has no place.
type teller struct {
	*demand
	apart bool // from other classes, by a rule that is made up
}

func (t *teller) told(why explain.Tree) explain.Tree {
	groups := why.Groups
	why.Groups, why.Children = nil, slices.Clone(why.Children)
	for _, g := range groups {
		g.Reason = t.reason(g.Reason)
		same := func(o explain.Group) bool { return o.Reason == g.Reason }
		if at := slices.IndexFunc(why.Groups, same); at >= 0 {
			why.Groups[at].Count += g.Count
			continue
		}
		why.Groups = append(why.Groups, g)
	}
	for i := range why.Children {
		why.Children[i] = t.told(why.Children[i])
	}
	return why
}

// reason is what a refusal is about if devices stand behind it. What was forbidden of a plan that the allocator refused
// is no amount and no neighbour that anybody could find in the cluster.
func (t *teller) reason(r feasible.Reason) feasible.Reason {
	switch {
	case strings.HasPrefix(r.Resource, besidePrefix):
		return feasible.Reason{Kind: feasible.NoDevices, Want: notBeside}
	case r.Kind == feasible.AntiAffinity && r.Key == shape.LabelHostname && t.apart:
		return feasible.Reason{Kind: feasible.NoDevices, Want: keptApart}
	case r.Kind == feasible.WrongVolume && t.binds(r.Key):
		return feasible.Reason{Kind: feasible.NoDevices, Want: "those of a claim are allocated where " + r.Want}
	case r.Kind == feasible.Affinity:
		// Whoever follows another pod is nobody's first neighbour either, so any affinity may be named for it.
		for _, g := range t.groups {
			if !g.leads {
				with := "goes where another pod goes that shares ResourceClaim " + g.claim.String()
				return feasible.Reason{Kind: feasible.NoDevices, Want: with}
			}
		}
	}
	return r
}

// apart reports whether pods of a class are kept off the nodes of others, or others off theirs, by a cut.
func apart(c *shape.Class) bool {
	about := func(key string) bool { return strings.HasPrefix(key, besidePrefix) }
	return slices.ContainsFunc(c.Labels, func(l shape.Label) bool { return about(l.Key) }) ||
		slices.ContainsFunc(c.Affinity, func(t shape.PodTerm) bool {
			return slices.ContainsFunc(t.Selector.Requirements, func(r shape.Requirement) bool { return about(r.Key) })
		})
}

// binds reports whether claims are bound to nodes by a label or field.
func (d *demand) binds(key string) bool {
	about := func(r shape.Requirement) bool { return r.Key == key }
	return slices.ContainsFunc(d.terms, func(t shape.NodeTerm) bool {
		return slices.ContainsFunc(t.Labels, about) || slices.ContainsFunc(t.Names, about)
	})
}
