package place

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// priceList is the machines that could be opened in a place, those that differ by their zone alone once. Places with
// the same machines share one.
type priceList struct {
	machines  []machine // by price
	efficient []machine // those that no other one outdoes
	costs     map[podKey]float64
}

// machine is a machine's room and what it costs.
type machine struct {
	room  []int64
	price float64
	left  int // of a reservation; 0 for any number
}

// priceList is that of a place.
func (a *Placer) priceList(k ScopeKey) *priceList {
	if m, known := a.priceLists[k]; known {
		return m
	}
	list := machines(a, k)
	i := slices.IndexFunc(a.distinct, func(m *priceList) bool {
		return slices.EqualFunc(m.machines, list, machine.equals)
	})
	if i < 0 {
		i = len(a.distinct)
		a.distinct = append(a.distinct, &priceList{list, efficient(list), map[podKey]float64{}})
	}
	a.priceLists[k] = a.distinct[i]
	return a.distinct[i]
}

// machines lists those that could be opened in a place, by price.
func machines(a *Placer, k ScopeKey) (list []machine) {
	t := a.board.Table
	scope := NewScope(t, k)
	add := func(m machine) {
		if n := len(list); n == 0 || !list[n-1].equals(m) {
			list = append(list, m)
		}
	}
	for p, pool := range t.Pools {
		for _, alt := range scope.ByPool[p] {
			for i := alt.Columns.Next(0); i >= 0; i = alt.Columns.Next(i + 1) {
				add(machineOf(&t.Columns[i], pool.Room(i)))
			}
		}
	}
	slices.SortStableFunc(list, func(x, y machine) int { return cmp.Compare(x.price, y.price) })
	return list
}

func machineOf(c *feasible.Column, room []int64) machine {
	m := machine{room: room, price: float64(c.Price())}
	if c.Offering.Reservation != "" {
		m.left = int(c.Offering.Remaining)
	}
	return m
}

func (p machine) equals(q machine) bool {
	return p.price == q.price && p.left == q.left && slices.Equal(p.room, q.room)
}

// efficient leaves out machines that another one outdoes. Where machines of twice the size cost twice as much, few are
// left.
func efficient(machines []machine) []machine {
	var out []machine
	list := unlike(machines)
	for i := len(list) - 1; i >= 0; i-- { // the large ones outdo the others
		if !slices.ContainsFunc(out, func(p machine) bool { return p.dominates(list[i]) }) {
			out = append(out, list[i])
		}
	}
	return out
}

// unlike leaves out machines of which a cheaper one has the same room. They ascend by price, and a type is sold in many
// zones and ways.
func unlike(machines []machine) (out []machine) {
	known := make(map[string]bool, len(machines))
	var text []byte
	for i := range machines {
		text = text[:0]
		for _, n := range machines[i].room {
			text = binary.LittleEndian.AppendUint64(text, uint64(n))
		}
		if !known[string(text)] {
			known[string(text)] = true
			out = append(out, machines[i])
		}
	}
	return out
}

// dominates reports whether a machine holds whatever another one holds, and none of its resources costs more: then no
// pod costs less on the other, unless a node may hold only so many.
func (p machine) dominates(q machine) bool {
	for d, n := range q.room {
		if n > 0 && (p.room[d] < n || p.price*float64(n) > q.price*float64(p.room[d])) {
			return false
		}
	}
	return true
}

// cost is what a pod costs at best; infinite if no machine holds it. fillers are what other pods need at least, nil if
// there are none: these pods alone pay for machines that no other can be on with them.
func (m *priceList) cost(k podKey, first, fillers []int64) float64 {
	cost, known := m.costs[k]
	if known {
		return cost
	}
	cost = math.Inf(1)
	machines, least := m.efficient, 0.0
	if k.most > 0 {
		machines, least = m.machines, 1/float64(k.most)
	}
	for i := 0; i < len(machines) && least*machines[i].price < cost; i++ {
		if share, fits := dominantShare(first, machines[i].room); fits {
			cost = min(cost, float64(max(machines[i].share(share, first, fillers), least)*machines[i].price))
		}
	}
	m.costs[k] = cost
	return cost
}

// share is a pod's part of a machine of which it takes a share: more than the share if no other pod has room even
// beside one of these, so that only as many as fit pay for all of it.
func (p machine) share(share float64, first, fillers []int64) float64 {
	alone := fillers == nil
	for d, least := range fillers {
		alone = alone || least > 0 && p.room[d]-first[d] < least
	}
	if alone {
		return 1 / float64(feasible.Fits(first, p.room, math.MaxInt32))
	}
	return share
}

// dominantShare is the largest fraction of room that need takes.
func dominantShare(need, room []int64) (share float64, fits bool) {
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
