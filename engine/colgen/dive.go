package colgen

import (
	"math"
	"slices"
)

// Gap is the part of a price that is not worth looking for.
const Gap = 2e-4

// moreDives is how often diving is tried again after the first time: every dive finds patterns that the next one can
// use.
const moreDives = 3

// Solve is the cheapest packing that is found within the effort, and its price; infinite if there is none. It raises
// Bound.
func (g *Generator) Solve() (best []Chosen, price float64) {
	g.prune(g.relax(g.demand(), true).Dual())
	best, price = g.dive()
	for range moreDives {
		if price <= g.Bound*(1+Gap) {
			break
		}
		again, less := g.dive()
		if less >= price {
			break
		}
		best, price = again, less
	}
	return best, price
}

// nearlyOne is how much a fraction may lack of a whole and still count as one; nearlyNone is what counts as nothing,
// and nearlyEqual by how much one must be above another to be larger. They are above what rounding errors come to.
const (
	nearlyOne   = 1e-4
	nearlyNone  = 1e-6
	nearlyEqual = 1e-9
)

// completedSteps is what each pattern counts for that a Packer made to complete a packing.
const completedSteps = 40

// dive turns the fractions of the linear program into whole machines: patterns that are bought at least once are fixed,
// the rest is solved again, and when nothing reaches one the largest fraction is rounded up. At each such turn the
// Packer shows what it would make of the rest; the cheapest complete packing is returned.
func (g *Generator) dive() (best []Chosen, price float64) {
	d := &dive{Generator: g, left: g.demand()}
	price = math.Inf(1)
	for turn := 0; g.Steps < g.problem.Effort; turn++ {
		program := g.relax(d.left, false)
		if d.cost+program.Cost() >= price*(1-Gap) {
			break
		}
		levels := program.Level()
		progress := d.fixWhole(levels)
		if !progress || turn == 0 {
			rest, extra := g.problem.Packer.Complete(d.left)
			g.Steps += completedSteps * len(rest)
			if d.cost+extra < price {
				price = d.cost + extra
				best = append(slices.Clone(d.fixed), rest...)
			}
		}
		if !progress {
			i := fullest(levels)
			if i < 0 {
				break
			}
			d.fixTrimmed(i)
		}
		if slices.Max(d.left) == 0 {
			if d.cost < price {
				price, best = d.cost, d.fixed
			}
			break
		}
	}
	return best, price
}

// dive is how far a dive has come.
type dive struct {
	*Generator
	left  []int // by row: pods that are in nothing fixed
	fixed []Chosen
	cost  float64 // of fixed
}

// fixWhole fixes what is bought at least once; false if nothing is.
func (d *dive) fixWhole(levels []float64) (progress bool) {
	for i, x := range levels {
		if n := d.times(i, int(x+nearlyOne)); n > 0 {
			d.fix(i, n)
			progress = true
		}
	}
	return progress
}

// times is how often a pattern can be bought without more pods than there are, at most n.
func (d *dive) times(i, n int) int {
	for _, c := range d.patterns[i].Content {
		n = min(n, d.left[c.Row]/c.Pods)
	}
	return n
}

func (d *dive) fix(i, n int) {
	p := &d.patterns[i]
	for _, c := range p.Content {
		d.left[c.Row] -= c.Pods * n
	}
	d.fixed = append(d.fixed, Chosen{*p, n})
	d.cost += float64(d.problem.Packer.RightSized(p) * float64(n))
}

// fixTrimmed fixes a pattern once, without those pods that are used up already.
func (d *dive) fixTrimmed(i int) {
	p := Pattern{Machine: d.patterns[i].Machine, Price: d.patterns[i].Price}
	for _, c := range d.patterns[i].Content {
		if n := min(c.Pods, d.left[c.Row]); n > 0 {
			p.Content = append(p.Content, Count{c.Row, n})
			d.left[c.Row] -= n
		}
	}
	if len(p.Content) > 0 {
		d.fixed = append(d.fixed, Chosen{p, 1})
		d.cost += d.problem.Packer.RightSized(&p)
	}
}

// fullest is the pattern of which most is bought; -1 if none is.
func fullest(levels []float64) int {
	best := -1
	for i, x := range levels {
		if x > nearlyNone && (best < 0 || x > levels[best]+nearlyEqual) {
			best = i
		}
	}
	return best
}
