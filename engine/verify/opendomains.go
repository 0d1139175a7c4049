package verify

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// A pool's minValues may want more types than there are in one domain. Pods that others count by domain would then go
// nowhere, even if those others have no place themselves. When all else is placed, such pods get a node of which the
// domain is left open, if it can make no difference to any pod.

// placeWithOpenDomains places those pods.
func (q *leftovers) placeWithOpenDomains() {
	if !slices.ContainsFunc(q.a.board.Table.Pools, func(p *feasible.Pool) bool { return p.MinValues }) {
		return
	}
	q.uncertain = make([]bool, len(q.a.board.Spread.Tallies))
	q.placeLeftovers()
	q.uncertain = nil
}

// isUncertain reports whether a class asks a tally of which the counts are not certain any more.
func (q *leftovers) isUncertain(class int) bool {
	return q.uncertain != nil && slices.ContainsFunc(q.a.board.Spread.Classes[class].Rules, func(r spread.Rule) bool {
		return q.uncertain[r.Tally]
	})
}

// noteUncertain notes that pods of a class are placed of which the domains may be open.
func (q *leftovers) noteUncertain(class int) {
	if q.uncertain == nil {
		return
	}
	st := q.a.board.Spread
	for _, k := range st.Classes[class].Adds {
		q.uncertain[k] = q.uncertain[k] || !st.Keys[st.Tallies[k].Key].Host
	}
}

// indifferent reports whether the domain of a class's pods by a key is of no account to what is placed: no rule of
// theirs depends on it but to keep away from others, and no spread that is in force counts them by it.
func (q *leftovers) indifferent(class int, key int32) bool {
	st := q.a.board.Spread
	own := &st.Classes[class]
	if slices.ContainsFunc(own.Rules, func(r spread.Rule) bool {
		return r.Key == key && (r.Kind != spread.Apart || r.Self)
	}) {
		return false
	}
	for other, placed := range q.a.placed {
		if placed && slices.ContainsFunc(st.Classes[other].Rules, func(r spread.Rule) bool {
			return r.Kind == spread.Skew && r.Key == key && slices.Contains(own.Adds, r.Tally)
		}) {
			return false
		}
	}
	return true
}

// keepOpen drops columns with which a new node for pods of a class would be in a domain that is closed to them, or shut
// others out of theirs.
func (q *leftovers) keepOpen(class, pool int, columns, free bitset.Set) {
	if q.uncertain == nil {
		return
	}
	for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
		if site := q.a.siteOf(pool, i, free); q.a.ledger.RoomAt(class, site, 1) == 0 || q.a.ledger.Unsettles(site) {
			columns.Remove(i)
		}
	}
}
