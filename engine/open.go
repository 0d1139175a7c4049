package engine

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// open writes down the new nodes.
func (a *assembler) open(bins []board.Bin) {
	launches := limits.NewLaunches(a.table, len(bins), func(i int) limits.Node { return limited(&bins[i]) })
	a.left = launches.Left()
	if len(bins) == 0 {
		return
	}
	a.launches, a.offers = map[string]*launch{}, map[string]*offer{}
	a.table.Traits() // before several goroutines ask
	how, pods := make([]*launch, len(bins)), [][]shape.PodID(nil)
	fanout.Both(func() {
		a.settle(bins, launches, how)
	}, func() {
		pods = a.podsOf(bins)
	})
	a.decision.Open = make([]NewNode, len(bins))
	a.newNodes(bins, how, pods)
	for i := range a.decision.Open {
		a.decision.Price += a.decision.Open[i].Price
	}
}

// limited is a bin as limits see it.
func limited(b *board.Bin) limits.Node {
	return limits.Node{Pool: b.Pool, Column: b.Column, Keeps: b.Keeps}
}

// settle finds how each bin is launched.
func (a *assembler) settle(bins []board.Bin, narrowed *limits.Launches, how []*launch) {
	var launches []*launch
	for i := range bins {
		l, found := a.launch(&bins[i], a.reserve(&bins[i], narrowed.Narrow(limited(&bins[i]), bins[i].Columns)))
		if how[i] = l; !found {
			launches = append(launches, l)
		}
	}
	a.describe(launches)
}

// launch is what new nodes with the same choice of columns and the same wishes share.
type launch struct {
	bin     *board.Bin // the first of them
	wheres  []*feasible.Where
	columns bitset.Set
	offer   *offer

	requirements []shape.Requirement
	relaxed      bool
}

// reserve keeps a bin that was planned for a capacity reservation to that one, and all others away
// from reservations: their machines are counted.
func (a *assembler) reserve(b *board.Bin, columns bitset.Set) bitset.Set {
	name := a.table.Columns[b.Column].Offering.Reservation
	if name == "" && !a.table.Reserved {
		return columns
	}
	out := columns.Clone()
	for i := out.Next(0); i >= 0; i = out.Next(i + 1) {
		if a.table.Columns[i].Offering.Reservation != name {
			out.Remove(i)
		}
	}
	return out
}

// launch settles from which columns a bin may be launched, once for all bins that are alike in it: found tells that
// an earlier bin was.
func (a *assembler) launch(b *board.Bin, columns bitset.Set) (l *launch, found bool) {
	wheres := a.wheres(b)
	key := a.key[:0]
	for _, set := range []bitset.Set{{uint64(b.Pool)}, columns, b.Free} {
		for _, word := range set {
			key = binary.LittleEndian.AppendUint64(key, word)
		}
	}
	for _, w := range wheres {
		key = append(append(key, w.Text()...), 0)
	}
	a.key = key
	if l = a.launches[string(key)]; l != nil {
		return l, true
	}
	l = &launch{bin: b, wheres: wheres, columns: columns.Clone()}
	a.launches[string(key)] = l
	a.table.Settle(a.table.Pools[b.Pool], l.columns, b.Free, l.columns.Next(0))
	l.offer = a.offer(l.columns)
	return l, false
}

// describe puts the choices of columns into words.
func (a *assembler) describe(launches []*launch) {
	var offers []*offer // each once
	for _, l := range launches {
		if !l.offer.listed {
			l.offer.listed = true
			offers = append(offers, l.offer)
		}
	}
	whole, tails := findTails(offers)
	fanout.Each(len(whole), func(i int) { a.list(whole[i]) })
	fanout.Each(len(tails), func(i int) { a.list(tails[i]) })
	for _, l := range launches {
		l.requirements = a.requirements(l.bin, l.wheres, l.offer)
		l.relaxed = a.relax(l.columns, l.requirements)
	}
}

// wheres lists what the bin's pods want of its labels, without repeats, in a fixed order.
func (a *assembler) wheres(b *board.Bin) []*feasible.Where {
	var out []*feasible.Where
	for _, e := range b.Entries {
		w := a.table.Classes[a.items[e.Item].Class].Where
		if w.Text() != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(x, y *feasible.Where) int { return cmp.Compare(x.Text(), y.Text()) })
	return out
}

// leastNodes is from how many nodes on it pays to have another processor write them down.
const leastNodes = 100

