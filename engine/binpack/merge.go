package binpack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
)

// FewerNodes is by which part of the price a plan may cost more than the cheapest known if it has fewer nodes.
const FewerNodes = 0.005

// ProvenEnough is how far above what was proved a plan may get for the sake of fewer nodes.
const ProvenEnough = 1.009

// maxPartners is how many machines a machine is tried to be merged with.
const maxPartners = 100

// maxThorough is up to how many machines those that are cheaper than one of two are tried for both, too.
const maxThorough = 100

// merge puts the pods of two machines on one larger one, of whichever pool, again and again, while that costs no more
// than FewerNodes allows; most clouds ask for a machine twice the size twice the price. Only what was opened from the
// given position on is touched.
func (s *solver) merge(kinds []kind, since int) {
	if s.effort <= s.steps {
		return
	}
	m := &merger{s: s, kinds: kinds, f: s.newFilling()}
	price := 0.0
	for _, o := range s.opened[since:] {
		price += float64(o.price * float64(o.times))
	}
	m.spare = float64(price * FewerNodes)
	if s.floor > 0 {
		m.spare = min(m.spare, max(float64(s.floor*ProvenEnough)-price, 0))
	}
	m.list = slices.Clone(s.opened[since:])
	for _, o := range m.list {
		m.note(o, alone(s, o))
	}
	m.order = countUp(len(m.list))
	slices.SortStableFunc(m.order, func(i, j int) int { return cmp.Compare(m.list[i].price, m.list[j].price) })
	for _, free := range []bool{true, false} { // what costs nothing comes first
		for at := 0; at < len(m.order); at++ {
			m.grow(at, free)
		}
	}
	m.gather()
	if scarce(s, kinds) {
		for at := 0; at < len(m.order); at++ {
			m.cheapen(at)
		}
	}
	s.opened = s.opened[:since]
	for _, o := range m.list {
		if o.times > 0 {
			s.opened = append(s.opened, o)
		}
	}
}

// maxGathered is up to how many machines one is tried for more than two of them.
const maxGathered = 40

// gather has one machine take the place of more than two others, as long as that saves money: no two of them may be
// worth it.
func (m *merger) gather() {
	if len(m.order) > maxGathered {
		return
	}
	for k := len(m.kinds) - 1; k >= 0; k-- {
		for m.gatherInto(&m.kinds[k]) {
		}
	}
}

// gatherInto opens one machine of a kind for those that fit in together, the dearest of them first.
func (m *merger) gatherInto(k *kind) bool {
	whole := &opening{bin: board.Bin{Load: make([]int64, len(m.s.table.Resources))}}
	var taken []*opening
	price := 0.0
	for at := len(m.order) - 1; at >= 0; at-- {
		o := &m.list[m.order[at]]
		for n := 0; n < o.times && k.holds(whole.bin.Load, o.bin.Load); n++ {
			m.use(o, -1)
			if !m.fill(k, whole, o) {
				m.use(o, 1)
				break
			}
			taken, price = append(taken, o), price+o.price
			whole.entries = slices.Clone(m.f.entries)
			for d, load := range o.bin.Load {
				whole.bin.Load[d] += load
			}
		}
	}
	nobody := &opening{bin: board.Bin{Load: make([]int64, len(m.s.table.Resources))}}
	ok := len(taken) > 2 && m.fill(k, whole, nobody) && m.f.price < price &&
		m.s.limits.Times(m.f.kind.pool, m.f.column, m.f.keeps) > 0
	for _, o := range taken {
		if ok {
			o.times--
		} else {
			m.use(o, 1)
		}
	}
	if ok {
		m.replace(1)
	}
	return ok
}

// alone is a set of bits, one for every hostname tally of which the opening's node may hold only one pod.
// Tallies may share a bit: then some machines are not merged that could be.
func alone(s *solver, o opening) (bits uint64) {
	for _, e := range o.entries {
		for i := range s.rows[e.Item].rules {
			if r := &s.rows[e.Item].rules[i]; r.limits() && r.room(0, 2) == 1 {
				bits |= 1 << (r.tally & 63)
			}
		}
	}
	return bits
}

type merger struct {
	s     *solver
	kinds []kind
	list  []opening // those used up have no times left
	brief []brief   // of list
	order []int     // of list, by price, then as they were added
	f     *filling
	spare float64 // what may still be spent on having fewer nodes
}

// brief is what most pairs are told apart by. Openings themselves are far from each other in memory.
type brief struct {
	alone uint64 // pods that bear no second of their kind on their node, as a hash
	gone  bool   // no times left
}

func (m *merger) note(o opening, alone uint64) {
	m.brief = append(m.brief, brief{alone, o.times == 0})
}

// grow merges an opening with itself and with those that come after it.
func (m *merger) grow(at int, free bool) {
	tried, i := 0, m.order[at]
	for next := at; next < len(m.order) && !m.brief[i].gone && tried < maxPartners; next++ {
		j := m.order[next]
		o := &m.brief[j]
		if o.gone {
			continue
		}
		tried++
		if o.alone&m.brief[i].alone != 0 {
			continue
		}
		for m.join(i, j, free) {
		}
	}
}

