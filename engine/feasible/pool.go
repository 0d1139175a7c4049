package feasible

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Pool is a NodePool compiled.
type Pool struct {
	*shape.Pool

	// Limits are those of the pool's that a plan can reach. A problem without limits is a simpler one.
	Limits []shape.Limit

	// Wishes are the pool's requirements and labels together, with its own name.
	Wishes require.Set

	// MinValues is set when a launch has to keep several values of some label.
	MinValues bool

	// Columns that the pool's wishes allow, available or not.
	Columns bitset.Set
	// Usable are those of Columns that can be bought and have room left beside the daemons, without those of last
	// resort that no class needs.
	Usable bitset.Set

	// Free are labels that the pool gives its nodes but that offerings say nothing about:
	// which value a node gets is settled by the pods on it.
	Free     []FreeLabel
	Choices  bool // some free label may have more than one value
	freeBits int
	freeFull bitset.Set

	named   bitset.Set // columns of the types that the pool lists
	stock   bitset.Set // Usable, and all of last resort
	plain   bitset.Set // stock without those of last resort; nil if it has none, or a launch leaves none out
	dims    int
	room    []int64  // by column
	ladders []ladder // by dimension, built when first asked
}

// buildPools compiles the pools; last is the Table whose columns these are, nil if they are new.
func (cp *compiler) buildPools(last *Table) {
	for _, sp := range cp.t.snapshot.Pools {
		var p *Pool
		if last != nil {
			p = cp.takePool(last, sp)
		}
		if p == nil {
			p = cp.compilePool(sp)
		}
		cp.t.Pools = append(cp.t.Pools, p)
	}
	slices.SortFunc(cp.t.Pools, func(a, b *Pool) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Name, b.Name))
	})
}

func (cp *compiler) compilePool(sp *shape.Pool) *Pool {
	p := &Pool{
		Pool: sp, Limits: cp.withinReach(sp.Limits), dims: len(cp.t.Resources),
		ladders: make([]ladder, len(cp.t.Resources)),
		Columns: bitset.New(len(cp.t.Columns)),
	}
	p.Wishes = require.New(sp.Requirements).And(require.OfLabels(sp.Labels)).
		And(require.OfLabels([]shape.Label{{Key: shape.LabelNodePool, Value: sp.Name}}))
	in := make(map[int32]bool, len(sp.Types))
	for _, i := range sp.Types {
		in[i] = true
	}
	for i := range cp.t.Columns {
		if in[cp.t.Columns[i].typeIndex] {
			p.Columns.Add(i)
		}
	}
	p.named = p.Columns.Clone()
	for _, v := range p.Wishes.All() {
		p.MinValues = p.MinValues || v.MinValues() > 0
		if cp.t.key(v.Key()).defined.Meets(p.named) {
			p.Columns.Keep(cp.t.meeting(v))
		} else {
			p.addFree(cp, v)
		}
	}
	p.freeFull = bitset.Full(p.freeBits)
	cp.furnish(p)
	return p
}

// furnish works out how much room each column has beside the daemons that will run there.
func (cp *compiler) furnish(p *Pool) {
	d := p.dims
	p.room = make([]int64, len(cp.t.Columns)*d)
	for i := range cp.t.Columns {
		copy(p.room[i*d:], cp.t.Columns[i].room)
	}
	for _, ds := range cp.t.snapshot.DaemonSets {
		c := cp.t.daemonClass(ds)
		if c == nil {
			continue
		}
		need := cp.t.Flat(c.Requests)
		runs := bitset.New(len(cp.t.Columns))
		for _, alt := range cp.t.Alternatives(cp.t.where(c), p) {
			runs.Join(alt.Columns)
		}
		for i := runs.Next(0); i >= 0; i = runs.Next(i + 1) {
			for k, n := range need {
				p.room[i*d+k] -= n
			}
		}
	}
	p.Usable = bitset.New(len(cp.t.Columns))
	p.stock = p.Usable
	if p.NotReady != "" {
		return
	}
	p.Usable = p.Columns.And(cp.t.Available)
	for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
		if slices.Min(p.Room(i)) < 0 {
			p.Usable.Remove(i)
		}
	}
	p.stock = p.Usable
	if last := cp.t.lastResort(); !p.MinValues && last.Meets(p.stock) {
		p.plain = p.stock.Clone()
		p.plain.Drop(last)
	}
}

