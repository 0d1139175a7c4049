package knapsack

import (
	"cmp"
	"slices"
)

// Solver fills one machine after the other; its memory is used again. The zero Solver is ready. Not safe for concurrent
// use.
type Solver struct {
	Items []Item // as they were last given, in the order in which they are settled

	Best  []int   // by Items: pods in the best content of the last Solve
	Value float64 // what that content is worth, or the floor if none beat it
	Steps int     // partial contents that the last Solve looked at

	// mix weighs resources into one size: mix times the machine's room is 1. Only cpu and memory weigh anything.
	mix            []float64
	perCPU, perMem float64 // which part of the machine one unit is

	mainBest []float64 // by i, and one more: the best worth for size of items from i on, by mix; 0 at the end
	// bestRatio is mainBest for each of boundMixes.
	bestRatio [len(boundMixes)][]float64
	// leastCPU and leastMem are by i what a pod of items from i on takes at least.
	leastCPU, leastMem []int64

	orderings [mixSteps + 1]ordering
	heap      ranking

	dims    []int    // resources that can run out, cpu and memory first; partial contents know no others
	final   []int    // by dims: the last item that takes of it, -1 for none: its room does not matter after that one
	now     layer    // contents of the items before the present one
	next    layer    // contents that have settled the present one too, no two with the same room
	choices []choice // how partial contents came about
	// hash table over next by room: numbers in its list, -1 for empty; a power of two, at most half full
	slots   []int32
	uppers  []float64
	ranks   []int64
	most    []int64
	dropped float64 // what a dropped partial content could have become at most: no bound may be below it
}

// partial is a choice for the first rows.
type partial struct {
	value  float64
	upper  float64 // what it can become at most
	last   int32   // in Solver.choices, -1 for none
	number int32   // in its layer: its room is there
	side   int8    // the ordering that gave upper: where looking for the best mix goes on
}

// layer is partial contents that have settled the same rows.
type layer struct {
	list []partial
	room []int64 // by partial's number, by Solver.dims
}

// choice is one step of how a partial content came about.
type choice struct {
	before      int32
	item, count int32
}

// Resources by their position. Every pod takes one slot.
const (
	CPU    = 0
	Memory = 1
	Slots  = 3
)

// unlimited is room that cannot run out, for a resource that matters no more.
const unlimited = 1 << 40

// Item is pods that are alike: what one of them takes and is worth.
type Item struct {
	Row   int     // the caller's name for it; it breaks ties
	Need  []int64 // by resource, at least 0, as long as the room of the machine
	Most  int     // pods that there are, at least 1
	Worth float64 // of one, more than 0

	ratio float64 // worth for size, size as a share of the machine
}

// fillsUp reports whether few pods fill the machine. Cutting such a one makes a bound too high, so they are settled
// first.
func (l *Item) fillsUp(room []int64) bool {
	return few*l.Need[CPU] > room[CPU] || few*l.Need[Memory] > room[Memory]
}

// few is fewer pods than which fill a machine up.
const few = 3

// relTolerance is by which factor a partial content must promise more than the best to be kept. It trades proof for
// steps: a bound is at most so much above the truth, and contents that are little better are not looked for.
const relTolerance = 1.0003

// A pod that takes nothing of a resource has size leastSize by it; a machine counts as having epsilon more room than it
// has, so that such pods always fit, a thousand of them.
const (
	leastSize = 1e-12
	epsilon   = 1e-9
)

// Solve fills a machine with this room, looking only for contents worth more than floor; found tells whether there is
// one, which is Best then. upper is a bound on what any content is worth, at least floor. At no time more than width
// partial contents are kept, at least 1: width trades time and memory for a tighter bound. The list is reordered and
// kept until the next call.
func (k *Solver) Solve(room []int64, items []Item, floor float64, width int) (upper float64, found bool) {
	k.Items = items
	upper = k.relax(room)
	k.order(room)
	k.suffixes(room)
	k.begin(room)
	k.Value, k.Steps, k.dropped = floor, 0, 0
	var best int32 = -1
	for i := range k.Items {
		if len(k.now.list) == 0 {
			break
		}
		k.next.list, k.next.room = k.next.list[:0], k.next.room[:0]
		k.clearSlots()
		for p := range k.now.list {
			best = k.branch(i, &k.now.list[p], best)
		}
		if len(k.next.list) > width {
			k.dropDominated()
		}
		if len(k.next.list) > width {
			k.thin(width)
		}
		k.now, k.next = k.next, k.now
	}
	k.Best = append(k.Best[:0], make([]int, len(items))...)
	for ; best >= 0; best = k.choices[best].before {
		k.Best[k.choices[best].item] = int(k.choices[best].count)
	}
	upper = min(upper, max(float64(k.Value*relTolerance), k.dropped))
	return max(upper, floor), k.Value > floor
}

