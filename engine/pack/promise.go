package pack

import (
	"cmp"
	"math"
	"slices"
)

// sideMixes are weights of cpu against memory under which a partial content is judged: what room is
// left may be of another shape than the machine.
var sideMixes = [...]float64{0, 0.15, 0.3, 0.42, 0.5, 0.58, 0.7, 0.85, 1}

// promise is what items from i on can make of a value at most with this room; falling tells that it was
// the mix by which items are ordered that said so.
func (k *knapsack) promise(i int, value float64, cpu, mem int64, from int8) (upper float64, at int8, falling bool) {
	if i == len(k.items) {
		return value, from, true
	}
	bar := k.value * closeEnough
	size := float64(cpu)*k.mix[0] + float64(mem)*k.mix[1] + crumb
	upper = value + size*k.mainBest[i]
	if upper <= bar {
		return upper, from, i > 0 && k.items[i-1].ratio >= k.mainBest[i]
	}
	c, m := float64(cpu)*k.perCPU+crumb, float64(mem)*k.perMem+crumb
	for s, mix := range sideMixes {
		upper = min(upper, value+(mix*c+(1-mix)*m)*k.bestRatio[s][i])
	}
	if upper <= bar {
		return upper, from, false
	}
	bounded, at := k.descend(i, c, m, bar-value, from)
	return min(upper, value+bounded), at, false
}

// mixes are ways to weigh cpu against memory in the size of a pod. Each gives a valid upper bound;
// the tightest guides the search.
var mixes = [...]float64{0, 0.25, 0.5, 0.75, 1}

// relax picks the mix with the least fractional optimum and sets the ratios by it.
func (k *knapsack) relax(room []int64) float64 {
	best, bestMix := math.Inf(1), 0.5
	try := func(m float64) {
		if value := k.fractional(room, m); value < best {
			best, bestMix = value, m
		}
	}
	for _, m := range mixes {
		try(m)
	}
	for step := 0.06; step > 0.01; step /= 2 { // the optimum is convex in the mix
		at := bestMix
		try(max(at-step, 0))
		try(min(at+step, 1))
	}
	k.setRatios(room, bestMix)
	return best * (1 + 1e-9) // so that rounding errors do not make it too low
}

// fractional is what a machine can hold at most if pods could be cut, by one mix of resources.
func (k *knapsack) fractional(room []int64, m float64) float64 {
	k.setRatios(room, m)
	slices.SortFunc(k.items, func(a, b loot) int { return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.row, b.row)) })
	size, value := 1.0, 0.0
	for i := range k.items {
		it := &k.items[i]
		s := it.worth / it.ratio // size of one
		n := min(float64(it.most), size/s)
		size -= n * s
		value += n * it.worth
		if size <= 1e-12 {
			break
		}
	}
	return value
}

// setRatios weighs cpu with m and memory with the rest.
func (k *knapsack) setRatios(room []int64, m float64) {
	k.mix = append(k.mix[:0], make([]float64, len(room))...)
	if room[0] > 0 {
		k.mix[0] = m / float64(room[0])
	}
	if room[1] > 0 {
		k.mix[1] = (1 - m) / float64(room[1])
	}
	for i := range k.items {
		it := &k.items[i]
		size := float64(it.need[0])*k.mix[0] + float64(it.need[1])*k.mix[1]
		it.ratio = it.worth / max(size, least)
	}
}

// finely is in how many steps the mix is varied to judge a partial content.
const finely = 40

// side is the items in the order of their worth by one mix.
type side struct {
	known bool
	list  []sideItem
}

type sideItem struct {
	item        int32
	size, ratio float64
	worth       float64 // of all there are
	all         float64 // size of all there are
}

// weigh is what items from i on are worth at most in this much room by one mix, the last one cut.
func (k *knapsack) weigh(i int, cpu, mem float64, s int8) float64 {
	d := &k.sides[s]
	mix := float64(s) / finely
	if !d.known {
		k.sort(d, mix)
	}
	size, value := mix*cpu+(1-mix)*mem, 0.0
	for j := range d.list {
		it := &d.list[j]
		if int(it.item) < i {
			continue
		}
		if it.all >= size {
			return value + size*it.ratio
		}
		size -= it.all
		value += it.worth
	}
	return value
}

func (k *knapsack) sort(d *side, mix float64) {
	d.known = true
	d.list = d.list[:0]
	for i := range k.items {
		it := &k.items[i]
		size := max(mix*float64(it.need[0])*k.perCPU+(1-mix)*float64(it.need[1])*k.perMem, least)
		n := float64(it.most)
		d.list = append(d.list, sideItem{int32(i), size, it.worth / size, n * it.worth, n * size})
	}
	slices.SortFunc(d.list, func(a, b sideItem) int { return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.item, b.item)) })
}

// descend is the least that a mix makes of items from i on, looking from one mix downhill; it stops
// early when that is at most enough.
func (k *knapsack) descend(i int, cpu, mem, enough float64, from int8) (value float64, at int8) {
	value, at = k.weigh(i, cpu, mem, from), from
	for _, step := range [...]int8{1, -1} {
		moved := false
		for s := at + step; value > enough && s >= 0 && s <= finely; s += step {
			v := k.weigh(i, cpu, mem, s)
			if v >= value {
				break
			}
			value, at, moved = v, s, true
		}
		if moved {
			break
		}
	}
	return value, at
}

// suffixes works out what is asked again and again about items from i on.
func (k *knapsack) suffixes(room []int64) {
	n := len(k.items)
	k.perCPU, k.perMem = 1/max(float64(room[0]), 1), 1/max(float64(room[1]), 1)
	k.leastCPU, k.leastMem = resize(k.leastCPU, n), resize(k.leastMem, n)
	for i := n - 1; i >= 0; i-- {
		it := &k.items[i]
		k.leastCPU[i], k.leastMem[i] = it.need[0], it.need[1]
		if i+1 < n {
			k.leastCPU[i], k.leastMem[i] = min(k.leastCPU[i], k.leastCPU[i+1]), min(k.leastMem[i], k.leastMem[i+1])
		}
	}
	k.mainBest = resize(k.mainBest, n+1)
	k.mainBest[n] = 0
	for i := n - 1; i >= 0; i-- {
		k.mainBest[i] = max(k.mainBest[i+1], k.items[i].ratio)
	}
	for m, mix := range sideMixes {
		k.bestRatio[m] = resize(k.bestRatio[m], n+1)
		k.bestRatio[m][n] = 0
		for i := n - 1; i >= 0; i-- {
			it := &k.items[i]
			size := mix*float64(it.need[0])*k.perCPU + (1-mix)*float64(it.need[1])*k.perMem
			k.bestRatio[m][i] = max(k.bestRatio[m][i+1], it.worth/max(size, least))
		}
	}
}
