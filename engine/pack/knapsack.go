package pack

import (
	"cmp"
	"math"
	"slices"
)

// knapsack finds the content of one machine that is worth most: how many pods of each row, given
// what a pod of each row is worth. It is branch and bound with a limited number of steps; when they
// run out the best content found so far is returned and an upper bound on the true best.
type knapsack struct {
	items []loot
	room  []float64 // remaining, by resource
	count []int     // by items, of the present branch
	best  []int
	value float64 // of best
	steps int
	limit int
	mix   []float64 // weights that turn resources into one size

	// cpu and mem bound what items from i on can be worth for a whole machine's cpu or memory.
	cpu, mem       []float64
	perCPU, perMem float64 // share of the machine that one unit is

	// seen is what branches that came to an item with the same room were worth; only for long
	// searches. Pods come in few sizes, so many branches differ in nothing else.
	seen map[spot]float64
	long bool

	leastCPU, leastMem []float64 // of a pod of items from i on, at least 1

	// best is, for some mixes of cpu and memory, the best ratio of items from i on.
	bestRatio [len(sideMixes)][]float64
}

// sideMixes are weights of cpu against memory under which long searches look at a branch, too: what
// room is left may be of another shape than the machine.
var sideMixes = [...]float64{0.15, 0.3, 0.42, 0.5, 0.58, 0.7, 0.85}

// podSlots is the resource that every pod takes one of.
const podSlots = 3

// spot is an item with the cpu and memory that are left for it and those after it.
type spot struct {
	item     int
	cpu, mem float64
	pods     float64 // left, or 0 if there are more than cpu and memory can use up
}

// longSearch is from how many steps on branches are remembered.
const longSearch = 10_000

// repeats reports whether a branch that was worth as much has been here.
func (k *knapsack) repeats(i int, value float64) bool {
	if !k.long {
		return false
	}
	at := spot{i, k.room[0], k.room[1], 0}
	if pods := k.room[podSlots]; pods < min(k.room[0]/k.leastCPU[i], k.room[1]/k.leastMem[i]) {
		at.pods = pods
	}
	if before, ok := k.seen[at]; ok && before >= value {
		return true
	}
	k.seen[at] = value
	return false
}

// loot is one row as the knapsack sees it.
type loot struct {
	row   int
	need  []int64
	most  int
	worth float64
	ratio float64 // worth for size, size as a share of the machine
}

// closeEnough is by which factor a branch must promise more than the best to be looked at.
const closeEnough = 1.0003

// A pod that takes nothing of a resource has size least by it; a machine counts as having crumb more
// room than it has, so that such pods always fit, a thousand of them.
const (
	least = 1e-12
	crumb = 1e-9
)

// mixes are ways to weigh cpu against memory in the size of a pod. Each gives a valid upper bound;
// the tightest guides the search.
var mixes = [...]float64{0, 0.25, 0.5, 0.75, 1}

// solve fills a machine with this room, looking only for contents worth more than floor; found tells
// whether there is one. It returns an upper bound on what any content is worth, at least floor.
func (k *knapsack) solve(room []int64, items []loot, floor float64, limit int) (upper float64, found bool) {
	k.items = items
	k.room = k.room[:0]
	for _, n := range room {
		k.room = append(k.room, float64(n))
	}
	upper = k.relax(room)
	slices.SortFunc(k.items, func(a, b loot) int { return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.row, b.row)) })
	k.suffixes(room)
	k.count = append(k.count[:0], make([]int, len(items))...)
	k.best = append(k.best[:0], k.count...)
	k.value, k.steps, k.limit = floor, 0, limit
	if k.long = limit >= longSearch && k.twoFold(); k.long {
		if k.seen == nil {
			k.seen = map[spot]float64{}
		}
		clear(k.seen)
	}
	if k.long {
		k.sideRatios()
	}
	k.branch(0, 0, 1)
	if k.steps < k.limit {
		upper = min(upper, k.value*closeEnough)
	}
	return max(upper, floor), k.value > floor
}

