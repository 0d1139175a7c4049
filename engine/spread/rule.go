package spread

import (
	"math"
	"slices"
)

// Allows reports whether one more pod may go to the domain, -1 for a node without the label.
// Hostname rules are asked through HostRoom instead.
func (s *State) Allows(r *Rule, domain int32) bool {
	t := &s.Tallies[r.Tally]
	switch r.Kind {
	case Skew:
		return domain >= 0 && s.Skew(r, domain) <= r.MaxSkew
	case Near:
		return domain >= 0 && (t.Count[domain] > 0 || s.First(r))
	default:
		return domain < 0 || t.Count[domain] == 0
	}
}

// First reports whether a pod may go where it has nobody to be near: it would be the first of its kind anywhere.
func (s *State) First(r *Rule) bool {
	return r.Self && !slices.ContainsFunc(r.all, func(k int32) bool { return s.Tallies[k].Total != 0 })
}

// FirstHere is First by the pods on existing nodes, and on new ones that are closed.
func (s *State) FirstHere(r *Rule) bool {
	return r.Self && !slices.ContainsFunc(r.all, func(k int32) bool { return s.Tallies[k].Here != 0 })
}

// Skew is by how much the domain would exceed the emptiest one with one more pod in it.
func (s *State) Skew(r *Rule, domain int32) int32 {
	t := &s.Tallies[r.Tally]
	after := t.Count[domain]
	if r.Self {
		after++
	}
	return after - s.least(r)
}

// least is the smallest count over the rule's domains, 0 if there are fewer than MinDomains.
func (s *State) least(r *Rule) int32 {
	t := &s.Tallies[r.Tally]
	least, domains := int32(math.MaxInt32), int32(0)
	for d, n := range t.Count {
		if t.Nodes[d] > 0 || r.universe != nil && r.universe[d] {
			domains++
			least = min(least, n)
		}
	}
	if domains == 0 || domains < r.MinDomains {
		return 0
	}
	return least
}

// SetUniverse adds a domain in which a node could be opened for the class.
func (s *State) SetUniverse(r *Rule, domain int32) {
	if r.universe == nil {
		r.universe = make([]bool, len(s.Tallies[r.Tally].Count))
	}
	if domain >= 0 {
		r.universe[domain] = true
	}
}

// HostRoom is how many more pods of a class its hostname rules allow on one node, at most
// limit. count is what each tally holds for that node; node is -1 for a new one.
func (s *State) HostRoom(class int, count func(tally int32) int32, limit int) int {
	own := &s.Classes[class]
	n := int32(min(limit, math.MaxInt32))
	for i := range own.Rules {
		r := &own.Rules[i]
		if !s.Keys[r.Key].Host {
			continue
		}
		have := count(r.Tally)
		switch r.Kind {
		case Skew:
			// A new node could always be made, and would be empty: the minimum is 0.
			if r.Self {
				n = min(n, r.MaxSkew-have)
			} else if have > r.MaxSkew {
				n = 0
			}
		case Near:
			if have == 0 && !s.First(r) {
				n = 0
			}
		case Apart:
			if have > 0 {
				n = 0
			} else if r.Self {
				n = min(n, 1)
			}
		}
		if n <= 0 {
			return 0
		}
	}
	return int(n)
}

// AddDomain counts n more pods in a domain where a node is going to be; n may be negative.
func (s *State) AddDomain(tally, domain, n int32) {
	if domain >= 0 {
		s.Tallies[tally].Count[domain] += n
		s.Tallies[tally].Total += int64(n)
	}
}

// Clings reports whether all pods of a class must share one node that is still to be chosen.
func (s *State) Clings(class int) bool {
	for _, r := range s.Classes[class].Rules {
		if r.Kind == Near && s.Keys[r.Key].Host && s.First(&r) {
			return true
		}
	}
	return false
}

// MostOnHost is how many pods of a class one node may hold by the class's own hard rules; 0 for any number.
func (s *State) MostOnHost(class int) int32 {
	most := int32(0)
	for _, r := range s.Classes[class].Rules {
		if !r.Self || !s.Keys[r.Key].Host || r.Kind == Near {
			continue
		}
		each := int32(1)
		if r.Kind == Skew {
			each = r.MaxSkew
		}
		if most == 0 || each < most {
			most = each
		}
	}
	return most
}
