package verify

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// mostTrimmed is of how many new nodes at most Trim tries to give some up.
const mostTrimmed = 64

// Trim gives up new nodes whose pods find room on the others, whatever domain these are in, or on cheaper ones. Pods of
// a class are sent to domains before anybody knows what room others leave on their nodes; here it is known. No domain
// loses its last node: kube-scheduler would no longer spread pods over it.
func Trim(b *board.Board, placer *place.Placer, nodePrice shape.Money, scarce bool) {
	if len(b.Spread.Tallies) == 0 || len(b.Bins) > mostTrimmed {
		return
	}
	for at := len(b.Bins) - 1; at >= 0; at-- {
		a := newAudit(b, placer, nodePrice, scarce)
		mark, price, stuck, domains := b.Begin(), priceOf(b, nodePrice), stuckOf(b), a.domains()
		if !a.without(at) || stuckOf(b) > stuck || priceOf(b, nodePrice) >= price || !covers(a.domains(), domains) {
			b.Rollback(mark)
		}
	}
}

// without gives one of the new nodes up and finds places for its pods. It reports false if others could not be bound
// then.
func (a *audit) without(at int) bool {
	bin := a.board.Change(at)
	entries := bin.Entries
	bin.Entries = nil
	for _, e := range entries {
		a.drop(bin, a.board.Items[e.Item], e.Count)
	}
	a.board.Use(bin, -1)
	a.board.SetBins(slices.Delete(slices.Clone(a.board.Bins), at, at+1))
	if len((&replay{a}).replay()) > 0 {
		return false
	}
	(&leftovers{a: a, roomAgain: true}).placeLeftovers()
	return true
}

// domains are those that have a node, by key and domain.
func (a *audit) domains() map[[2]int32]bool {
	out := map[[2]int32]bool{}
	for k := range a.board.Spread.Keys {
		if a.board.Spread.Keys[k].Host {
			continue
		}
		for node := range a.board.Table.Nodes {
			out[[2]int32{int32(k), a.board.Spread.NodeDomain(int32(k), node)}] = true
		}
		for b := range a.board.Bins {
			out[[2]int32{int32(k), a.site(&a.board.Bins[b]).Domain(int32(k))}] = true
		}
	}
	return out
}

// covers reports whether one set has all of another.
func covers(set, other map[[2]int32]bool) bool {
	for k := range other {
		if !set[k] {
			return false
		}
	}
	return true
}

func priceOf(b *board.Board, nodePrice shape.Money) (sum shape.Money) {
	for i := range b.Bins {
		sum += b.Bins[i].Price(b.Table) + nodePrice
	}
	return sum
}

func stuckOf(b *board.Board) (sum int) {
	for _, n := range b.Stuck {
		sum += n
	}
	return sum
}
