package pack

import (
	"math"
	"slices"
)

// chosen is a filling to be opened so often.
type chosen struct {
	loaded
	times int
}

// hardly is the part of a price that is not worth looking for.
const hardly = 2e-4

// dive turns the fractions of the linear program into whole machines: fillings that are bought at
// least once are fixed, the rest is solved again, and when nothing reaches one the largest fraction
// is rounded up. At each turn the greedy packer shows what it would make of the rest; the cheapest
// complete plan is returned.
func (g *generator) dive() (best []chosen, price float64) {
	left := g.demand()
	start := slices.Clone(left)
	price = math.Inf(1)
	var fixed []chosen
	cost := 0.0
	for turn := 0; g.steps < g.limit; turn++ {
		lp := g.relax(left, false)
		if cost+lp.Cost() >= price*(1-hardly) {
			break
		}
		progress := false
		levels := lp.Level()
		for i, x := range levels {
			if n := g.times(i, int(x+1e-4), left); n > 0 {
				fixed, cost = g.fix(fixed, cost, i, n, left)
				progress = true
			}
		}
		if !progress || turn == 0 {
			if rest, extra := g.complete(left); cost+extra < price {
				price = cost + extra
				best = append(slices.Clone(fixed), rest...)
			}
		}
		if !progress {
			i := fullest(levels)
			if i < 0 {
				break
			}
			fixed, cost = g.fixTrimmed(fixed, cost, i, left)
		}
		if slices.Max(left) == 0 {
			if cost < price {
				price, best = cost, fixed
			}
			break
		}
	}
	g.restoreDemand(start)
	return best, price
}

// times is how often a filling can be opened without more pods than there are, at most n.
func (g *generator) times(i, n int, left []int) int {
	for _, e := range g.fills[i].entries {
		n = min(n, left[e.Item]/e.Count)
	}
	return n
}

func (g *generator) fix(fixed []chosen, cost float64, i, n int, left []int) ([]chosen, float64) {
	for _, e := range g.fills[i].entries {
		left[e.Item] -= e.Count * n
	}
	return append(fixed, chosen{g.fills[i], n}), cost + g.rightSized(g.fills[i])*float64(n)
}

// fixTrimmed opens a filling once, without those pods that are used up already.
func (g *generator) fixTrimmed(fixed []chosen, cost float64, i int, left []int) ([]chosen, float64) {
	l := loaded{kind: g.fills[i].kind, price: g.fills[i].price}
	for _, e := range g.fills[i].entries {
		if n := min(e.Count, left[e.Item]); n > 0 {
			l.entries = append(l.entries, Entry{e.Item, n})
			left[e.Item] -= n
		}
	}
	if len(l.entries) == 0 {
		return fixed, cost
	}
	return append(fixed, chosen{l, 1}), cost + g.rightSized(l)
}

func fullest(levels []float64) int {
	best := -1
	for i, x := range levels {
		if x > 1e-6 && (best < 0 || x > levels[best]+1e-9) {
			best = i
		}
	}
	return best
}

// load puts a filling into f; its price is then the cheapest column's that holds it.
func (g *generator) load(f *filling, l loaded) bool {
	f.reset(g.s, &g.kinds[l.kind])
	pods := 0
	for _, e := range l.entries {
		if f.add(g.s, g.rows[e.Item], e.Count) < e.Count {
			return false
		}
		pods += e.Count
	}
	return f.finish(g.s) && f.count() == pods
}

func (g *generator) rightSized(l loaded) float64 {
	if !g.load(g.s.scratch(), l) {
		return l.price
	}
	return g.s.scratch().price
}

// complete is what the greedy packer makes of what is left, and its price.
func (g *generator) complete(left []int) (rest []chosen, price float64) {
	g.restoreDemand(left)
	saved := g.s.save()
	g.s.greedy(g.kinds)
	for _, o := range g.s.opened[saved.opened:] {
		l := loaded{kind: -1, price: o.price}
		for k := range g.kinds {
			if &g.kinds[k] == o.kind {
				l.kind = k
			}
		}
		for _, e := range o.entries {
			l.entries = append(l.entries, Entry{g.at[e.Item], e.Count})
		}
		rest = append(rest, chosen{l, o.times})
		price += o.price * float64(o.times)
		g.steps += 40
	}
	if s := g.s.leftOver(); s > 0 {
		price = math.Inf(1)
	}
	g.s.restore(saved)
	return rest, price
}

func (g *generator) restoreDemand(left []int) {
	for i, r := range g.rows {
		g.s.rows[r].left = left[i]
	}
}
