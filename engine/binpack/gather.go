package binpack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
)

// maxGathered is up to how many machines it is tried whether one can replace several of them.
const maxGathered = 12

// gather puts the pods of three machines or more on one that costs less than all of these: no two of them alone may
// fill it well enough.
func (m *merger) gather() {
	machines, price := 0, 0.0
	for _, o := range m.list {
		machines, price = machines+o.times, price+float64(o.price*float64(o.times))
	}
	if machines > maxGathered {
		return
	}
	for k := len(m.kinds) - 1; k >= 0; k-- {
		if m.kinds[k].price < price {
			m.gatherOn(&m.kinds[k])
		}
	}
}

// gatherOn fills a machine with those of other machines, the dearest first, and opens it if it costs less than they do.
func (m *merger) gatherOn(k *kind) {
	all, price := &opening{bin: board.Bin{Load: make([]int64, len(m.s.table.Resources))}}, 0.0
	var from []int // of list, once for each machine
	for at := len(m.order) - 1; at >= 0; at-- {
		i := m.order[at]
		for range m.list[i].times {
			o := &m.list[i]
			if !k.holds(all.bin.Load, o.bin.Load) || !m.fill(k, all, o) {
				break
			}
			all = m.filled()
			from, price = append(from, i), price+o.price
		}
	}
	if len(from) < 3 || k.price >= float64(price*(1-1e-9)) {
		return
	}
	for _, i := range from {
		m.use(&m.list[i], -1)
	}
	nobody := &opening{bin: board.Bin{Load: make([]int64, len(m.s.table.Resources))}}
	if !m.fill(k, all, nobody) || m.f.price >= float64(price*(1-1e-9)) ||
		m.s.limits.Times(m.f.kind.pool, m.f.column, m.f.keeps) == 0 {
		for _, i := range from {
			m.use(&m.list[i], 1)
		}
		return
	}
	bits := uint64(0)
	for _, i := range from {
		m.list[i].times--
		m.brief[i].gone = m.list[i].times == 0
		bits |= m.brief[i].alone
	}
	m.replace(1)
	m.note(m.list[len(m.list)-1], bits)
}

// filled is what was filled last, to have more added to it.
func (m *merger) filled() *opening {
	return &opening{bin: board.Bin{Load: slices.Clone(m.f.load)}, entries: slices.Clone(m.f.entries)}
}
