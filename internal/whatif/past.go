package whatif

import (
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// OfSearch says why a node stayed at a search of the journal, and with which change the search would have given it up.
// The error names a node that was not there.
func OfSearch(s journal.Search, node string) (*view.NodeAnswer, error) {
	i := slices.IndexFunc(s.Snapshot.Nodes, func(n *shape.Node) bool { return n.Name == node || n.Claim == node })
	if i < 0 {
		return nil, fmt.Errorf(
			"there was no node %s among %d at %s",
			node,
			len(s.Snapshot.Nodes),
			s.At.UTC().Format("2006-01-02 15:04:05Z"),
		)
	}
	n := s.Snapshot.Nodes[i]
	out := &view.NodeAnswer{
		Node:         n.Name,
		Pool:         n.Pool,
		InstanceType: n.InstanceType,
		Zone:         n.Zone,
		CapacityType: n.CapacityType,
		Price:        n.Price.Float(),
		Kept:         n.Kept,
		Leaving:      n.Stage == shape.Leaving,
	}
	for _, p := range n.Pods {
		out.Running = append(out.Running, string(p.ID))
	}
	if goes(s.Result, n.Name) {
		out.Stays = "it was given up then"
		return out, nil
	}
	for _, k := range s.Result.Kept {
		if k.Node == n.Name {
			out.Stays = k.Why.Sentence()
		}
	}
	out.Remedy = freed(s, i)
	return out, nil
}

func goes(r refit.Result, node string) bool {
	return slices.ContainsFunc(r.Moves, func(m refit.Move) bool { return slices.Contains(m.Remove, node) })
}

// freed relaxes one thing after the other and searches again.
func freed(s journal.Search, i int) *view.Remedy {
	n := *s.Snapshot.Nodes[i]
	relaxed := func(change func(*shape.Node)) journal.Search {
		out, other := s, n
		change(&other)
		out.Snapshot.Nodes = slices.Clone(s.Snapshot.Nodes)
		out.Snapshot.Nodes[i] = &other
		return out
	}
	out := &view.Remedy{Kinds: []string{}, Changes: []string{}}
	for _, way := range []struct {
		kind, what string
		search     journal.Search
	}{
		{"annotation", "take away what kept it: " + n.Kept, relaxed(func(n *shape.Node) { n.Kept = "" })},
		{"consolidateAfter", "shorten consolidateAfter of NodePool " + n.Pool,
			relaxed(func(n *shape.Node) { n.Unsettled = false })},
		{"budget", "let the budgets of NodePool " + n.Pool + " let more nodes go", s.Letting(n.Pool,
			len(s.Snapshot.Nodes))},
		{"price", savesLittle, thrifty(s)},
	} {
		if goes(way.search.Again(), n.Name) {
			out.Kinds, out.Changes, out.Then = []string{way.kind}, []string{way.what}, "it goes"
			return out
		}
	}
	out.None = "no rule that the journal knows kept it; its pods cost least where they were"
	return out
}

// savesLittle is what lets more moves be made, if nothing else keeps a node.
const savesLittle = "let moves be made that save little (--consolidation-min-saving 0, --consolidation-payback 0)"

// thrifty is a search that takes every saving.
func thrifty(s journal.Search) journal.Search {
	s.Policy.MinSaving, s.Policy.Payback, s.Policy.PodPrice = 0, 0, 0
	return s
}
