package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Task is what Solve works on.
type Task struct {
	Table     *feasible.Table
	Spread    *spread.State
	Items     []Item
	NodePrice shape.Money // added to each node's price in comparisons
	Effort    int         // steps that may be spent on improving
}

// Result is new nodes and what is left over.
type Result struct {
	Bins  []Bin
	Left  []int // by item: pods for which no node may be opened
	Steps int
}

// Solve packs the items into new nodes.
func Solve(task Task) Result {
	s := &solver{table: task.Table, spread: task.Spread, items: task.Items, nodePrice: task.NodePrice, limits: newLimits(task.Table)}
	s.prepare()
	for _, pools := range tiers(task.Table) {
		s.fill(pools)
	}
	return Result{Bins: s.bins, Left: s.left}
}

type solver struct {
	table     *feasible.Table
	spread    *spread.State
	items     []Item
	nodePrice shape.Money
	limits    *limits

	masks  []mask
	maskOf []int // by item
	need   [][]int64
	left   []int // by item: pods still to be packed
	bins   []Bin
}

func (s *solver) prepare() {
	at := map[maskKey]int{}
	s.left = make([]int, len(s.items))
	s.maskOf = make([]int, len(s.items))
	s.need = make([][]int64, len(s.items))
	for i, it := range s.items {
		c := s.table.Classes[it.Class]
		k := maskKey{c.Where, it.Cell}
		m, ok := at[k]
		if !ok {
			m = len(s.masks)
			at[k] = m
			s.masks = append(s.masks, newMask(s.table, k))
		}
		s.left[i], s.maskOf[i], s.need[i] = it.Count, m, c.Need
	}
}

// tiers groups pools of equal weight, highest weight first. Pools of one tier compete on price.
func tiers(t *feasible.Table) [][]int {
	var out [][]int
	for p, pool := range t.Pools {
		if p == 0 || t.Pools[p-1].Weight != pool.Weight {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}

// fill opens nodes from some pools until nothing more can be packed into them.
func (s *solver) fill(pools []int) {
	if !slices.ContainsFunc(s.left, func(n int) bool { return n > 0 }) {
		return
	}
	kinds := s.kinds(pools)
	worth := s.worth(kinds)
	for {
		best, score := pattern{}, 0.0
		for i := range kinds {
			k := &kinds[i]
			if s.limits.machines(k.pool, &s.table.Columns[k.column]) == 0 {
				continue
			}
			p := s.pattern(k)
			value := 0.0
			for _, e := range p.entries {
				value += worth[e.Item] * float64(e.Count)
			}
			if value > 0 && (best.kind == nil || value > score*p.price()) {
				best, score = p, value/p.price()
			}
		}
		if best.kind == nil {
			return
		}
		s.open(best)
	}
}

// worth is the least that a pod of each item can cost: its share of the machine that is cheapest
// for the resource that it has most of.
func (s *solver) worth(kinds []kind) []float64 {
	rate := make([]float64, len(s.table.Resources)) // price of a unit
	for d := range rate {
		for i := range kinds {
			if room := kinds[i].room[d]; room > 0 {
				if r := kinds[i].price / float64(room); rate[d] == 0 || r < rate[d] {
					rate[d] = r
				}
			}
		}
	}
	out := make([]float64, len(s.items))
	for i, need := range s.need {
		for d, n := range need {
			if n > 0 {
				out[i] += rate[d] * float64(n)
			}
		}
	}
	return out
}

// pattern is what one machine would take of what is left.
type pattern struct {
	kind    *kind
	entries []Entry
	columns bitset.Set
	free    bitset.Set
	load    []int64
}

func (p *pattern) price() float64 { return max(p.kind.price, 1) }

// pattern fills one machine, largest items first.
func (s *solver) pattern(k *kind) pattern {
	p := pattern{kind: k, load: make([]int64, len(k.room)), free: s.table.Pools[k.pool].AllFree()}
	room := slices.Clone(k.room)
	host := map[int32]int32{}
	for i := range s.items {
		if s.left[i] == 0 || !k.takes.Has(s.maskOf[i]) {
			continue
		}
		n := feasible.Fits(s.need[i], room, s.left[i])
		if n == 0 {
			continue
		}
		class := s.items[i].Class
		if s.spread.Classes[class].Hosts {
			n = s.spread.HostRoom(class, func(tally int32) int32 { return host[tally] }, n)
			if n == 0 {
				continue
			}
		}
		alt := s.masks[s.maskOf[i]].pick(s.table.Pools[k.pool], k, p.free)
		if alt == nil {
			continue
		}
		p.free.Keep(alt.Free)
		for _, tally := range s.spread.Classes[class].Adds {
			host[tally] += int32(n)
		}
		for d, need := range s.need[i] {
			room[d] -= need * int64(n)
			p.load[d] += need * int64(n)
		}
		p.entries = append(p.entries, Entry{i, n})
	}
	return p
}

// pick finds an alternative that has the kind's column and goes with what the bin's labels are so far.
func (m *mask) pick(pool *feasible.Pool, k *kind, free bitset.Set) *feasible.Alternative {
	for i := range m.alts[k.pool] {
		a := &m.alts[k.pool][i]
		if a.Columns.Has(k.column) && pool.FreeLeft(a.Free.And(free)) {
			return a
		}
	}
	return nil
}

// open opens as many machines with the same content as there are pods for.
func (s *solver) open(p pattern) {
	bin := s.bin(p)
	column := &s.table.Columns[bin.Column]
	times := s.limits.machines(p.kind.pool, column)
	for _, e := range p.entries {
		times = min(times, s.left[e.Item]/e.Count)
	}
	for range times {
		b := bin
		b.Load, b.Entries = slices.Clone(bin.Load), slices.Clone(bin.Entries)
		s.bins = append(s.bins, b)
	}
	s.limits.take(p.kind.pool, column, times)
	for _, e := range p.entries {
		s.left[e.Item] -= e.Count * times
	}
}

// bin works out all columns that a pattern's pods may use and plans for the cheapest.
func (s *solver) bin(p pattern) Bin {
	pool := s.table.Pools[p.kind.pool]
	b := Bin{Pool: p.kind.pool, Column: p.kind.column, Columns: pool.Usable.Clone(), Free: p.free, Load: p.load, Entries: p.entries}
	for _, e := range p.entries {
		alt := s.masks[s.maskOf[e.Item]].pick(pool, p.kind, p.free)
		b.Columns.Keep(alt.Columns)
	}
	for i := b.Columns.Next(0); i >= 0; i = b.Columns.Next(i + 1) {
		if feasible.Holds(b.Load, pool.Room(i)) && s.limits.machines(b.Pool, &s.table.Columns[i]) > 0 {
			b.Column = i
			break
		}
	}
	return b
}