// Alternatives lists the ways in which pods can go to new nodes of a pool; none if they cannot.
// Availability is not looked at.
func (t *Table) Alternatives(w *Where, p *Pool) []Alternative {
	if alts, known := w.alternatives[p]; known {
		return alts
	}
	var alts []Alternative
	if _, ok := w.Tolerates(p.Taints); ok && !w.noNode {
		alts = []Alternative{{Columns: p.Columns.Clone(), Free: p.freeFull.Clone()}}
		alts = t.narrow(alts, p, []term{{labels: w.selector}})
		alts = t.narrow(alts, p, w.terms)
		alts = t.narrow(alts, p, w.volumes)
		alts = t.narrow(alts, p, w.untried)
		for i := range w.repelled {
			alts = t.withoutDaemon(alts, p, &w.repelled[i])
		}
	}
	w.alternatives[p] = alts
	return alts
}

// narrow crosses alternatives with OR terms, and merges those that leave the same labels free.
func (off *Offerings) narrow(alts []Alternative, p *Pool, list []term) []Alternative {
	if len(list) == 0 {
		return alts
	}
	var out []Alternative
	for _, a := range alts {
		for i := range list {
			b := Alternative{Columns: a.Columns.Clone(), Free: a.Free.Clone()}
			if !off.apply(&b, p, &list[i]) {
				continue
			}
			if k := slices.IndexFunc(out, func(o Alternative) bool { return o.Free.Equal(b.Free) }); k >= 0 {
				out[k].Columns.Join(b.Columns)
			} else {
				out = append(out, b)
			}
		}
	}
	return out
}

// apply narrows an alternative by one term; false if nothing is left.
func (off *Offerings) apply(a *Alternative, p *Pool, tm *term) bool {
	if tm.empty {
		return false
	}
	for _, v := range tm.names {
		if _, listed := v.List(); listed { // In names: the name of a new node is not known yet
			return false
		}
	}
	for _, v := range tm.labels.All() {
		if v.Key() == shape.LabelHostname {
			if !newHost(v) {
				return false
			}
			continue
		}
		if f := p.free(v.Key()); f != nil {
			f.narrow(a.Free, v)
			if !a.Free.AnyIn(f.from, f.upto) {
				return false
			}
			continue
		}
		a.Columns.Keep(off.meeting(v))
	}
	return a.Columns.Any()
}

// newHost reports whether the host name of a new node can be a member. It is not known yet: it is none that is listed,
// and no number.
func newHost(v require.Values) bool {
	_, listed := v.List()
	return !listed && !v.Bounded()
}

// Restrict narrows columns and free labels to nodes whose label has the value, or lacks it
// when missing is set. It reports whether anything is left.
func (off *Offerings) Restrict(p *Pool, columns, free bitset.Set, key, value string, missing bool) bool {
	v := require.Only(key, value)
	if missing {
		v = require.Missing(key)
	}
	if f := p.free(key); f != nil {
		f.narrow(free, v)
		return free.AnyIn(f.from, f.upto)
	}
	columns.Keep(off.meeting(v))
	return columns.Any()
}

// withinReach leaves out limits that cannot bind: not even if every pod had a machine of its own, the largest there is.
func (cp *compiler) withinReach(limits []shape.Limit) []shape.Limit {
	machines := int64(len(cp.t.snapshot.Pods))
	var out []shape.Limit
	for _, l := range limits {
		most := int64(1) // of LimitNodes, and so that a resource which no machine has never binds
		if l.Resource != shape.LimitNodes {
			for i := range cp.t.Columns {
				most = max(most, cp.t.Columns[i].Type.Capacity.Get(l.Resource))
			}
		}
		if left := l.Max - l.Used; left < 0 || left/most < machines {
			out = append(out, l)
		}
	}
	return out
}

// Tiers groups pools of equal weight, highest weight first. Pools of one tier compete on price.
func Tiers(t *Table) [][]int {
	var out [][]int
	for p, pool := range t.Pools {
		if p == 0 || t.Pools[p-1].Weight != pool.Weight {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}
