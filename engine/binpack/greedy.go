package binpack

import (
	"cmp"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/lp"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// maxCandidates is how many sizes of machine the greedy packer tries for each node it opens.
const maxCandidates = 10

// greedy opens machines for a solver's rows. It keeps nothing for itself.
type greedy struct{ s *solver }

// greedy opens the machine whose content is worth most for its money, again and again. What a
// pod is worth follows from the duals of the fractional relaxation: what a core, a GiB and a
// place on a node of one's own cost at best.
//
// It returns the relaxation's price, which no packing of the items can go below.
func (s *solver) greedy(kinds []kind) (floor float64) {
	p := &greedy{s}
	v := p.value(kinds)
	p.buildBuckets()
	order := p.bulkFirst(v.scale)
	if p.s.many {
		slices.Reverse(order)
		for r := range p.s.rows {
			p.s.rows[r].worth = 1
		}
	}
	p.drain(kinds, p.candidates(kinds, v), order)
	p.drain(kinds, countUp(len(kinds)), order) // what no candidate could take
	return v.price
}

// blendFrom is from how many pods on a machine its content is blended, too.
const blendFrom = 8

// asGood is from which part of the other content's worth for money the blended one is taken: it leaves pods
// behind that go together as well as they did.
const asGood = 0.98

// untried is the density of a candidate that was not filled yet: above every real one, so that each is tried once.
const untried = 1e18

// drain opens machines of some kinds until none of them can take anything that is left.
func (p *greedy) drain(kinds []kind, use, order []int) {
	left := p.refreshBuckets()
	if left == 0 {
		return
	}
	queue := make([]candidate, 0, len(use))
	for _, i := range use {
		queue = append(queue, candidate{kind: &kinds[i], density: untried})
	}
	f, g := p.s.newFilling(), p.s.newFilling()
	for len(queue) > 0 {
		// A candidate's density falls as pods run out, nearly always. So the one that was best
		// when last tried is tried again, and taken if it still beats what the others had.
		c := &queue[0]
		if !f.fill(p.s, c.kind, order) {
			queue = queue[1:]
			continue
		}
		if f.count() >= blendFrom && !p.s.many && g.blend(p.s, c.kind, order) && g.density() > f.density()*asGood {
			f, g = g, f
		}
		c.density = f.density()
		if len(queue) == 1 || c.density >= queue[1].density {
			p.s.open(f)
			for _, e := range f.entries {
				left -= p.s.buckets[p.s.rows[e.Item].bucket].refresh(p.s.rows)
			}
			if left == 0 {
				return
			}
			continue
		}
		reposition(queue)
	}
}

// candidate is a kind with the worth for money that it last had.
type candidate struct {
	kind    *kind
	density float64
}

// reposition moves the first candidate to where its density belongs; of equals it comes last.
func reposition(queue []candidate) {
	c := queue[0]
	i := 1
	for i < len(queue) && queue[i].density >= c.density {
		queue[i-1] = queue[i]
		i++
	}
	queue[i-1] = c
}

// refreshBuckets forgets rows that are used up, and counts the pods that are left.
func (p *greedy) refreshBuckets() int {
	sum := 0
	for b := range p.s.buckets {
		p.s.buckets[b].refresh(p.s.rows)
		sum += p.s.buckets[b].left
	}
	return sum
}

// refresh is refreshBuckets for one of them. It returns how many pods are gone.
func (b *bucket) refresh(rows []row) (gone int) {
	if b.left == 0 {
		return 0
	}
	before := b.left
	b.left = 0
	keep := b.rows[:0]
	for _, r := range b.rows {
		if rows[r].left > 0 {
			b.left += rows[r].left
			keep = append(keep, r)
		}
	}
	b.rows = keep
	return before - b.left
}

// valuation is what the fractional relaxation says.
type valuation struct {
	scale  []float64 // by resource: what a unit is worth
	demand []float64 // by resource: of all pods left
	price  float64
	nodes  float64 // nodes that hostname rules demand at least; 0 if that is not what costs
	most   float64 // times as large as the average of these a node may be, if there are any
}

// leastWorth is what a pod is worth at least, in millionths of a dollar an hour as prices are. Pods whose resources are
// abundant count for nothing in the relaxation; they are to fill machines all the same. It is far below what any pod
// costs, so it decides between pods only where nothing else does.
const leastWorth = 1e-6

// value solves the fractional relaxation: resources and places on nodes of their own are bought
// by the kind. It sets every row's worth.
func (p *greedy) value(kinds []kind) valuation {
	d := len(p.s.table.Resources)
	groups := p.hostGroups()
	v := valuation{scale: make([]float64, d), demand: p.demand()}
	for r := range p.s.rows {
		p.s.rows[r].worth, p.s.rows[r].scarce = 0, false
	}
	found := p.relax(kinds, v.demand, groups)
	v.price = found.price
	copy(v.scale, found.dual)
	for g, group := range groups {
		if found.dual[d+g] > 0 {
			v.nodes = max(v.nodes, group.pods/float64(group.each))
		}
		for _, r := range group.rows {
			p.s.rows[r].worth += found.dual[d+g] / float64(group.each)
			p.s.rows[r].scarce = p.s.rows[r].scarce || found.dual[d+g] > 0
		}
	}
	for r := range p.s.rows {
		for i, n := range p.s.rows[r].need {
			p.s.rows[r].worth += float64(v.scale[i] * float64(n))
		}
		p.s.rows[r].worth = max(p.s.rows[r].worth, leastWorth)
	}
	return v
}

// demand is what all pods that are left need, by resource.
func (p *greedy) demand() []float64 {
	out := make([]float64, len(p.s.table.Resources))
	for r := range p.s.rows {
		for i, n := range p.s.rows[r].need {
			out[i] += float64(float64(n) * float64(p.s.rows[r].left))
		}
	}
	return out
}

// relaxation is the least price at which resources and nodes can be had, and what a unit of each is worth then.
type relaxation struct {
	price float64
	dual  []float64 // of the resources, then of the groups
}

// valuePivots bounds the simplex method where it only ranks kinds: values that are not quite the best still rank them.
const valuePivots = 2000

// relax buys what is demanded, and the nodes that hostname rules want, by the fraction.
func (p *greedy) relax(kinds []kind, needs []float64, groups []hostGroup) relaxation {
	d := len(needs)
	demand := append(slices.Clone(needs), make([]float64, len(groups))...)
	for g := range groups {
		demand[d+g] = groups[g].pods / float64(groups[g].each)
	}
	unit := make([]float64, len(demand)) // rows are shares of the demand: their numbers differ by a billion
	for i := range unit {
		unit[i] = min(demand[i], 1)
	}
	program := lp.NewCover(unit)
	var last *kind
	for i := range kinds {
		k := &kinds[i]
		if last != nil && last.price == k.price && slices.Equal(last.room, k.room) {
			continue
		}
		last = k
		program.Add(relaxed(k, demand, len(groups)))
	}
	program.Solve(valuePivots)
	dual := slices.Clone(program.Dual())
	for i := range dual {
		if dual[i] = max(dual[i], 0); demand[i] > 0 {
			dual[i] /= demand[i]
		}
	}
	return relaxation{max(program.Cost(), p.aloneAtLeast(kinds, groups)), dual}
}

// aloneAtLeast is what pods that limit themselves on a node cost if there were no others.
func (p *greedy) aloneAtLeast(kinds []kind, groups []hostGroup) (price float64) {
	for _, g := range groups {
		sum := 0.0
		for _, r := range g.rows {
			row := &p.s.rows[r]
			k := slices.IndexFunc(kinds, func(k kind) bool { return fits(row.need, k.room, 1) > 0 }) // by price
			if k >= 0 {
				sum += kinds[k].price * float64(row.left) / float64(g.each)
			}
		}
		price = max(price, sum)
	}
	return price
}

// relaxed is a kind as a column of the fractional relaxation.
func relaxed(k *kind, demand []float64, groups int) lp.Variable {
	most := len(k.room) + groups
	c := lp.Variable{Cost: k.price, Rows: make([]int32, 0, most), Coefficients: make([]float64, 0, most)}
	for i, n := range k.room {
		if n > 0 && demand[i] > 0 {
			c.Rows, c.Coefficients = append(c.Rows, int32(i)), append(c.Coefficients, float64(n)/demand[i])
		}
	}
	for g := range groups {
		c.Rows, c.Coefficients = append(c.Rows, int32(len(k.room)+g)), append(c.Coefficients, 1/demand[len(k.room)+g])
	}
	return c
}

// hostGroup is pods of which one node may hold only so many.
type hostGroup struct {
	tally int32
	each  int32 // pods a node may hold
	pods  float64
	rows  []int
}

// maxHostGroups bounds the relaxation's size; the largest groups count.
const maxHostGroups = 24

// hostGroups finds the pods that limit themselves on a node.
func (p *greedy) hostGroups() []hostGroup {
	at := map[int32]int{}
	var out []hostGroup
	for r := range p.s.rows {
		if p.s.rows[r].left == 0 || len(p.s.rows[r].rules) == 0 {
			continue
		}
		for _, rule := range p.s.spread.Classes[p.s.rows[r].class].Rules {
			if !p.s.spread.Keys[rule.Key].Host || !rule.Self || rule.Kind == spread.Near {
				continue
			}
			each := int32(1)
			if rule.Kind == spread.Skew {
				each = rule.MaxSkew
			}
			g, ok := at[rule.Tally]
			if !ok {
				g = len(out)
				at[rule.Tally] = g
				out = append(out, hostGroup{tally: rule.Tally, each: each})
			}
			out[g].each = max(out[g].each, each)
			if n := len(out[g].rows); n == 0 || out[g].rows[n-1] != r {
				out[g].rows = append(out[g].rows, r)
				out[g].pods += float64(p.s.rows[r].left)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b hostGroup) int {
		return cmp.Compare(b.pods/float64(b.each), a.pods/float64(a.each))
	})
	return out[:min(len(out), maxHostGroups)]
}

const (
	// fewKinds is how many kinds are all tried for every node, unless hostname rules say how many nodes there must be.
	fewKinds = 40

	// smallestNode is how small a node may be beside the average of those that hostname rules demand.
	smallestNode = 0.2

	// fewSizes is among how many sizes of node there must be a choice then. With two, pods that need little more than
	// the smallest machine each cost a twentieth more (1,200 of 2,000 diverse pods alone on their nodes).
	fewSizes = 3
)

// A kind is a candidate if what it costs for the worth of its room is at most nearBest times the least. A higher limit
// tries more kinds for each node; BenchmarkTrace and BenchmarkDiverse say what that takes and saves.
const nearBest = 1.04

// candidates picks kinds to open nodes of: those that the relaxation calls good value for some of
// the pods, in sizes from small to large; around the average node when hostname rules say how many
// there must be.
func (p *greedy) candidates(kinds []kind, v valuation) []int {
	if len(kinds) <= fewKinds && v.nodes == 0 {
		return countUp(len(kinds))
	}
	v.largest(kinds)
	waste, size := make([]float64, len(kinds)), make([]float64, len(kinds))
	best := make([]float64, len(p.s.scopes)) // the least waste by scope
	for i := range kinds {
		waste[i], size[i] = v.judge(&kinds[i])
		for m := kinds[i].takes.Next(0); m >= 0; m = kinds[i].takes.Next(m + 1) {
			if best[m] == 0 || waste[i] < best[m] {
				best[m] = waste[i]
			}
		}
	}
	var list []int
	for i := range kinds {
		for m := kinds[i].takes.Next(0); m >= 0; m = kinds[i].takes.Next(m + 1) {
			if waste[i] <= best[m]*nearBest {
				list = append(list, i)
				break
			}
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(size[a], size[b]) })
	return thin(kinds, list)
}

// leastRoom is what a machine's room is worth at least, in the unit of prices: a kind with nothing of what is scarce
// costs very much for it, and not infinitely much. It is below what any useful room is worth.
const leastRoom = 1e-9

// judge is what a kind costs for what its room is worth, 1 at best, and which part of all pods it can take.
func (v *valuation) judge(k *kind) (waste, size float64) {
	worth := 0.0
	size = math.Inf(1)
	for d, n := range k.room {
		if v.demand[d] > 0 {
			worth += float64(v.scale[d] * float64(n))
			size = min(size, float64(n)/v.demand[d])
		}
	}
	if v.nodes == 0 {
		return k.price / max(worth, leastRoom), size
	}
	// What a node is worth by being one more node is not in worth; what counts is the size beside the average.
	if average := float64(size * v.nodes); average < smallestNode || average > v.most {
		return 1 + max(average, 1/average), size
	}
	return 1, size
}

// largest finds the largest size of machine that is good for the average node when hostname rules say how many nodes
// there must be: the next that is large enough. What fills larger ones leaves pods that are alone on their nodes. There
// have to be a few sizes to choose from.
func (v *valuation) largest(kinds []kind) {
	var sizes []float64
	for i := range kinds {
		_, size := v.judge(&kinds[i])
		if average := float64(size * v.nodes); average >= smallestNode {
			sizes = append(sizes, average)
		}
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	at, _ := slices.BinarySearch(sizes, 1)
	v.most = math.Inf(1)
	if at = max(at, fewSizes-1); at < len(sizes) {
		v.most = sizes[at]
	}
}

func countUp(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// thin keeps maxCandidates sizes, evenly, each with all its places. The list ascends by size.
func thin(kinds []kind, list []int) []int {
	var sizes [][]int
	for _, i := range list {
		if m := len(sizes); m > 0 && slices.Equal(kinds[sizes[m-1][0]].room, kinds[i].room) {
			sizes[m-1] = append(sizes[m-1], i)
			continue
		}
		sizes = append(sizes, []int{i})
	}
	var out []int
	step := max(1, float64(len(sizes))/maxCandidates)
	for x := 0.0; int(x) < len(sizes); x += step {
		out = append(out, sizes[len(sizes)-1-int(x)]...)
	}
	return out
}
