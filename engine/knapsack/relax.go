package knapsack

import (
	"cmp"
	"math"
	"slices"
)

// boundMixes are weights of cpu against memory under which a partial content is judged: what room is left may be of
// another shape than the machine. Each trades time for a tighter bound; they lie closer around the middle, where most
// of the best ones are.
var boundMixes = [...]float64{0, 0.15, 0.3, 0.42, 0.5, 0.58, 0.7, 0.85, 1}

// upperBound is what items from i on can make of a value at most with this room; falling tells that it was
// the mix by which items are ordered that said so.
func (k *Solver) upperBound(i int, value float64, cpu, mem int64, from int8) (upper float64, at int8, falling bool) {
	if i == len(k.Items) {
		return value, from, true
	}
	bar := float64(k.Value * relTolerance)
	size := float64(float64(cpu)*k.mix[CPU]) + float64(float64(mem)*k.mix[Memory]) + epsilon
	upper = value + float64(size*k.mainBest[i])
	if upper <= bar {
		return upper, from, i > 0 && k.Items[i-1].ratio >= k.mainBest[i]
	}
	c, m := float64(float64(cpu)*k.perCPU)+epsilon, float64(float64(mem)*k.perMem)+epsilon
	for s, mix := range boundMixes {
		upper = min(upper, value+float64((float64(mix*c)+float64((1-mix)*m))*k.bestRatio[s][i]))
	}
	if upper <= bar {
		return upper, from, false
	}
	bounded, at := k.descend(i, c, m, bar-value, from)
	return min(upper, value+bounded), at, false
}

// mixes are where looking for the tightest relaxation begins. Each gives a valid upper bound.
var mixes = [...]float64{0, 0.25, 0.5, 0.75, 1}

// coarse is the first step by which the mix is varied then, and finest the one that is too small to try: a bound that
// is tighter by the rest would rarely save a search.
const coarse, finest = 0.06, 0.01

// rounding is by which part the optimum is raised, so that rounding errors do not make the bound too low: thousands of
// times what a sum over a few hundred items can lose.
const rounding = 1e-9

// relax picks the mix with the least fractional optimum and sets the ratios by it. It returns that optimum, an upper
// bound on what any content is worth.
func (k *Solver) relax(room []int64) float64 {
	best, bestMix := math.Inf(1), 0.5
	try := func(m float64) {
		if value := k.surrogate(room, m); value < best {
			best, bestMix = value, m
		}
	}
	for _, m := range mixes {
		try(m)
	}
	for step := coarse; step > finest; step /= 2 { // the optimum is convex in the mix
		at := bestMix
		try(max(at-step, 0))
		try(min(at+step, 1))
	}
	k.setRatios(room, bestMix)
	return float64(best * (1 + rounding))
}

// surrogate is what a machine can hold at most if pods could be cut, by one mix of resources. Few items fill it, so
// they come off a heap: most need no order.
func (k *Solver) surrogate(room []int64, m float64) float64 {
	k.setRatios(room, m)
	h := k.heap[:0]
	for i := range k.Items {
		h = append(h, ranked{k.Items[i].ratio, int32(k.Items[i].Row), int32(i)})
	}
	k.heap = h
	h.order()
	size, value := 1.0, 0.0
	for len(h) > 0 && size > leastSize {
		it := &k.Items[h[0].item]
		h = h.pop()
		s := it.Worth / it.ratio // size of one
		n := min(float64(it.Most), size/s)
		size -= float64(n * s)
		value += float64(n * it.Worth)
	}
	return value
}

// setRatios weighs cpu with m and memory with the rest.
func (k *Solver) setRatios(room []int64, m float64) {
	k.mix = append(k.mix[:0], make([]float64, len(room))...)
	if room[CPU] > 0 {
		k.mix[CPU] = m / float64(room[CPU])
	}
	if room[Memory] > 0 {
		k.mix[Memory] = (1 - m) / float64(room[Memory])
	}
	for i := range k.Items {
		it := &k.Items[i]
		size := float64(float64(it.Need[CPU])*k.mix[CPU]) + float64(float64(it.Need[Memory])*k.mix[Memory])
		it.ratio = it.Worth / max(size, leastSize)
	}
}

