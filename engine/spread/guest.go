package spread

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// guest is a daemon that comes with new nodes and which matters to pods on other nodes as well. It shuts the domain of
// its node to a class that must keep apart from it by another label than the hostname. A class that looks for it finds
// it there, and none of its pods may be the first of a group any more, wherever they go.
type guest struct {
	class   *shape.Class
	tallies []int32 // of Apart and Near rules, ascending
}

// invite finds the guests.
func (s *State) invite() {
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
		g := guest{class: c}
		for _, k := range heeded {
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
			return r.Kind != Skew && slices.Contains(counting, r.Tally)
		})
	}
}

// Guests reports whether some daemon on a new node may matter to pods on other nodes.
func (s *State) Guests() bool { return len(s.guests) > 0 }

// hosted lists the tallies that count a guest on a new node, once for each guest.
func (s *State) hosted(p *feasible.Pool, column int, free bitset.Set) []int32 {
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
	return r.Kind == Apart && domain >= 0 && s.domains[r.Key] == domain && slices.Contains(s.hosts, r.Tally)
}

// Like reports whether a rule finds the same daemons at two sites.
func (s *Site) Like(other *Site, r *Rule) bool {
	here := slices.Contains(s.hosts, r.Tally)
	return here == slices.Contains(other.hosts, r.Tally) && (!here || s.domains[r.Key] == other.domains[r.Key])
}