// order is that in which items are settled: few large ones first, then those worth most for their size.
func (k *Solver) order(room []int64) {
	slices.SortFunc(k.Items, func(a, b Item) int {
		if x, y := a.fillsUp(room), b.fillsUp(room); x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.Row, b.Row))
	})
	for s := range k.orderings {
		k.orderings[s].known = false
	}
}

// begin is the empty content.
func (k *Solver) begin(room []int64) {
	k.dims = append(k.dims[:0], CPU, Memory)
	for d := Memory + 1; d < len(room); d++ {
		if slices.ContainsFunc(k.Items, func(it Item) bool { return it.Need[d] > 0 }) {
			k.dims = append(k.dims, d)
		}
	}
	k.final = resize(k.final, len(k.dims))
	for j, d := range k.dims {
		k.final[j] = -1
		for i := range k.Items {
			if k.Items[i].Need[d] > 0 {
				k.final[j] = i
			}
		}
	}
	k.now.list = append(k.now.list[:0], partial{
		last: -1, side: int8(float64(k.mix[CPU]*float64(room[CPU])*mixSteps) + 0.5),
	})
	k.now.room = k.now.room[:0]
	for _, d := range k.dims {
		k.now.room = append(k.now.room, room[d])
	}
	k.choices = k.choices[:0]
}

// branch tries every count of item i on top of a partial content, largest first.
func (k *Solver) branch(i int, p *partial, best int32) int32 {
	it := &k.Items[i]
	dims := len(k.dims)
	room := k.now.room[int(p.number)*dims : (int(p.number)+1)*dims]
	n := int64(it.Most)
	for j, d := range k.dims {
		if need := it.Need[d]; need > 0 {
			n = min(n, room[j]/need)
		}
	}
	for ; n >= 0; n-- {
		k.Steps++
		value := p.value + float64(float64(n)*it.Worth)
		last := p.last
		if value > k.Value {
			k.Value = value
			last = k.choose(p.last, i, n)
			best = last
		}
		cpu, mem := room[CPU]-n*it.Need[CPU], room[Memory]-n*it.Need[Memory]
		upper, side, falling := k.upperBound(i+1, value, cpu, mem, p.side)
		if upper <= k.Value*relTolerance {
			if falling {
				return best // fewer promise even less
			}
			continue
		}
		if n > 0 && last == p.last {
			last = k.choose(p.last, i, n)
		}
		k.keep(i, it, room, n, partial{value: value, upper: upper, last: last, side: side})
	}
	return best
}

// choose notes that a partial content has so many of an item, and returns the choice's number.
func (k *Solver) choose(before int32, item int, count int64) int32 {
	if count == 0 {
		return before
	}
	k.choices = append(k.choices, choice{before, int32(item), int32(count)})
	return int32(len(k.choices) - 1)
}

// keep adds a partial content to the next layer, unless one that leaves the same room is worth as much.
func (k *Solver) keep(i int, it *Item, room []int64, n int64, p partial) {
	at := len(k.next.room)
	for j, d := range k.dims {
		left := room[j] - n*it.Need[d]
		if j > 1 && (i >= k.final[j] || d == Slots &&
			k.slotsToSpare(i+1, left, room[CPU]-n*it.Need[CPU], room[Memory]-n*it.Need[Memory])) {
			left = unlimited // more of it makes no difference: contents that differ in it alone are one
		}
		k.next.room = append(k.next.room, left)
	}
	mask := uint64(len(k.slots) - 1)
	for s := hash(k.next.room[at:]) & mask; ; s = (s + 1) & mask {
		other := k.slots[s]
		if other < 0 {
			p.number = int32(len(k.next.list))
			k.slots[s] = p.number
			k.next.list = append(k.next.list, p)
			if 2*len(k.next.list) > len(k.slots) {
				k.growSlots()
			}
			return
		}
		o := int(other) * len(k.dims)
		if slices.Equal(k.next.room[o:o+len(k.dims)], k.next.room[at:]) {
			if have := &k.next.list[other]; p.value > have.value {
				have.value, have.upper, have.last, have.side = p.value, p.upper, p.last, p.side
			}
			k.next.room = k.next.room[:at]
			return
		}
	}
}

// slotsToSpare reports whether there are at least as many slots left as pods of items from i on can take.
func (k *Solver) slotsToSpare(i int, slots, cpu, mem int64) bool {
	return slots < unlimited/2 && slots >= k.podsThatFit(i, cpu, mem)
}

