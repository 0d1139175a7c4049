package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// A pool's minValues may want more types than there are in one domain. Pods that others count by domain would then go
// nowhere, even if those others have no place themselves. When all else is placed, such pods get a node of which the
// domain is left open, if it can make no difference to anybody.

// leaveOpen squeezes those pods in.
func (a *audit) leaveOpen() {
	if !slices.ContainsFunc(a.board.Table.Pools, func(p *feasible.Pool) bool { return p.MinValues }) {
		return
	}
	a.blurred = make([]bool, len(a.board.Spread.Tallies))
	a.squeeze()
	a.blurred = nil
}

// unsure reports whether a class asks a tally of which the counts are not certain any more.
func (a *audit) unsure(class int) bool {
	return a.blurred != nil && slices.ContainsFunc(a.board.Spread.Classes[class].Rules, func(r spread.Rule) bool { return a.blurred[r.Tally] })
}

// blur notes that pods of a class are placed of which the domains may be open.
func (a *audit) blur(class int) {
	if a.blurred == nil {
		return
	}
	st := a.board.Spread
	for _, k := range st.Classes[class].Adds {
		a.blurred[k] = a.blurred[k] || !st.Keys[st.Tallies[k].Key].Host
	}
}

// indifferent reports whether the domain of a class's pods by a key is of no account to what is placed: no rule of
// theirs depends on it but to keep away from others, and no spread that is in force counts them by it.
func (a *audit) indifferent(class int, key int32) bool {
	st := a.board.Spread
	own := &st.Classes[class]
	if slices.ContainsFunc(own.Rules, func(r spread.Rule) bool { return r.Key == key && (r.Kind != spread.Apart || r.Self) }) {
		return false
	}
	for other, placed := range a.placed {
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
func (a *audit) keepOpen(class, pool int, columns, free bitset.Set) {
	if a.blurred == nil {
		return
	}
	for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
		if site := a.siteOf(pool, i, free); a.ledger.RoomAt(class, site, 1) == 0 || a.ledger.Unsettles(site) {
			columns.Remove(i)
		}
	}
}
