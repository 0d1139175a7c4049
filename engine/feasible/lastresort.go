package feasible

import "github.com/dovetail-sh/dovetail/engine/bitset"

// lastResort are the columns whose types a launch leaves out while it has others.
func (off *Offerings) lastResort() bitset.Set {
	out := bitset.New(len(off.Columns))
	for i := range off.Columns {
		if off.Columns[i].Type.LastResort {
			out.Add(i)
		}
	}
	return out
}

// reserveLastResort leaves usable of the columns of last resort those that some class can go to and nowhere else in the
// pool: packing for the others would reckon with machines that cannot be had. A node for such a class takes other
// pods along.
func (cp *compiler) reserveLastResort() {
	for _, p := range cp.t.Pools {
		if p.plain == nil {
			continue
		}
		usable := p.plain.Clone()
		for _, c := range cp.t.Classes {
			cp.needed(c, p, usable)
		}
		p.Usable = usable
	}
}

// needed adds those columns of last resort to a pool's usable ones without which it has none for a class.
func (cp *compiler) needed(c *Class, p *Pool, usable bitset.Set) {
	for _, alt := range cp.t.Alternatives(c.Where, p) {
		columns := alt.Columns.And(p.stock)
		p.reaching(c.First, columns)
		if !p.plain.Meets(columns) {
			usable.Join(columns)
		}
	}
}