// podsThatFit is how many pods of items from i on cpu and memory allow at most.
func (k *Solver) podsThatFit(i int, cpu, mem int64) int64 {
	n := int64(unlimited)
	if i == len(k.Items) {
		return 0
	}
	if k.leastCPU[i] > 0 {
		n = cpu / k.leastCPU[i]
	}
	if k.leastMem[i] > 0 {
		n = min(n, mem/k.leastMem[i])
	}
	return n
}

func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// dropDominated drops partial contents of the next layer that another one beats in worth and in what is
// left of everything. Contents that differ in more than cpu and memory are let be.
func (k *Solver) dropDominated() {
	dims, list := len(k.dims), k.next.list
	room := func(p *partial) []int64 { return k.next.room[int(p.number)*dims : (int(p.number)+1)*dims] }
	k.ranks = k.ranks[:0]
	for p := range list {
		k.ranks = append(k.ranks, -room(&list[p])[0])
	}
	slices.Sort(k.ranks)
	k.ranks = slices.Compact(k.ranks)
	slices.SortFunc(list, func(a, b partial) int {
		if a.value != b.value {
			return cmp.Compare(b.value, a.value)
		}
		return cmp.Or(slices.Compare(room(&b), room(&a)), cmp.Compare(a.number, b.number))
	})
	// most is a Fenwick tree: the most memory left by contents that leave at least so much cpu.
	most := resize(k.most, len(k.ranks)+1)
	for i := range most {
		most[i] = -1
	}
	kept := list[:0]
	for _, p := range list {
		left := room(&p)
		rank, _ := slices.BinarySearch(k.ranks, -left[0])
		beaten := false
		for j := rank + 1; j > 0 && !beaten; j -= j & -j {
			beaten = most[j] >= left[1]
		}
		if beaten {
			continue
		}
		kept = append(kept, p)
		if slices.ContainsFunc(left[2:], func(n int64) bool { return n < unlimited/2 }) {
			continue
		}
		for j := rank + 1; j < len(most); j += j & -j {
			most[j] = max(most[j], left[1])
		}
	}
	k.next.list, k.most = kept, most
}

// thin keeps the most promising partial contents of the next layer.
func (k *Solver) thin(width int) {
	k.uppers = k.uppers[:0]
	for p := range k.next.list {
		k.uppers = append(k.uppers, k.next.list[p].upper)
	}
	bar := largest(k.uppers, width)
	ties := width
	for _, u := range k.uppers[:width] {
		if u > bar {
			ties--
		}
	}
	kept := k.next.list[:0]
	for _, p := range k.next.list {
		switch {
		case p.upper > bar:
		case p.upper == bar && ties > 0:
			ties--
		default:
			k.dropped = max(k.dropped, p.upper)
			continue
		}
		kept = append(kept, p)
	}
	k.next.list = kept
}

// largest moves the n largest to the front, in any order, and returns the least of them; n is at least 1
// and at most their number.
func largest(list []float64, n int) float64 {
	for from, upto := 0, len(list); upto-from > 1; {
		pivot := list[from+(upto-from)/2]
		i, j := from, upto-1
		for i <= j {
			for list[i] > pivot {
				i++
			}
			for list[j] < pivot {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i++
				j--
			}
		}
		switch {
		case n-1 <= j:
			upto = j + 1
		case n-1 >= i:
			from = i
		default:
			return list[n-1]
		}
	}
	return list[n-1]
}

// fewSlots is how large the hash table is to begin with, a power of two: clearing it is paid for every item.
const fewSlots = 256

func (k *Solver) clearSlots() {
	k.slots = resize(k.slots, fewSlots)
	for i := range k.slots {
		k.slots[i] = -1
	}
}

// growSlots doubles the hash table.
func (k *Solver) growSlots() {
	k.slots = resize(k.slots, 2*len(k.slots))
	for i := range k.slots {
		k.slots[i] = -1
	}
	mask := uint64(len(k.slots) - 1)
	dims := len(k.dims)
	for p := range k.next.list {
		s := hash(k.next.room[p*dims:(p+1)*dims]) & mask
		for k.slots[s] >= 0 {
			s = (s + 1) & mask
		}
		k.slots[s] = int32(p)
	}
}

// hash mixes the numbers of a room; the constants are those of FNV and of the golden ratio.
func hash(room []int64) uint64 {
	h := uint64(14695981039346656037)
	for _, n := range room {
		h = (h ^ uint64(n)) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}
