package pack

import (
	"cmp"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// market is the machines that could be opened in a place, those that differ by their zone alone once. Places with the
// same machines share one.
type market struct {
	machines []priced // by price
	bulk     []priced // those that no other one outdoes
	costs    map[podKey]float64
}

// priced is a machine's room and what it costs.
type priced struct {
	room  []int64
	price float64
}

// market is that of a place.
func (a *assigner) market(k maskKey) *market {
	if m, known := a.markets[k]; known {
		return m
	}
	t := a.b.Table
	var list []priced
	mask := newMask(t, k)
	for p, pool := range t.Pools {
		for _, alt := range mask.alts[p] {
			for i := alt.Columns.Next(0); i >= 0; i = alt.Columns.Next(i + 1) {
				next := priced{pool.Room(i), float64(t.Columns[i].Price())}
				if n := len(list); n == 0 || !list[n-1].equals(next) {
					list = append(list, next)
				}
			}
		}
	}
	slices.SortStableFunc(list, func(x, y priced) int { return cmp.Compare(x.price, y.price) })
	same := func(m *market) bool { return slices.EqualFunc(m.machines, list, priced.equals) }
	i := slices.IndexFunc(a.lists, same)
	if i < 0 {
		i = len(a.lists)
		a.lists = append(a.lists, &market{list, inBulk(list), map[podKey]float64{}})
	}
	a.markets[k] = a.lists[i]
	return a.lists[i]
}

func (p priced) equals(q priced) bool { return p.price == q.price && slices.Equal(p.room, q.room) }

// inBulk leaves out machines that another one outdoes. Where machines of twice the size cost twice as much, few are left.
func inBulk(machines []priced) []priced {
	var out []priced
	for i := len(machines) - 1; i >= 0; i-- { // the large ones outdo the others
		if !slices.ContainsFunc(out, func(p priced) bool { return p.outdoes(machines[i]) }) {
			out = append(out, machines[i])
		}
	}
	return out
}

// outdoes reports whether a machine holds whatever another one holds, and none of its resources costs more: then no pod
// costs less on the other, unless a node may hold only so many.
func (p priced) outdoes(q priced) bool {
	for d, n := range q.room {
		if n > 0 && (p.room[d] < n || p.price*float64(n) > q.price*float64(p.room[d])) {
			return false
		}
	}
	return true
}

// cost is what a pod costs at best; infinite if no machine holds it.
func (m *market) cost(k podKey, first []int64) float64 {
	cost, known := m.costs[k]
	if known {
		return cost
	}
	cost = math.Inf(1)
	if k.most == 0 {
		for i := range m.bulk {
			if share, fits := dominant(first, m.bulk[i].room); fits {
				cost = min(cost, share*m.bulk[i].price)
			}
		}
	} else {
		least := 1 / float64(k.most)
		for i := 0; i < len(m.machines) && least*m.machines[i].price < cost; i++ {
			if share, fits := dominant(first, m.machines[i].room); fits {
				cost = min(cost, max(share, least)*m.machines[i].price)
			}
		}
	}
	m.costs[k] = cost
	return cost
}

// dominant is the largest fraction of room that need takes.
func dominant(need, room []int64) (share float64, fits bool) {
	if feasible.Fits(need, room, 1) == 0 {
		return 0, false
	}
	for d, n := range need {
		if n > 0 {
			share = max(share, float64(n)/float64(room[d]))
		}
	}
	return share, true
}