// podsOf lists each node's pods, ascending. Which pods of a class a node gets follows from the order of the bins.
func (a *assembler) podsOf(bins []board.Bin) [][]shape.PodID {
	entries, pods := make([]int, len(bins)+1), make([]int, len(bins)+1) // how many the bins before each have
	for i := range bins {
		entries[i+1] = entries[i] + len(bins[i].Entries)
		pods[i+1] = pods[i]
		for _, e := range bins[i].Entries {
			pods[i+1] += e.Count
		}
	}
	first := make([]int, 0, entries[len(bins)]) // by entry: which pod of its class is the first
	for i := range bins {
		for _, e := range bins[i].Entries {
			class := a.table.Classes[a.items[e.Item].Class].Base
			first = append(first, a.next[class])
			a.next[class] += e.Count
		}
	}
	out, ids := make([][]shape.PodID, len(bins)), make([]shape.PodID, pods[len(bins)])
	spans := fanout.Spans(len(bins), leastNodes)
	fanout.Each(len(spans), func(part int) {
		for i := spans[part].From; i < spans[part].Upto; i++ {
			own := ids[pods[i]:pods[i]:pods[i+1]]
			for k, e := range bins[i].Entries {
				own = a.appendPods(own, a.items[e.Item].Class, first[entries[i]+k], e.Count)
			}
			slices.Sort(own)
			out[i] = own
		}
	})
	return out
}

// newNodes writes down the nodes.
func (a *assembler) newNodes(bins []board.Bin, how []*launch, pods [][]shape.PodID) {
	spans := fanout.Spans(len(bins), leastNodes)
	fanout.Each(len(spans), func(part int) {
		var sum []int64
		for i := spans[part].From; i < spans[part].Upto; i++ {
			sum = append(sum[:0], bins[i].Load...)
			a.decision.Open[i] = a.newNode(i, &bins[i], how[i], pods[i], sum)
		}
	})
}

// newNode describes one node. sum is the bin's load, to be changed.
func (a *assembler) newNode(i int, b *board.Bin, l *launch, pods []shape.PodID, sum []int64) NewNode {
	pool, column := a.table.Pools[b.Pool], l.columns.Next(0)
	for d, room := range pool.Room(column) {
		sum[d] += a.table.Columns[column].Allocatable(d) - room // the daemons there
	}
	return NewNode{
		ID: "n" + strconv.Itoa(i+1), Pool: pool.Name, Requirements: l.requirements, Relaxed: l.relaxed,
		Options: l.offer.options, Price: l.offer.options[0].Price, Requests: a.table.Vector(sum), Pods: pods,
	}
}

// requirements are what the NodeClaim asks for: the pool's wishes, narrowed to the options. Of a label
// that the pool leaves open one value is left: the node needs one, whatever pods want it.
func (a *assembler) requirements(b *board.Bin, wheres []*feasible.Where, o *offer) []shape.Requirement {
	pool := a.table.Pools[b.Pool]
	set := pool.Wishes
	for _, w := range wheres {
		// Offerings satisfy the selector already; it is repeated for what they leave open.
		set = set.And(w.Selector())
	}
	for i := range pool.Free {
		f := &pool.Free[i]
		if value, ok := f.Settled(b.Free); ok {
			set = set.Without(f.Key).With(require.Of(shape.Requirement{
				Key: f.Key, Values: []string{value}, MinValues: set.Get(f.Key).MinValues(),
			}))
		}
	}
	set = narrowTo(set, shape.LabelInstanceType, o.types)
	set = narrowTo(set, shape.LabelZone, o.zones)
	set = narrowTo(set, shape.LabelCapacityType, o.capacity)
	for _, r := range a.table.Ruling(pool, o.columns) {
		set = narrowTo(set, r.Key, r.Values)
	}
	return set.Requirements()
}

// relax lowers minValues to what the options keep, and reports whether it had to.
func (a *assembler) relax(options bitset.Set, reqs []shape.Requirement) bool {
	relaxed := false
	for i := range reqs {
		if r := &reqs[i]; r.MinValues > 0 {
			if have := a.table.Variety(r.Key, options); have < r.MinValues {
				r.MinValues, relaxed = have, true
			}
		}
	}
	return relaxed
}

func narrowTo(set require.Set, key string, values []string) require.Set {
	if len(values) == 0 {
		return set
	}
	return set.Without(key).With(require.Of(shape.Requirement{
		Key: key, Values: values, MinValues: set.Get(key).MinValues(),
	}))
}
