package pack

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// market is the machines that could be opened in a place, those that differ by their zone alone once. Places with the
// same machines share one.
type market struct {
	machines []priced
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
	same := func(m *market) bool { return slices.EqualFunc(m.machines, list, priced.equals) }
	i := slices.IndexFunc(a.lists, same)
	if i < 0 {
		i = len(a.lists)
		a.lists = append(a.lists, &market{list, map[podKey]float64{}})
	}
	a.markets[k] = a.lists[i]
	return a.lists[i]
}

func (p priced) equals(q priced) bool { return p.price == q.price && slices.Equal(p.room, q.room) }

// cost is what a pod costs at best; infinite if no machine holds it.
func (m *market) cost(k podKey, first []int64) float64 {
	cost, known := m.costs[k]
	if known {
		return cost
	}
	cost = math.Inf(1)
	for i := range m.machines {
		if share, fits := dominant(first, m.machines[i].room); fits {
			if k.most > 0 {
				share = max(share, 1/float64(k.most))
			}
			cost = min(cost, share*m.machines[i].price)
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
