package spread

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// Cell is one combination of domains in which new nodes can be opened: "zone a", or
// "zone a on spot". Pods whose domain matters are planned cell by cell.
type Cell struct {
	Domains []int32 // by State.Keys; -1 for keys that do not matter, hostname, and missing labels
	Parts   []Part  // by feasible.Table.Pools; Columns is nil for pools that cannot

	known   bool    // counted is
	counted []int32 // topology spread's tallies that look at a node of the cell
}

// Part is how a pool opens nodes in a cell.
type Part struct {
	Columns bitset.Set
	Free    bitset.Set
}

// Cells lists the combinations of domains of some keys, in order of their names.
func (s *State) Cells(keys []int32) []*Cell {
	t := s.table
	var cells []*Cell
	for p, pool := range t.Pools {
		if !pool.Usable.Any() {
			continue
		}
		start := &Cell{Domains: make([]int32, len(s.Keys)), Parts: make([]Part, len(t.Pools))}
		for i := range start.Domains {
			start.Domains[i] = -1
		}
		start.Parts[p] = Part{Columns: pool.Usable.Clone(), Free: pool.AllFree()}
		split := []*Cell{start}
		for _, k := range keys {
			var next []*Cell
			for _, c := range split {
				next = append(next, s.split(c, p, k)...)
			}
			split = next
		}
		for _, c := range split {
			cells = merge(cells, c, p)
		}
	}
	order := slices.Clone(keys)
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(s.Keys[a].Name, s.Keys[b].Name) })
	slices.SortFunc(cells, func(a, b *Cell) int {
		for _, k := range order {
			if c := cmp.Compare(a.Domains[k], b.Domains[k]); c != 0 {
				return c
			}
		}
		return 0
	})
	return cells
}

// split divides a cell by the domains of one more key.
func (s *State) split(c *Cell, pool int, key int32) []*Cell {
	var out []*Cell
	t := s.table
	for d := -1; d < len(s.Keys[key].Domains); d++ {
		value, missing := "", d < 0
		if !missing {
			value = s.Keys[key].Domains[d]
		}
		part := Part{Columns: c.Parts[pool].Columns.Clone(), Free: c.Parts[pool].Free.Clone()}
		if !t.Restrict(t.Pools[pool], part.Columns, part.Free, s.Keys[key].Name, value, missing) {
			continue
		}
		next := &Cell{Domains: slices.Clone(c.Domains), Parts: make([]Part, len(c.Parts))}
		next.Domains[key] = int32(d)
		next.Parts[pool] = part
		out = append(out, next)
	}
	return out
}

func merge(cells []*Cell, c *Cell, pool int) []*Cell {
	for _, have := range cells {
		if slices.Equal(have.Domains, c.Domains) {
			have.Parts[pool] = c.Parts[pool]
			return cells
		}
	}
	return append(cells, c)
}

// NodeCell is the domains of an existing node, in Cell.Domains' form for the same keys.
func (s *State) NodeCell(keys []int32, node int, out []int32) []int32 {
	out = out[:0]
	for range s.Keys {
		out = append(out, -1)
	}
	for _, k := range keys {
		out[k] = s.NodeDomain(k, node)
	}
	return out
}

// CellAllows reports whether the class's rules let one more pod into the domains;
// hostname rules are not looked at. The first rule that objects is returned.
func (s *State) CellAllows(class int, domains []int32) (objects *Rule, ok bool) {
	own := &s.Classes[class]
	for i := range own.Rules {
		r := &own.Rules[i]
		if s.Keys[r.Key].Host {
			continue
		}
		if !s.Allows(r, domains[r.Key]) {
			return r, false
		}
	}
	return nil, true
}

// Enter counts n pods of a class in a cell's domains.
func (s *State) Enter(class int, table *feasible.Table, c *Cell, n int32) {
	for _, k := range s.Classes[class].Adds {
		t := &s.Tallies[k]
		if s.Keys[t.Key].Host {
			t.Total += int64(n)
			continue
		}
		if t.filter == nil || s.cellCounts(t.filter, table, c) {
			s.AddDomain(k, c.Domains[t.Key], n)
		}
	}
}

// Open notes that a node is going to be opened in a cell, so that the cell's domains count for the minimum.
func (s *State) Open(c *Cell) {
	if !c.known {
		c.known = true
		for k := range s.Tallies {
			t := &s.Tallies[k]
			if c.Domains[t.Key] >= 0 && t.filter != nil && s.cellCounts(t.filter, s.table, c) {
				c.counted = append(c.counted, int32(k))
			}
		}
	}
	for _, k := range c.counted {
		s.Tallies[k].Nodes[c.Domains[s.Tallies[k].Key]]++
	}
	for k, d := range c.Domains {
		if d >= 0 {
			s.Keys[k].begun[d] = true
		}
	}
}

// Fresh reports whether a domain has a value that nobody names and no node yet, existing or new. There is one as soon
// as somebody needs it; nobody misses it before. Domain may be -1.
func (k *Key) Fresh(domain int32) bool {
	return domain >= 0 && !k.Host && k.made[domain] && !k.begun[domain]
}

// Unopen takes back that a node is going to be opened in a cell.
func (s *State) Unopen(c *Cell) {
	for _, k := range c.counted {
		s.Tallies[k].Nodes[c.Domains[s.Tallies[k].Key]]--
	}
}

// EnterHosts notes n pods of a class that go to new nodes, whose domains other than hostname do
// not matter.
func (s *State) EnterHosts(class int, n int32) {
	for _, k := range s.Classes[class].Adds {
		s.Tallies[k].Total += int64(n)
	}
}

// Close notes that pods of a class are on new nodes which take no more pods.
func (s *State) Close(class, n int) {
	for _, k := range s.Classes[class].Adds {
		s.Tallies[k].Here += int64(n)
	}
}

// cellCounts reports whether a node opened in the cell would be looked at by the filter.
func (s *State) cellCounts(f *filter, t *feasible.Table, c *Cell) bool {
	for p, part := range c.Parts {
		if part.Columns == nil {
			continue
		}
		if f.taints {
			if _, ok := f.where.Tolerates(t.Pools[p].Taints); !ok {
				continue
			}
		}
		lacks := func(key string) bool { return !t.MayHave(t.Pools[p], part.Columns, part.Free, key) }
		if slices.ContainsFunc(f.keys, lacks) {
			continue
		}
		if !f.affinity || t.LabelsAllowSome(f.where, t.Pools[p], part.Columns, part.Free) {
			return true
		}
	}
	return false
}
