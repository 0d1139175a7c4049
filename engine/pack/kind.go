package pack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// kind is a machine worth considering: the cheapest column of its pool with this room
// for these items.
type kind struct {
	pool   int
	column int
	price  float64 // with Policy's price of a node
	room   []int64
	takes  bitset.Set // of masks
}

// mask is where pods may go: what items of the same Where and cell share.
type mask struct {
	alts [][]feasible.Alternative // by pool
}

type maskKey struct {
	where *feasible.Where
	cell  *spread.Cell
}

// newMask narrows a class's alternatives to its cell and to what can be bought.
func newMask(t *feasible.Table, k maskKey) mask {
	m := mask{alts: make([][]feasible.Alternative, len(t.Pools))}
	for p, pool := range t.Pools {
		if k.cell != nil && k.cell.Parts[p].Columns == nil {
			continue
		}
		for _, alt := range t.Alternatives(k.where, pool) {
			a := feasible.Alternative{Columns: alt.Columns.And(pool.Usable), Free: alt.Free}
			if k.cell != nil {
				a.Columns.Keep(k.cell.Parts[p].Columns)
				a.Free = alt.Free.And(k.cell.Parts[p].Free)
			}
			if a.Columns.Any() && pool.FreeLeft(a.Free) {
				m.alts[p] = append(m.alts[p], a)
			}
		}
	}
	return m
}

// kinds lists the machines of some pools that no cheaper one can stand in for, cheapest first.
func (s *solver) kinds(pools []int) []kind {
	t := s.table
	var out []kind
	takes := bitset.New(len(s.masks))
	for _, p := range pools {
		pool := t.Pools[p]
		for i := pool.Usable.Next(0); i >= 0; i = pool.Usable.Next(i + 1) {
			clear(takes)
			for m := range s.masks {
				if s.masks[m].has(p, i) {
					takes.Add(m)
				}
			}
			k := kind{pool: p, column: i, price: float64(t.Columns[i].Price() + s.nodePrice), room: pool.Room(i), takes: takes}
			if takes.Any() && !standsIn(out, &k) {
				k.takes = s.words.copy(takes)
				out = append(out, k)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.price, b.price), cmp.Compare(a.column, b.column), cmp.Compare(a.pool, b.pool))
	})
	return undominated(out)
}

// nearby is how many kinds are compared with one at once: columns of equal price, which are mostly those of one type,
// stand together.
const nearby = 8

// standsIn reports whether one of the last kinds costs as much as k and can replace it.
func standsIn(list []kind, k *kind) bool {
	for i := len(list) - 1; i >= max(len(list)-nearby, 0) && list[i].price == k.price; i-- {
		if list[i].replaces(k) {
			return true
		}
	}
	return false
}

// unsettled lists the machines of some pools as if no pod's domain had been settled: what a plan costs at least must
// not follow from a choice that another plan may make otherwise. nil if that adds none.
func (s *solver) unsettled(pools []int) []kind {
	if s.unbound() {
		return nil
	}
	settled, free := s.masks, []mask(nil)
	seen := map[*feasible.Where]bool{}
	for _, it := range s.items {
		if where := s.table.Classes[it.Class].Where; !seen[where] {
			seen[where] = true
			free = append(free, newMask(s.table, maskKey{where: where}))
		}
	}
	adds := func(p int) bool {
		all := s.columnsOf(free, p)
		all.Drop(s.columnsOf(settled, p))
		return all.Any()
	}
	if !slices.ContainsFunc(pools, adds) {
		return nil
	}
	s.masks = free
	out := s.kinds(pools)
	s.masks = settled
	return out
}

// columnsOf is what a pool may buy for anybody.
func (s *solver) columnsOf(masks []mask, pool int) bitset.Set {
	out := bitset.New(len(s.table.Columns))
	for m := range masks {
		for i := range masks[m].alts[pool] {
			out.Join(masks[m].alts[pool][i].Columns)
		}
	}
	return out
}

func (m *mask) has(pool, column int) bool {
	for i := range m.alts[pool] {
		if m.alts[pool][i].Columns.Has(column) {
			return true
		}
	}
	return false
}

// undominated drops machines that another one replaces at no higher price. The list ascends by price and is used up.
func undominated(list []kind) []kind {
	out := list[:0]
	var most []int64 // by out: the most of the first resource that a kind up to there has
	for i := range list {
		own := list[i].room[0]
		dominated := false
		for j := len(out) - 1; j >= 0 && most[j] >= own && !dominated; j-- {
			dominated = out[j].replaces(&list[i])
		}
		if !dominated {
			if n := len(most); n > 0 {
				own = max(own, most[n-1])
			}
			out, most = append(out, list[i]), append(most, own)
		}
	}
	return out
}

func (k *kind) replaces(l *kind) bool {
	if k.pool != l.pool {
		return false
	}
	for d, n := range l.room {
		if n > k.room[d] {
			return false
		}
	}
	for w := range l.takes {
		if l.takes[w]&^k.takes[w] != 0 {
			return false
		}
	}
	return true
}

// pick finds an alternative that has the kind's column and goes with what the bin's labels are so far.
func (m *mask) pick(pool *feasible.Pool, k *kind, free bitset.Set) *feasible.Alternative {
	for i := range m.alts[k.pool] {
		a := &m.alts[k.pool][i]
		if a.Columns.Has(k.column) && (!pool.Choices || pool.FreeLeft(a.Free.And(free))) {
			return a
		}
	}
	return nil
}
