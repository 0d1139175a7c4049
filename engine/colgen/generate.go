package colgen

import (
	"cmp"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/knapsack"
	"github.com/dovetail-sh/dovetail/engine/lp"
)

// Generator solves one Problem. Not safe for concurrent use.
//
// Invariants: known has exactly the keys of patterns; every pattern obeys the rules and has at most as many pods of a
// row as there are; Bound never falls, and no packing of the rows costs less.
type Generator struct {
	Bound float64 // the most that was proved of the price of any packing; 0 if nothing was
	Steps int     // that were spent

	problem  Problem
	patterns []Pattern
	known    map[string]bool
	knapsack knapsack.Solver
	items    []knapsack.Item
}

// New is a generator that knows no patterns.
func New(p Problem) *Generator { return &Generator{problem: p, known: map[string]bool{}} }

// Add makes a pattern known; false if it is known already.
func (g *Generator) Add(p Pattern) bool {
	key := p.text()
	if g.known[key] {
		return false
	}
	g.known[key] = true
	g.patterns = append(g.patterns, p)
	return true
}

// text is a map key for a pattern.
func (p *Pattern) text() string {
	key := make([]byte, 0, 4+4*len(p.Content))
	key = append(key, byte(p.Machine), byte(p.Machine>>8))
	for _, c := range p.Content {
		key = append(key, byte(c.Row), byte(c.Row>>8), byte(c.Pods), byte(c.Pods>>8))
	}
	return string(key)
}

// variable is a pattern for the linear program.
func (p *Pattern) variable() lp.Variable {
	v := lp.Variable{Cost: p.Price}
	for _, c := range p.Content {
		v.Rows, v.Coefficients = append(v.Rows, int32(c.Row)), append(v.Coefficients, float64(c.Pods))
	}
	return v
}

// demand is how many pods there are of each row.
func (g *Generator) demand() []int {
	out := make([]int, len(g.problem.Rows))
	for i := range g.problem.Rows {
		out[i] = g.problem.Rows[i].Pods
	}
	return out
}

// Prove raises Bound as far as the effort goes, and packs nothing.
func (g *Generator) Prove() { g.relax(g.demand(), true) }

// worthKeeping is the part of its price that a pattern must be worth to stay known once the program is solved: rounding
// will not want those that cost a good deal more than they are worth, and the program is solved the faster without
// them.
const worthKeeping = 0.97

// prune forgets patterns that are worth less, at so much for a pod of each row.
func (g *Generator) prune(worth []float64) {
	kept := g.patterns[:0]
	clear(g.known)
	for _, p := range g.patterns {
		sum := 0.0
		for _, c := range p.Content {
			sum += float64(worth[c.Row] * float64(c.Pods))
		}
		if sum >= p.Price*worthKeeping {
			kept = append(kept, p)
			g.known[p.text()] = true
		}
	}
	g.patterns = kept
}

// perturbation is by which part demands are made larger, each a little differently: equal ones make the simplex method
// go in circles. It makes a cover too dear by as little.
const perturbation = 1e-6

// A round of the simplex method makes at most pivots and pivotsPerRow pivots; what it has not found by then the next
// round will. A pivot counts as one step, and one more for each rowsSquared by which it touches the inverse of the
// basis.
const (
	pivots       = 500
	pivotsPerRow = 20
	rowsSquared  = 1000
)

// provePercent is the share of the effort after which proving stops being more thorough: the rest is kept for diving,
// which finds the plan that the proof is for.
const provePercent = 75

// relax solves the linear program for a demand, generating patterns until none is worth more than it costs. With prove
// it ends with a thorough search, which gives the bound that holds for any packing.
func (g *Generator) relax(demand []int, prove bool) *lp.Cover {
	rows := len(demand)
	want := make([]float64, rows)
	for i, n := range demand {
		want[i] = float64(float64(n) * (1 + float64(perturbation*math.Mod(float64(float64(i+1)*math.Phi), 1))))
	}
	program := lp.NewCover(want)
	for i := range g.patterns {
		program.Add(g.patterns[i].variable())
	}
	level := 0
	for g.Steps < g.problem.Effort {
		g.Steps += program.Solve(pivots+pivotsPerRow*rows) * (1 + rows*rows/rowsSquared)
		worth := program.Dual()
		added, scale := g.price(worth, demand, program, searches[level])
		if prove {
			g.farley(worth, demand, scale)
		}
		switch {
		case added:
			level = 0
		case prove && level+1 < len(searches) && g.Bound*searches[level+1].gain < program.Cost() &&
			g.Steps < g.problem.Effort*provePercent/100:
			level++
		default:
			return program
		}
	}
	return program
}

