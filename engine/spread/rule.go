package spread

import (
	"math"
	"slices"
)

// Narrow leaves a wish only those domains that still take pods. It does nothing to rules that must hold.
func (s *State) Narrow(class int, takes func(key, domain int32) bool) {
	for i := range s.Classes[class].Rules {
		r := &s.Classes[class].Rules[i]
		if !r.Wish || s.Keys[r.Key].Host {
			continue
		}
		r.universe = make([]bool, len(s.Tallies[r.Tally].Count))
		for d := range r.universe {
			r.universe[d] = takes(r.Key, int32(d))
		}
	}
}

// Withhold notes in which of the rule's domains nodes can be opened still. Others in which they could have been before
// are domains as ever to new nodes, though they may have no node.
func (r *Rule) Withhold(open []bool) {
	r.withheld = nil
	for d, yes := range r.universe {
		if yes && !open[d] {
			r.withheld = append(r.withheld, int32(d))
		}
	}
}

// HostRoom is how many more pods of a class its hostname rules allow on an existing node, at most limit.
func (s *State) HostRoom(class, node, limit int) int {
	own := &s.Classes[class]
	n := int32(min(limit, math.MaxInt32))
	for i := range own.Rules {
		r := &own.Rules[i]
		if !s.Keys[r.Key].Host {
			continue
		}
		have := s.Tallies[r.Tally].Count[node]
		switch r.Kind {
		case Skew:
			most := r.MaxSkew
			if !own.Leaving {
				most += s.hostLeast(r, node)
			}
			if r.Self {
				n = min(n, most-have)
			} else if have > most {
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

// survey looks for the smallest count of a domain that has nodes.
func (t *Tally) survey() {
	t.least, t.atLeast, t.hosts = math.MaxInt32, 0, 0
	for d, n := range t.Nodes {
		if n == 0 {
			continue
		}
		t.hosts++
		switch {
		case t.Count[d] < t.least:
			t.least, t.atLeast = t.Count[d], 1
		case t.Count[d] == t.least:
			t.atLeast++
		}
	}
}

// Levels reports whether a node may take more pods of a class once others have as many as it has: then a node that is
// full by the rules is worth another look.
func (s *State) Levels(class int) bool {
	own := &s.Classes[class]
	return !own.Leaving && slices.ContainsFunc(own.Rules, func(r Rule) bool {
		return r.Kind == Skew && s.Keys[r.Key].Host
	})
}

// Level grows whenever [State.HostRoom] may have grown for a class that has [State.Levels].
func (s *State) Level(class int) (sum int64) {
	for i := range s.Classes[class].Rules {
		r := &s.Classes[class].Rules[i]
		if t := &s.Tallies[r.Tally]; r.Kind == Skew && s.Keys[r.Key].Host {
			if t.atLeast == 0 {
				t.survey()
			}
			sum += int64(t.least)
		}
	}
	return sum
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
