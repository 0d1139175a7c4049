package spread

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// guest is a daemon that comes with new nodes and which some class must keep apart from, by another label than the
// hostname: it shuts the domain of its node, on the other nodes as well.
type guest struct {
	class   *shape.Class
	tallies []int32 // of Apart rules, ascending
}

// invite finds the guests.
func (s *State) invite() {
	var apart []int32
	for i := range s.Classes {
		for _, r := range s.Classes[i].Rules {
			if r.Kind == Apart && !s.Keys[r.Key].Host {
				apart = append(apart, r.Tally)
			}
		}
	}
	slices.Sort(apart)
	apart = slices.Compact(apart)
	var counting []int32
	for _, c := range s.table.DaemonClasses() {
		g := guest{class: c}
		for _, k := range apart {
			if s.Tallies[k].adds(c) {
				g.tallies = append(g.tallies, k)
			}
		}
		if len(g.tallies) > 0 {
			s.guests = append(s.guests, g)
			counting = append(counting, g.tallies...)
		}
	}
	for i := range s.Classes {
		s.Classes[i].Wary = slices.ContainsFunc(s.Classes[i].Rules, func(r Rule) bool {
			return r.Kind == Apart && slices.Contains(counting, r.Tally)
		})
	}
}

// shuts lists the tallies of Apart rules that count a daemon on a new node, once for each daemon.
func (s *State) shuts(p *feasible.Pool, column int, free bitset.Set) []int32 {
	var out []int32
	for i := range s.guests {
		if s.table.RunsNew(s.guests[i].class, p, column, free) {
			out = append(out, s.guests[i].tallies...)
		}
	}
	slices.Sort(out)
	return out
}

// Shuts reports whether the daemons of a new node would shut a domain by a rule: -1 is none.
func (s *Site) Shuts(r *Rule, domain int32) bool {
	return r.Kind == Apart && domain >= 0 && s.domains[r.Key] == domain && slices.Contains(s.shuts, r.Tally)
}