// search is how hard to look for patterns: only for those worth so many times their price, with so many partial
// contents in mind; the thorough start with few and take more where that proves too little.
type search struct {
	gain        float64
	width, most int
}

// searches get harder: the first finds what there is to find, the last proves that there is no more. Wider ones trade
// steps for a bound that is closer to the price.
var searches = []search{{1.0007, 20, 20}, {1.002, 100, 100}, {1.006, 400, 6400}}

// widen is by which factor a thorough search gets wider, and decided by how much of the price a bound has to be above
// the gain that was looked for to make wider searches worth it.
const (
	widen   = 4
	decided = 0.001
)

// Looking at an item of a knapsack takes half a step, at a partial content an eighth of one.
const (
	itemsPerStep    = 2
	contentsPerStep = 8
)

// price looks for patterns worth more than they cost, and adds them. scale is the largest factor by which the worths
// can be multiplied so that no pattern is worth more than it costs; 0 if unknown, infinite if nothing is worth
// anything.
func (g *Generator) price(worth []float64, demand []int, program *lp.Cover, how search) (added bool, scale float64) {
	scale = math.Inf(1)
	for k := range g.problem.Machines {
		m := &g.problem.Machines[k]
		if g.fill(m, worth, demand); len(g.items) == 0 {
			continue
		}
		upper := g.knapsack.UpperBound(m.Room, g.items)
		g.Steps += len(g.items) / itemsPerStep
		if upper > m.Price*how.gain {
			if added && how.most > how.width {
				scale = 0 // nothing is proved in this round: the next one looks again
				continue
			}
			var found bool
			if upper, found = g.search(m, upper, how); found && g.addBest(k) {
				added = true
				program.Add(g.patterns[len(g.patterns)-1].variable())
			}
		}
		scale = min(scale, m.Price/upper)
	}
	return added, scale
}

// fill lists what may be in a machine and is worth anything.
func (g *Generator) fill(m *Machine, worth []float64, demand []int) {
	g.items = g.items[:0]
	for i := range g.problem.Rows {
		r := &g.problem.Rows[i]
		if worth[i] <= 0 || demand[i] == 0 || !m.Takes.Has(r.Scope) {
			continue
		}
		if n := fits(r.Need, m.Room, demand[i]); n > 0 {
			g.items = append(g.items, knapsack.Item{Row: i, Need: r.Need, Most: n, Worth: worth[i]})
		}
	}
}

// fits is how many of at most limit pods have room.
func fits(need, room []int64, limit int) int {
	n := int64(limit)
	for d, want := range need {
		if want > 0 {
			n = min(n, max(room[d], 0)/want)
		}
	}
	return int(n)
}

// search looks for the content of a machine that is worth most, of which upper is known to be a bound, and lowers that.
func (g *Generator) search(m *Machine, upper float64, how search) (bound float64, found bool) {
	for width := how.width; width <= how.most && !found && upper > m.Price*(how.gain+decided); width *= widen {
		least := 0.0
		least, found = g.knapsack.Solve(m.Room, g.items, float64(m.Price*how.gain), width)
		upper = min(upper, least)
		g.Steps += g.knapsack.Steps / contentsPerStep
	}
	return upper, found
}

// addBest makes what the knapsack found for a machine known, unless it is already or breaks a rule.
func (g *Generator) addBest(machine int) bool {
	p := Pattern{Machine: machine, Price: g.problem.Machines[machine].Price}
	for i, n := range g.knapsack.Best {
		if n > 0 {
			p.Content = append(p.Content, Count{g.knapsack.Items[i].Row, n})
		}
	}
	slices.SortFunc(p.Content, func(a, b Count) int { return cmp.Compare(a.Row, b.Row) })
	if g.problem.Rules && !g.problem.Packer.Obey(&p) {
		return false
	}
	return g.Add(p)
}

// farley keeps what the worths prove: scaled so that no pattern is worth more than it costs, they are a price for all
// pods that no packing can beat.
func (g *Generator) farley(worth []float64, demand []int, scale float64) {
	sum := 0.0
	for i, n := range demand {
		sum += float64(max(worth[i], 0) * float64(n))
	}
	if !math.IsInf(scale, 1) {
		g.Bound = max(g.Bound, float64(sum*min(scale, 1)))
	}
}