// mixSteps is in how many steps the mix is varied to judge a partial content.
const mixSteps = 40

// ordering is the items in the order of their worth for size by one mix.
type ordering struct {
	known bool
	list  []orderedItem
}

type orderedItem struct {
	item        int32
	size, ratio float64 // of one
	worth, all  float64 // worth and size of all that there are
}

// weigh is what items from i on are worth at most in this much room by one mix, the last one cut.
func (k *Solver) weigh(i int, cpu, mem float64, s int8) float64 {
	d := &k.orderings[s]
	mix := float64(s) / mixSteps
	if !d.known {
		k.sort(d, mix)
	}
	size, value := float64(mix*cpu)+float64((1-mix)*mem), 0.0
	for j := range d.list {
		it := &d.list[j]
		if int(it.item) < i {
			continue
		}
		if it.all >= size {
			return value + float64(size*it.ratio)
		}
		size -= it.all
		value += it.worth
	}
	return value
}

func (k *Solver) sort(d *ordering, mix float64) {
	d.known = true
	size := func(it *Item) float64 {
		return max(
			float64(mix*float64(it.Need[CPU])*k.perCPU)+float64((1-mix)*float64(it.Need[Memory])*k.perMem), leastSize,
		)
	}
	h := k.heap[:0]
	for i := range k.Items {
		it := &k.Items[i]
		h = append(h, ranked{it.Worth / size(it), int32(i), int32(i)})
	}
	k.heap = h
	slices.SortFunc(h, func(a, b ranked) int { // of what is sorted, not of all that is known: half as much to move
		return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.row, b.row))
	})
	d.list = d.list[:0]
	for _, r := range h {
		it := &k.Items[r.item]
		n, of := float64(it.Most), size(it)
		d.list = append(d.list, orderedItem{r.item, of, r.ratio, float64(n * it.Worth), float64(n * of)})
	}
}

// descend is the least that a mix makes of items from i on, looking from one mix downhill; it stops
// early when that is at most enough.
func (k *Solver) descend(i int, cpu, mem, enough float64, from int8) (value float64, at int8) {
	value, at = k.weigh(i, cpu, mem, from), from
	for _, step := range [...]int8{1, -1} {
		moved := false
		for s := at + step; value > enough && s >= 0 && s <= mixSteps; s += step {
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
func (k *Solver) suffixes(room []int64) {
	n := len(k.Items)
	k.perCPU, k.perMem = 1/max(float64(room[CPU]), 1), 1/max(float64(room[Memory]), 1)
	k.leastCPU, k.leastMem = resize(k.leastCPU, n), resize(k.leastMem, n)
	for i := n - 1; i >= 0; i-- {
		it := &k.Items[i]
		k.leastCPU[i], k.leastMem[i] = it.Need[CPU], it.Need[Memory]
		if i+1 < n {
			k.leastCPU[i], k.leastMem[i] = min(k.leastCPU[i], k.leastCPU[i+1]), min(k.leastMem[i], k.leastMem[i+1])
		}
	}
	k.mainBest = resize(k.mainBest, n+1)
	k.mainBest[n] = 0
	for i := n - 1; i >= 0; i-- {
		k.mainBest[i] = max(k.mainBest[i+1], k.Items[i].ratio)
	}
	for m, mix := range boundMixes {
		k.bestRatio[m] = resize(k.bestRatio[m], n+1)
		k.bestRatio[m][n] = 0
		for i := n - 1; i >= 0; i-- {
			it := &k.Items[i]
			size := float64(mix*float64(it.Need[CPU])*k.perCPU) + float64((1-mix)*float64(it.Need[Memory])*k.perMem)
			k.bestRatio[m][i] = max(k.bestRatio[m][i+1], it.Worth/max(size, leastSize))
		}
	}
}

// UpperBound is Solve without the search: a bound on what any content is worth, alone.
func (k *Solver) UpperBound(room []int64, items []Item) float64 {
	k.Items = items
	return k.relax(room)
}
