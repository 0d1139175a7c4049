package pack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/binpack"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// maxWays is in how many further ways a plan is made, and maxStrays up to how many pods that have a domain or no place.
// A plan of more than maxServed pods and existing nodes is not made again for the sake of a few pods without a place.
const (
	maxWays   = 16
	maxStrays = 300
	maxServed = 3000
)

// Ways lists the other ways that a plan is worth making in, most promising first.
func (task Task) Ways(b *board.Board, r *Result) []place.Way {
	keys, strays := contested(b, r)
	if strays > maxStrays || task.Effort <= 0 || task.Proves(b, r) {
		return nil
	}
	stuck := sum(r.Stuck) > 0
	var out []place.Way
	if small := len(b.Table.Snapshot().Pods)+len(b.Table.Nodes) <= maxServed; small && stuck {
		out = served(b, r)
	}
	if len(keys) > 0 && !task.Level {
		out = append(out, place.Way{Whole: true}, place.Way{Even: true})
		if stuck {
			out = append(out, place.Way{Last: true})
		}
		for _, whole := range []bool{false, true} {
			for _, k := range keys {
				out = append(out, into(&b.Spread.Keys[k], whole)...)
			}
		}
	}
	out = out[:min(len(out), maxWays)]
	for i := range out {
		out[i].Joint = r.Divided
	}
	return out
}

// served are the ways in which others of the pods may have a place, or the same ones for less.
func served(b *board.Board, r *Result) (out []place.Way) {
	if limits.Scarce(b.Table) {
		out = append(out, place.Way{Many: true})
	}
	if r.Divided {
		out = append(out, place.Way{})
	}
	return out
}

// Proves reports whether a plan has a place for every pod and is about as cheap as what was proved.
func (task Task) Proves(b *board.Board, r *Result) bool {
	return r.Floor > 0 && sum(r.Stuck) == 0 &&
		price(b.Table, task, r) <= float64(r.Floor)*binpack.ProvenEnough
}

// into is a way for each domain of a key.
func into(key *spread.Key, whole bool) (out []place.Way) {
	for d, name := range key.Domains {
		if !key.Fresh(int32(d)) {
			out = append(out, place.Way{Whole: whole, Key: key.Name, Domain: name})
		}
	}
	return out
}

// contested are the keys, ascending, by which pods of a plan were sent to domains, and how many pods these are, with
// those that have no place.
func contested(b *board.Board, r *Result) (keys []int32, strays int) {
	strays = sum(r.Stuck)
	for _, it := range r.Items {
		if it.Cell == nil || it.Count == 0 {
			continue
		}
		strays += it.Count
		for _, k := range b.Spread.Classes[it.Class].Keys {
			if !slices.Contains(keys, k) && !b.Spread.Keys[k].Host {
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys, strays
}

// Better reports whether one plan is better than another for the same pods: pods of higher priority have a place, or
// the same for clearly less money, with no more wishes given up and no pods in pools of lower weight for that.
func (task Task) Better(b *board.Board, r *Result, than *board.Board, other *Result) bool {
	if r.Short && !task.Level {
		return false
	}
	t := b.Table
	if c := slices.Compare(stuckBy(t, r), stuckBy(t, other)); c != 0 {
		return c < 0
	}
	if wishes(b, r) > wishes(than, other) ||
		price(t, task, r) >= float64(price(t, task, other)*(1-binpack.FewerNodes)) {
		return false
	}
	mine, its := seated(t, r), seated(t, other)
	for i := range mine {
		if mine[i] < its[i] {
			return false
		}
	}
	return true
}

// Compare orders plans for the same pods: first those with more pods in a place, the most important first, then the
// cheaper.
func (task Task) Compare(b *board.Board, r *Result, than *board.Board, other *Result) int {
	return cmp.Or(
		slices.Compare(stuckBy(b.Table, r), stuckBy(b.Table, other)),
		cmp.Compare(wishes(b, r), wishes(than, other)),
		cmp.Compare(price(b.Table, task, r), price(b.Table, task, other)),
	)
}

func price(t *feasible.Table, task Task, r *Result) (sum float64) {
	for i := range r.Bins {
		sum += float64(r.Bins[i].Price(t) + task.NodePrice)
	}
	return sum
}

// stuckBy is how many pods are without a place by priority, highest first.
func stuckBy(t *feasible.Table, r *Result) []int {
	order := countUp(len(t.Classes))
	slices.SortStableFunc(order, byUrgency(t))
	var out []int
	for i, class := range order {
		if i == 0 || t.Classes[class].Priority != t.Classes[order[i-1]].Priority {
			out = append(out, 0)
		}
		out[len(out)-1] += r.Stuck[class]
	}
	return out
}

// seated is how many pods are on new nodes of pools of at least some weight, for each weight that there is, highest
// first.
func seated(t *feasible.Table, r *Result) []int {
	byPool := make([]int, len(t.Pools))
	for i := range r.Bins {
		for _, e := range r.Bins[i].Entries {
			byPool[r.Bins[i].Pool] += e.Count
		}
	}
	var out []int
	n := 0
	for _, pools := range feasible.Tiers(t) {
		for _, p := range pools {
			n += byPool[p]
		}
		out = append(out, n)
	}
	return out
}

// wishes is how many preferences pods have given up.
func wishes(b *board.Board, r *Result) (n int) {
	depth := func(class int) (d int) {
		for c := int(b.Table.Classes[class].Base); c != class && c >= 0; c = int(b.Table.Classes[c].Next) {
			d++
		}
		return d
	}
	for _, m := range b.Moves(0) {
		n += depth(int(m.Class)) * int(m.Count)
	}
	for i := range r.Bins {
		for _, e := range r.Bins[i].Entries {
			n += depth(r.Items[e.Item].Class) * e.Count
		}
	}
	return n
}

// byUrgency compares classes, highest priority first.
func byUrgency(t *feasible.Table) func(a, b int) int {
	return func(a, b int) int { return cmp.Compare(t.Classes[b].Priority, t.Classes[a].Priority) }
}

// queue is the order in which classes are assigned.
func queue(w place.Way, t *feasible.Table) []int {
	out := countUp(len(t.Classes))
	if w.Last {
		slices.Reverse(out)
		slices.SortStableFunc(out, byUrgency(t))
	}
	return out
}

func countUp(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
