package binpack

import (
	"maps"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/colgen"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// columns is a solver's rows as column generation sees them.
type columns struct {
	s     *solver
	kinds []kind
	rows  []int // of the solver's, those with pods left
	at    []int // the reverse, -1 for others
}

// generator is one for the rows with pods left, that knows the patterns of what was opened.
func (s *solver) generator(kinds []kind, effort int, opened []opening) (*colgen.Generator, *columns) {
	c := &columns{s: s, kinds: kinds, at: make([]int, len(s.rows))}
	for r := range s.rows {
		c.at[r] = -1
		if s.rows[r].left > 0 {
			c.at[r] = len(c.rows)
			c.rows = append(c.rows, r)
		}
	}
	p := colgen.Problem{Packer: c, Effort: effort}
	c.extend(&p)
	g := colgen.New(p)
	for _, o := range opened {
		g.Add(colgen.Pattern{Machine: o.kind.index, Content: c.content(o.entries), Price: o.kind.price})
	}
	return g, c
}

// extend lists rows and machines, and makes resources of hostname rules: a node holds only so many pods that a tally
// counts.
func (c *columns) extend(p *colgen.Problem) {
	caps := c.hostCaps()
	tallies := slices.Sorted(maps.Keys(caps))
	for _, r := range c.rows {
		row := &c.s.rows[r]
		need := slices.Clone(row.need)
		for _, t := range tallies {
			n := int64(0)
			if slices.ContainsFunc(row.rules, func(rule hostRule) bool { return rule.tally == t && rule.limits() }) {
				n = 1
			}
			need = append(need, n)
		}
		p.Rows = append(p.Rows, colgen.Row{Need: need, Pods: row.left, Scope: row.scope})
		p.Rules = p.Rules || len(row.rules) > 0
	}
	for i := range c.kinds {
		k := &c.kinds[i]
		room := slices.Clone(k.room)
		for _, t := range tallies {
			room = append(room, caps[t])
		}
		p.Machines = append(p.Machines, colgen.Machine{Price: k.price, Room: room, Takes: k.takes})
		pool := c.s.table.Pools[k.pool]
		p.Rules = p.Rules || pool.Choices || pool.MinValues
	}
}

// hostCaps finds the hostname tallies whose pods limit themselves, and the limits.
func (c *columns) hostCaps() map[int32]int64 {
	caps := map[int32]int64{}
	for _, r := range c.rows {
		for i := range c.s.rows[r].rules {
			if rule := &c.s.rows[r].rules[i]; rule.limits() {
				caps[rule.tally] = max(caps[rule.tally], int64(rule.room(0, math.MaxInt32)))
			}
		}
	}
	return caps
}

// limits reports whether a node may hold only so many of the pods that have the rule.
func (r *hostRule) limits() bool { return r.self && r.kind != spread.Near }

// content is entries by column generation's rows.
func (c *columns) content(entries []board.Entry) (out []colgen.Count) {
	for _, e := range entries {
		out = append(out, colgen.Count{Row: c.at[e.Item], Pods: e.Count})
	}
	return out
}

// Obey is of colgen.Packer.
func (c *columns) Obey(p *colgen.Pattern) bool {
	f := c.s.scratch()
	f.reset(c.s, &c.kinds[p.Machine])
	for _, e := range p.Content {
		f.add(c.s, c.rows[e.Row], e.Pods)
	}
	if !f.finish(c.s) {
		return false
	}
	p.Content = c.content(f.entries)
	return true
}

// load puts a pattern into f; its price is then the cheapest column's that holds it.
func (c *columns) load(f *filling, p *colgen.Pattern) bool {
	f.reset(c.s, &c.kinds[p.Machine])
	pods := 0
	for _, e := range p.Content {
		if f.add(c.s, c.rows[e.Row], e.Pods) < e.Pods {
			return false
		}
		pods += e.Pods
	}
	return f.finish(c.s) && f.count() == pods
}

// RightSized is of colgen.Packer.
func (c *columns) RightSized(p *colgen.Pattern) float64 {
	if !c.load(c.s.scratch(), p) {
		return p.Price
	}
	return c.s.scratch().price
}

// Complete is of colgen.Packer: what greedy packing makes of the pods that are left.
func (c *columns) Complete(left []int) (rest []colgen.Chosen, price float64) {
	before := c.s.save()
	for i, r := range c.rows {
		c.s.rows[r].left = left[i]
	}
	c.s.greedy(c.kinds)
	for _, o := range c.s.opened[before.opened:] {
		p := colgen.Pattern{Machine: o.kind.index, Content: c.content(o.entries), Price: o.price}
		rest = append(rest, colgen.Chosen{Pattern: p, Times: o.times})
		price += float64(o.price * float64(o.times))
	}
	if c.s.leftOver() > 0 {
		price = math.Inf(1)
	}
	c.s.restore(before)
	return rest, price
}

// open opens what was chosen; false if limits or rules that were not looked at do not allow it.
func (c *columns) open(list []colgen.Chosen) bool {
	f := c.s.newFilling()
	for i := range list {
		times := list[i].Times
		if !c.load(f, &list[i].Pattern) || c.s.limits.Times(f.kind.pool, f.column, f.keeps) < times {
			return false
		}
		c.s.openTimes(f, times)
	}
	return c.s.leftOver() == 0
}