// suffixes works out the single-resource bounds.
func (k *knapsack) suffixes(room []int64) {
	n := len(k.items)
	k.cpu, k.mem = append(k.cpu[:0], make([]float64, n+1)...), append(k.mem[:0], make([]float64, n+1)...)
	k.perCPU, k.perMem = 1/max(float64(room[0]), 1), 1/max(float64(room[1]), 1)
	k.leastCPU, k.leastMem = append(k.leastCPU[:0], make([]float64, n)...), append(k.leastMem[:0], make([]float64, n)...)
	for i := n - 1; i >= 0; i-- {
		it := &k.items[i]
		k.leastCPU[i], k.leastMem[i] = max(float64(it.need[0]), 1), max(float64(it.need[1]), 1)
		if i+1 < n {
			k.leastCPU[i], k.leastMem[i] = min(k.leastCPU[i], k.leastCPU[i+1]), min(k.leastMem[i], k.leastMem[i+1])
		}
		k.cpu[i] = max(k.cpu[i+1], it.worth/max(float64(it.need[0])*k.perCPU, least))
		k.mem[i] = max(k.mem[i+1], it.worth/max(float64(it.need[1])*k.perMem, least))
	}
}

// sideRatios works out bestRatio.
func (k *knapsack) sideRatios() {
	n := len(k.items)
	for m, mix := range sideMixes {
		k.bestRatio[m] = append(k.bestRatio[m][:0], make([]float64, n+1)...)
		for i := n - 1; i >= 0; i-- {
			it := &k.items[i]
			size := mix*float64(it.need[0])*k.perCPU + (1-mix)*float64(it.need[1])*k.perMem
			k.bestRatio[m][i] = max(k.bestRatio[m][i+1], it.worth/max(size, least))
		}
	}
}

// hopeless reports whether items from i on cannot make more of the branch than the best.
func (k *knapsack) hopeless(i int, value, size float64) bool {
	most := (size + crumb) * k.items[i].ratio
	most = min(most, k.cpu[i]*(k.room[0]*k.perCPU+crumb), k.mem[i]*(k.room[1]*k.perMem+crumb))
	bar := k.value * closeEnough
	if k.long {
		cpu, mem := k.room[0]*k.perCPU, k.room[1]*k.perMem
		for m, mix := range sideMixes {
			most = min(most, (mix*cpu+(1-mix)*mem+crumb)*k.bestRatio[m][i])
		}
	}
	if value+most <= bar {
		return true
	}
	for ; i < len(k.items); i++ { // as much of each as there is, the last one cut
		it := &k.items[i]
		one := it.worth / it.ratio
		if n := float64(it.most); n*one < size {
			value += n * it.worth
			size -= n * one
		} else {
			return value+(size+crumb)*it.ratio <= bar
		}
		if value > bar {
			return false
		}
	}
	return value <= bar
}

// twoFold reports whether cpu, memory and the number of pods are all that pods ask for.
func (k *knapsack) twoFold() bool {
	for i := range k.items {
		for d, n := range k.items[i].need {
			if n > 0 && d > 1 && d != podSlots {
				return false
			}
		}
	}
	return true
}

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

// branch tries every count of item i, largest first. size is what is left of the machine by the mix.
func (k *knapsack) branch(i int, value, size float64) {
	k.steps++
	if value > k.value {
		k.value = value
		copy(k.best, k.count)
	}
	if k.steps >= k.limit {
		return
	}
	for ; i < len(k.items); i++ {
		it := &k.items[i]
		if k.hopeless(i, value, size) || k.repeats(i, value) {
			return
		}
		if n := k.fits(it); n > 0 {
			k.try(i, n, value, size)
			return
		}
	}
}

// try goes through the counts of item i from n down to none.
func (k *knapsack) try(i, n int, value, size float64) {
	it := &k.items[i]
	one := it.worth / it.ratio
	k.take(it, n)
	for ; n >= 0; n-- {
		k.count[i] = n
		next := 0.0
		if i+1 < len(k.items) {
			next = k.items[i+1].ratio
		}
		left := size - float64(n)*one
		if v := value + float64(n)*it.worth; v+(left+crumb)*next > k.value*closeEnough || v > k.value {
			k.branch(i+1, v, left)
		}
		if n == 0 || k.steps >= k.limit {
			break
		}
		k.take(it, -1)
	}
	k.take(it, -n)
	k.count[i] = 0
}

func (k *knapsack) fits(it *loot) int {
	n := float64(it.most)
	for d, need := range it.need {
		if need > 0 {
			n = min(n, k.room[d]/float64(need))
		}
	}
	return int(n)
}

func (k *knapsack) take(it *loot, n int) {
	for d, need := range it.need {
		k.room[d] -= float64(need) * float64(n)
	}
}
