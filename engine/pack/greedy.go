package pack

import (
	"cmp"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bound"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// maxCandidates is how many sizes of machine the greedy packer tries for each node it opens.
const maxCandidates = 10

// greedy opens the machine whose content is worth most for its money, again and again. What a
// pod is worth follows from the duals of the fractional relaxation: what a core, a GiB and a
// place on a node of one's own cost at best.
//
// It returns the relaxation's price, which no packing can go below.
func (s *solver) greedy(kinds []kind) (floor float64) {
	v := s.value(kinds)
	s.buildBuckets()
	order := s.bulkFirst(v.scale)
	s.drain(kinds, s.candidates(kinds, v), order)
	all := make([]int, len(kinds))
	for i := range all {
		all[i] = i
	}
	s.drain(kinds, all, order) // what no candidate could take
	return v.price
}

// drain opens machines of some kinds until none of them can take anything that is left.
func (s *solver) drain(kinds []kind, use, order []int) {
	if s.refreshBuckets() == 0 {
		return
	}
	queue := make([]candidate, 0, len(use))
	for _, i := range use {
		queue = append(queue, candidate{kind: &kinds[i], density: 1e18})
	}
	f := s.newFilling()
	for len(queue) > 0 {
		// A candidate's density falls as pods run out, nearly always. So the one that was best
		// when last tried is tried again, and taken if it still beats what the others had.
		c := &queue[0]
		if !f.fill(s, c.kind, order) {
			queue = queue[1:]
			continue
		}
		c.density = f.density()
		if len(queue) == 1 || c.density >= queue[1].density {
			s.open(f)
			if s.refreshBuckets() == 0 {
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
func (s *solver) refreshBuckets() int {
	sum := 0
	for b := range s.buckets {
		bk := &s.buckets[b]
		if bk.left == 0 {
			continue
		}
		bk.left = 0
		keep := bk.rows[:0]
		for _, r := range bk.rows {
			if s.rows[r].left > 0 {
				bk.left += s.rows[r].left
				keep = append(keep, r)
			}
		}
		bk.rows = keep
		sum += bk.left
	}
	return sum
}

// valuation is what the fractional relaxation says.
type valuation struct {
	scale  []float64 // by resource: what a unit is worth
	demand []float64 // by resource: of all pods left
	price  float64
	nodes  float64 // nodes that hostname rules demand at least; 0 if that is not what costs
}

// value solves the fractional relaxation: resources and places on nodes of their own are bought
// by the kind. It sets every row's worth.
func (s *solver) value(kinds []kind) valuation {
	d := len(s.table.Resources)
	v := valuation{scale: make([]float64, d), demand: make([]float64, d)}
	groups := s.hostGroups()
	demand := make([]float64, d+len(groups))
	for r := range s.rows {
		s.rows[r].worth, s.rows[r].scarce = 0, false
		for i, n := range s.rows[r].need {
			demand[i] += float64(n) * float64(s.rows[r].left)
		}
	}
	copy(v.demand, demand)
	for g := range groups {
		demand[d+g] = groups[g].pods / float64(groups[g].each)
	}
	unit := make([]float64, len(demand)) // rows are shares of the demand: their numbers differ by a billion
	for i := range unit {
		unit[i] = min(demand[i], 1)
	}
	lp := bound.NewCover(unit)
	var last *kind
	for i := range kinds {
		k := &kinds[i]
		if last != nil && last.price == k.price && slices.Equal(last.room, k.room) {
			continue
		}
		last = k
		lp.Add(relaxed(k, demand, len(groups)))
	}
	lp.Solve(2000)
	v.price = lp.Cost()
	dual := slices.Clone(lp.Dual())
	for i := range dual {
		if dual[i] = max(dual[i], 0); demand[i] > 0 {
			dual[i] /= demand[i]
		}
	}
	copy(v.scale, dual)
	for g, group := range groups {
		if dual[d+g] > 0 {
			v.nodes = max(v.nodes, demand[d+g])
		}
		for _, r := range group.rows {
			s.rows[r].worth += dual[d+g] / float64(group.each)
			s.rows[r].scarce = s.rows[r].scarce || dual[d+g] > 0
		}
	}
	for r := range s.rows {
		for i, n := range s.rows[r].need {
			s.rows[r].worth += v.scale[i] * float64(n)
		}
		s.rows[r].worth = max(s.rows[r].worth, 1e-6)
	}
	return v
}

// relaxed is a kind as a column of the fractional relaxation.
func relaxed(k *kind, demand []float64, groups int) bound.Column {
	c := bound.Column{Cost: k.price}
	for i, n := range k.room {
		if n > 0 && demand[i] > 0 {
			c.Rows, c.Much = append(c.Rows, int32(i)), append(c.Much, float64(n)/demand[i])
		}
	}
	for g := range groups {
		c.Rows, c.Much = append(c.Rows, int32(len(k.room)+g)), append(c.Much, 1/demand[len(k.room)+g])
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
func (s *solver) hostGroups() []hostGroup {
	at := map[int32]int{}
	var out []hostGroup
	for r := range s.rows {
		if s.rows[r].left == 0 || len(s.rows[r].rules) == 0 {
			continue
		}
		for _, rule := range s.spread.Classes[s.rows[r].class].Rules {
			if !s.spread.Keys[rule.Key].Host || !rule.Self || rule.Kind == spread.Near {
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
				out[g].pods += float64(s.rows[r].left)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b hostGroup) int { return cmp.Compare(b.pods/float64(b.each), a.pods/float64(a.each)) })
	return out[:min(len(out), maxHostGroups)]
}

// candidates picks kinds to open nodes of: those that the relaxation calls good value, in sizes
// from small to large; around the average node when hostname rules say how many there must be.
func (s *solver) candidates(kinds []kind, v valuation) []int {
	type scored struct {
		at    int
		waste float64 // price for worth, 1 is the best
		size  float64
	}
	var list []scored
	best := 0.0
	for i := range kinds {
		worth, size := 0.0, math.Inf(1) // size is the share of the demand that it can take
		for d, n := range kinds[i].room {
			if v.demand[d] > 0 {
				worth += v.scale[d] * float64(n)
				size = min(size, float64(n)/v.demand[d])
			}
		}
		c := scored{i, kinds[i].price / max(worth, 1e-9), size}
		if v.nodes > 0 {
			// What a node is worth by being one more node is not in worth; sizes around
			// the average are what counts.
			c.waste = 1
			if size*v.nodes < 0.6 || size*v.nodes > 2.5 {
				c.waste = 1 + max(size*v.nodes, 1/(size*v.nodes))
			}
		}
		if best == 0 || c.waste < best {
			best = c.waste
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.waste, b.waste) })
	good := 0
	for good < len(list) && (list[good].waste <= best*1.04 || good < 3) {
		good++
	}
	list = list[:good]
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.size, b.size) })
	return thin(kinds, len(list), func(i int) int { return list[i].at })
}

// thin keeps maxCandidates sizes, evenly, each with all its places.
func thin(kinds []kind, n int, at func(int) int) []int {
	var sizes [][]int
	for i := range n {
		k := &kinds[at(i)]
		if m := len(sizes); m > 0 && slices.Equal(kinds[sizes[m-1][0]].room, k.room) {
			sizes[m-1] = append(sizes[m-1], at(i))
			continue
		}
		sizes = append(sizes, []int{at(i)})
	}
	var out []int
	step := max(1, float64(len(sizes))/maxCandidates)
	for x := 0.0; int(x) < len(sizes); x += step {
		out = append(out, sizes[len(sizes)-1-int(x)]...)
	}
	return out
}
