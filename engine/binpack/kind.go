package binpack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/place"
)

// kind is a machine worth considering: the cheapest column of its pool with this room
// for these items.
type kind struct {
	index  int // in its list
	pool   int
	column int
	price  float64 // with Policy's price of a node
	room   []int64
	takes  bitset.Set // of scopes
}

// kinds lists the machines of some pools that no cheaper one can stand in for, cheapest first.
func (s *solver) kinds(pools []int) []kind {
	t := s.table
	var out []kind
	takes := bitset.New(len(s.scopes))
	for _, p := range pools {
		pool := t.Pools[p]
		for i := pool.Usable.Next(0); i >= 0; i = pool.Usable.Next(i + 1) {
			s.takenBy(p, i, takes)
			k := kind{
				pool: p, column: i, price: s.cost(p, i), room: pool.Room(i),
				takes: takes,
			}
			if takes.Any() && !replacedByOneOf(out, &k) {
				k.takes = s.wordSlab.copy(takes)
				out = append(out, k)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.price, b.price), cmp.Compare(a.column, b.column), cmp.Compare(a.pool, b.pool))
	})
	out = undominated(out)
	for i := range out {
		out[i].index = i
	}
	return out
}

// takenBy makes takes the scopes that allow a column of a pool.
func (s *solver) takenBy(pool, column int, takes bitset.Set) {
	clear(takes)
	for m := range s.scopes {
		if s.scopes[m].Has(pool, column) {
			takes.Add(m)
		}
	}
}

// compared is how many kinds are compared with one at once: columns of equal price, which are mostly those of one type,
// stand together.
const compared = 8

// replacedByOneOf reports whether one of the last kinds costs as much as k and can replace it.
func replacedByOneOf(list []kind, k *kind) bool {
	for i := len(list) - 1; i >= max(len(list)-compared, 0) && list[i].price == k.price; i-- {
		if list[i].replaces(k) {
			return true
		}
	}
	return false
}

// kindsAnywhere lists the machines of some pools as if no pod's domain had been settled: what a plan costs at least
// must not follow from a choice that another plan may make otherwise. nil if that adds none.
func (s *solver) kindsAnywhere(pools []int) []kind {
	if noneSettled(s) {
		return nil
	}
	settled, free := s.scopes, []place.Scope(nil)
	seen := map[*feasible.Where]bool{}
	for _, it := range s.items {
		if where := s.table.Classes[it.Class].Where; !seen[where] {
			seen[where] = true
			free = append(free, place.NewScope(s.table, place.ScopeKey{Where: where}))
		}
	}
	adds := func(p int) bool {
		all := columnsOf(s, free, p)
		all.Drop(columnsOf(s, settled, p))
		return all.Any()
	}
	if !slices.ContainsFunc(pools, adds) {
		return nil
	}
	s.scopes = free
	out := s.kinds(pools)
	s.scopes = settled
	return out
}

// columnsOf is what a pool may buy for pods of any scope.
func columnsOf(s *solver, scopes []place.Scope, pool int) bitset.Set {
	out := bitset.New(len(s.table.Columns))
	for m := range scopes {
		for i := range scopes[m].ByPool[pool] {
			out.Join(scopes[m].ByPool[pool][i].Columns)
		}
	}
	return out
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
func pick(m *place.Scope, pool *feasible.Pool, k *kind, free bitset.Set) *feasible.Alternative {
	for i := range m.ByPool[k.pool] {
		a := &m.ByPool[k.pool][i]
		if a.Columns.Has(k.column) && (!pool.Choices || pool.FreeLeft(a.Free.And(free))) {
			return a
		}
	}
	return nil
}
