package pack

import (
	"cmp"
	"slices"
)

// knapsack finds the content of one machine that is worth most: how many pods of each row, given
// what a pod of each row is worth. Rows are settled one after the other, those worth most for their
// size first; partial contents that leave the same room are merged, and those that cannot beat the
// best are dropped. When there are too many, the most promising are kept and the result is no longer
// certain: an upper bound on the true best tells how far it may be off.
type knapsack struct {
	items []loot
	best  []int // by items
	value float64
	steps int

	mix            []float64 // weights that turn resources into one size
	perCPU, perMem float64   // share of the machine that one unit is

	mainBest []float64 // the best ratio of items from i on by mix
	// bestRatio is, for some mixes of cpu and memory, the best ratio of items from i on.
	bestRatio [len(sideMixes)][]float64
	// leastCPU and leastMem are what a pod of items from i on takes at least.
	leastCPU, leastMem []int64

	sides [finely + 1]side

	dims    []int // resources that can run out, cpu and memory first
	final   []int // by dims: the last item that takes of it
	now     layer
	next    layer
	trail   []trace
	slots   []int32 // hash table over next, -1 for empty
	uppers  []float64
	ranks   []int64
	most    []int64
	mostOff float64 // what a dropped partial content could have become at most
}

// partial is a choice for the first rows.
type partial struct {
	value  float64
	upper  float64 // what it can become at most
	last   int32   // in trail, -1 for none
	number int32   // in its layer: its room is there
	side   int8    // the mix that gave upper
}

// layer is partial contents that have settled the same rows.
type layer struct {
	list []partial
	room []int64 // by partial's number, by knapsack.dims
}

// trace is one step of how a partial content came about.
type trace struct {
	before      int32
	item, count int32
}

// podSlots is the resource that every pod takes one of; plenty of them is as good as any more.
const (
	podSlots = 3
	plenty   = 1 << 40
)

// loot is one row as the knapsack sees it.
type loot struct {
	row   int
	need  []int64
	most  int
	worth float64
	ratio float64 // worth for size, size as a share of the machine
}

// bulky reports whether few pods fill the machine. Cutting such a one makes a bound too high, so they are
// settled first.
func (l *loot) bulky(room []int64) bool { return 3*l.need[0] > room[0] || 3*l.need[1] > room[1] }

// closeEnough is by which factor a partial content must promise more than the best to be kept.
const closeEnough = 1.0003

// A pod that takes nothing of a resource has size least by it; a machine counts as having crumb more
// room than it has, so that such pods always fit, a thousand of them.
const (
	least = 1e-12
	crumb = 1e-9
)

// solve fills a machine with this room, looking only for contents worth more than floor; found tells
// whether there is one. It returns an upper bound on what any content is worth, at least floor.
// At no time more than width partial contents are kept.
func (k *knapsack) solve(room []int64, items []loot, floor float64, width int) (upper float64, found bool) {
	k.items = items
	upper = k.relax(room)
	slices.SortFunc(k.items, func(a, b loot) int {
		if x, y := a.bulky(room), b.bulky(room); x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.row, b.row))
	})
	k.suffixes(room)
	k.begin(room)
	for s := range k.sides {
		k.sides[s].known = false
	}
	k.value, k.steps, k.mostOff = floor, 0, 0
	var best int32 = -1
	for i := range k.items {
		if len(k.now.list) == 0 {
			break
		}
		k.next.list, k.next.room = k.next.list[:0], k.next.room[:0]
		k.clearSlots()
		for p := range k.now.list {
			best = k.extend(i, &k.now.list[p], best)
		}
		if len(k.next.list) > width {
			k.dropDominated()
		}
		if len(k.next.list) > width {
			k.thin(width)
		}
		k.now, k.next = k.next, k.now
	}
	k.best = append(k.best[:0], make([]int, len(items))...)
	for ; best >= 0; best = k.trail[best].before {
		k.best[k.trail[best].item] = int(k.trail[best].count)
	}
	upper = min(upper, max(k.value*closeEnough, k.mostOff))
	return max(upper, floor), k.value > floor
}

