package spread

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// newNodeDaemon is a daemon that comes with new nodes and which matters to pods on other nodes as well. It shuts the
// domain of its node to a class that must keep apart from it by another label than the hostname. A class that looks for
// it finds it there, and none of its pods may be the first of a group any more, wherever they go.
type newNodeDaemon struct {
	class   *shape.Class
	tallies []int32 // of Apart and Near rules, ascending
}

// findDaemonsThatMatter finds the daemons on new nodes that matter to pods on other nodes.
func findDaemonsThatMatter(s *State) {
	var heeded []int32
	for i := range s.Classes {
		for _, r := range s.Classes[i].Rules {
			if r.Kind == Near || r.Kind == Apart && !s.Keys[r.Key].Host {
				heeded = append(heeded, r.Tally)
			}
		}
	}
	slices.Sort(heeded)
	heeded = slices.Compact(heeded)
	var counting []int32
	for _, c := range s.table.DaemonClasses() {
		g := newNodeDaemon{class: c}
		for _, k := range heeded {
			if s.Tallies[k].adds(c) {
				g.tallies = append(g.tallies, k)
			}
		}
		if len(g.tallies) > 0 {
			s.newNodeDaemons = append(s.newNodeDaemons, g)
			counting = append(counting, g.tallies...)
		}
	}
	for i := range s.Classes {
		s.Classes[i].AffectedByDaemons = slices.ContainsFunc(s.Classes[i].Rules, func(r Rule) bool {
			return r.Kind != Skew && slices.Contains(counting, r.Tally)
		})
	}
}

// HasNewNodeDaemons reports whether some daemon on a new node may matter to pods on other nodes.
func (s *State) HasNewNodeDaemons() bool { return len(s.newNodeDaemons) > 0 }

// daemonTallies lists the tallies that count a daemon on a new node, once for each.
func daemonTallies(s *State, p *feasible.Pool, column int, free bitset.Set) []int32 {
	var out []int32
	for i := range s.newNodeDaemons {
		if s.table.RunsNew(s.newNodeDaemons[i].class, p, column, free) {
			out = append(out, s.newNodeDaemons[i].tallies...)
		}
	}
	slices.Sort(out)
	return out
}

// Shuts reports whether the daemons of a new node would shut a domain by a rule: -1 is none.
func (s *Site) Shuts(r *Rule, domain int32) bool {
	return r.Kind == Apart && domain >= 0 && s.domains[r.Key] == domain && slices.Contains(s.hosts, r.Tally)
}

// Like reports whether a rule finds the same daemons at two sites.
func (s *Site) Like(other *Site, r *Rule) bool {
	here := slices.Contains(s.hosts, r.Tally)
	return here == slices.Contains(other.hosts, r.Tally) && (!here || s.domains[r.Key] == other.domains[r.Key])
}