// join merges as many machines of two openings as it can, in pairs.
func (m *merger) join(i, j int, free bool) bool {
	a, b := &m.list[i], &m.list[j]
	times := min(a.times, b.times)
	if i == j {
		times = a.times / 2
	}
	if times == 0 {
		return false
	}
	extra := 0.0
	if !free {
		extra = m.spare
	}
	m.use(a, -times) // what they have of limits and reservations is the new one's to take
	m.use(b, -times)
	ok := m.together(a, b, extra)
	if ok {
		if more := m.f.price - a.price - b.price; more > 0 && int(m.spare/more) < times {
			m.use(a, times-int(m.spare/more))
			m.use(b, times-int(m.spare/more))
			times = int(m.spare / more)
		}
	}
	if !ok || times == 0 || m.s.limits.Times(m.f.kind.pool, m.f.column, m.f.keeps) < times {
		m.use(a, times)
		m.use(b, times)
		return false
	}
	m.spare -= float64((m.f.price - a.price - b.price) * float64(times))
	a.times -= times
	b.times -= times
	m.brief[i].gone, m.brief[j].gone = a.times == 0, b.times == 0
	m.replace(times)
	m.note(m.list[len(m.list)-1], m.brief[i].alone|m.brief[j].alone)
	return true
}

// scarce reports whether there are only so many machines of some kinds.
func scarce(s *solver, kinds []kind) bool {
	return s.table.Reserved || slices.ContainsFunc(kinds, func(k kind) bool {
		return len(s.table.Pools[k.pool].Limits) > 0
	})
}

// cheapen has machines of an opening be cheaper ones, which others left when they were merged.
func (m *merger) cheapen(at int) {
	o := &m.list[m.order[at]]
	nobody := &opening{bin: board.Bin{Load: make([]int64, len(m.s.table.Resources))}}
	for k := 0; k < len(m.kinds) && o.times > 0 && m.kinds[k].price < o.price; k++ {
		if !m.kinds[k].holds(o.bin.Load, nobody.bin.Load) {
			continue
		}
		m.use(o, -o.times)
		times := 0
		if m.fill(&m.kinds[k], o, nobody) && m.f.price < o.price {
			times = min(o.times, m.s.limits.Times(m.f.kind.pool, m.f.column, m.f.keeps))
		}
		m.use(o, o.times-times)
		if times > 0 {
			o.times -= times
			m.replace(times)
			o = &m.list[m.order[at]]
		}
	}
}

// replace opens what was filled so often in place of machines with the same pods, and has it come last.
func (m *merger) replace(times int) {
	for _, e := range m.f.entries {
		m.s.rows[e.Item].left += e.Count * times
	}
	m.s.openTimes(m.f, times)
	last := len(m.s.opened) - 1
	m.order = append(m.order, len(m.list))
	m.list, m.s.opened = append(m.list, m.s.opened[last]), m.s.opened[:last]
}

// use takes so many machines of an opening off its pool's limits.
func (m *merger) use(o *opening, times int) {
	m.s.limits.Take(o.kind.pool, o.bin.Column, o.bin.Keeps, times)
}

// rounding is by which part a sum of prices may be off: two machines that cost as much as one are not to differ by it.
const rounding = 1e-12

// together fills a machine with the pods of both for at most so much more than the two cost.
func (m *merger) together(a, b *opening, extra float64) bool {
	most := float64((a.price + b.price + extra) * (1 + rounding))
	// greedy filling would have found a cheaper one, but for reservations and pods that need each other
	least := max(a.price, b.price)
	if len(m.list) <= maxThorough {
		least = 0
	}
	from, _ := slices.BinarySearchFunc(m.kinds, least, func(k kind, price float64) int {
		return cmp.Compare(k.price, price)
	})
	for k := from; k < len(m.kinds) && m.kinds[k].price <= most; k++ {
		if kd := &m.kinds[k]; kd.holds(a.bin.Load, b.bin.Load) && m.fill(kd, a, b) && m.f.price <= most {
			return true
		}
	}
	return false
}

func (k *kind) holds(a, b []int64) bool {
	for d := range a {
		if n := a[d] + b[d]; n > 0 && n > k.room[d] {
			return false
		}
	}
	return true
}

// fill puts the pods of both openings into a machine, all of them or it fails.
func (m *merger) fill(k *kind, a, b *opening) bool {
	m.f.reset(m.s, k)
	pods := 0
	i, j := 0, 0
	x, y := sorted(a.entries), sorted(b.entries)
	for i < len(x) || j < len(y) {
		var e board.Entry
		switch {
		case j == len(y) || i < len(x) && x[i].Item < y[j].Item:
			e = x[i]
			i++
		case i == len(x) || y[j].Item < x[i].Item:
			e = y[j]
			j++
		default:
			e = board.Entry{Item: x[i].Item, Count: x[i].Count + y[j].Count}
			i, j = i+1, j+1
		}
		pods += e.Count
		if !k.takes.Has(m.s.rows[e.Item].scope) || m.f.add(m.s, e.Item, e.Count) < e.Count {
			return false
		}
	}
	return m.f.finish(m.s) && m.f.count() == pods
}

func sorted(list []board.Entry) []board.Entry {
	if slices.IsSortedFunc(list, byItem) {
		return list
	}
	out := slices.Clone(list)
	slices.SortFunc(out, byItem)
	return out
}

func byItem(a, b board.Entry) int { return cmp.Compare(a.Item, b.Item) }