// begin is the empty content.
func (k *knapsack) begin(room []int64) {
	k.dims = append(k.dims[:0], 0, 1)
	for d := 2; d < len(room); d++ {
		if slices.ContainsFunc(k.items, func(it loot) bool { return it.need[d] > 0 }) {
			k.dims = append(k.dims, d)
		}
	}
	k.final = resize(k.final, len(k.dims))
	for j, d := range k.dims {
		k.final[j] = -1
		for i := range k.items {
			if k.items[i].need[d] > 0 {
				k.final[j] = i
			}
		}
	}
	k.now.list = append(k.now.list[:0], partial{last: -1, side: int8(k.mix[0]*float64(room[0])*finely + 0.5)})
	k.now.room = k.now.room[:0]
	for _, d := range k.dims {
		k.now.room = append(k.now.room, room[d])
	}
	k.trail = k.trail[:0]
}

// extend tries every count of item i on top of a partial content, largest first.
func (k *knapsack) extend(i int, p *partial, best int32) int32 {
	it := &k.items[i]
	dims := len(k.dims)
	room := k.now.room[int(p.number)*dims : (int(p.number)+1)*dims]
	n := int64(it.most)
	for j, d := range k.dims {
		if need := it.need[d]; need > 0 {
			n = min(n, room[j]/need)
		}
	}
	for ; n >= 0; n-- {
		k.steps++
		value := p.value + float64(n)*it.worth
		last := p.last
		if value > k.value {
			k.value = value
			last = k.trace(p.last, i, n)
			best = last
		}
		cpu, mem := room[0]-n*it.need[0], room[1]-n*it.need[1]
		upper, side, falling := k.promise(i+1, value, cpu, mem, p.side)
		if upper <= k.value*closeEnough {
			if falling {
				return best // fewer promise even less
			}
			continue
		}
		if n > 0 && last == p.last {
			last = k.trace(p.last, i, n)
		}
		k.keep(i, it, room, n, partial{value: value, upper: upper, last: last, side: side})
	}
	return best
}

func (k *knapsack) trace(before int32, item int, count int64) int32 {
	if count == 0 {
		return before
	}
	k.trail = append(k.trail, trace{before, int32(item), int32(count)})
	return int32(len(k.trail) - 1)
}

// keep adds a partial content to the next layer, unless one that leaves the same room is worth as much.
func (k *knapsack) keep(i int, it *loot, room []int64, n int64, p partial) {
	at := len(k.next.room)
	for j, d := range k.dims {
		left := room[j] - n*it.need[d]
		if j > 1 && i >= k.final[j] || d == podSlots && left < plenty/2 && left >= k.podsLeft(i+1, room[0]-n*it.need[0], room[1]-n*it.need[1]) {
			left = plenty
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

// podsLeft is how many pods of items from i on cpu and memory allow at most.
func (k *knapsack) podsLeft(i int, cpu, mem int64) int64 {
	n := int64(plenty)
	if i == len(k.items) {
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
func (k *knapsack) dropDominated() {
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
		if slices.ContainsFunc(left[2:], func(n int64) bool { return n < plenty/2 }) {
			continue
		}
		for j := rank + 1; j < len(most); j += j & -j {
			most[j] = max(most[j], left[1])
		}
	}
	k.next.list, k.most = kept, most
}

// thin keeps the most promising partial contents of the next layer.
func (k *knapsack) thin(width int) {
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
			k.mostOff = max(k.mostOff, p.upper)
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

// fewSlots is how large the hash table is to begin with, a power of two.
const fewSlots = 256

func (k *knapsack) clearSlots() {
	k.slots = resize(k.slots, fewSlots)
	for i := range k.slots {
		k.slots[i] = -1
	}
}

// growSlots doubles the hash table.
func (k *knapsack) growSlots() {
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

func hash(room []int64) uint64 {
	h := uint64(14695981039346656037)
	for _, n := range room {
		h = (h ^ uint64(n)) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}
