package pack

import (
	"maps"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bound"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// generator packs by column generation: a linear program buys fractions of fillings, its duals say
// what each pod is worth, and knapsacks find fillings that are worth more than they cost.
type generator struct {
	s     *solver
	kinds []kind
	rows  []int // of the solver's, those with pods left
	at    []int // the reverse, -1 for others
	fills []loaded
	known map[string]bool
	needs [][]int64 // by rows: what a pod takes of the room
	rooms [][]int64 // by kinds: their room, then how many pods of each hostname tally they may hold
	picky bool      // a filling may break a rule that knapsacks do not know
	sack  knapsack
	loot  []loot
	steps int
	limit int

	bound float64 // the best that was proved
}

// loaded is one way to fill a kind.
type loaded struct {
	kind    int
	entries []Entry // Item is an index into generator.rows
	price   float64
}

func newGenerator(s *solver, kinds []kind, limit int) *generator {
	g := &generator{s: s, kinds: kinds, at: make([]int, len(s.rows)), known: map[string]bool{}, limit: limit}
	for r := range s.rows {
		g.at[r] = -1
		if s.rows[r].left > 0 {
			g.at[r] = len(g.rows)
			g.rows = append(g.rows, r)
		}
	}
	g.extend()
	return g
}

// extend makes resources of hostname rules: a node holds only so many pods that a tally counts.
func (g *generator) extend() {
	caps := g.hostCaps()
	tallies := slices.Sorted(maps.Keys(caps))
	for _, r := range g.rows {
		row := &g.s.rows[r]
		need := slices.Clone(row.need)
		for _, t := range tallies {
			n := int64(0)
			if slices.ContainsFunc(row.rules, func(rule hostRule) bool { return rule.tally == t && rule.limits() }) {
				n = 1
			}
			need = append(need, n)
		}
		g.needs = append(g.needs, need)
		g.picky = g.picky || len(row.rules) > 0
	}
	for k := range g.kinds {
		room := slices.Clone(g.kinds[k].room)
		for _, t := range tallies {
			room = append(room, caps[t])
		}
		g.rooms = append(g.rooms, room)
		pool := g.s.table.Pools[g.kinds[k].pool]
		g.picky = g.picky || pool.Choices || pool.MinValues
	}
}

// hostCaps finds the hostname tallies whose pods limit themselves, and the limits.
func (g *generator) hostCaps() map[int32]int64 {
	caps := map[int32]int64{}
	for _, r := range g.rows {
		for i := range g.s.rows[r].rules {
			if rule := &g.s.rows[r].rules[i]; rule.limits() {
				caps[rule.tally] = max(caps[rule.tally], int64(rule.room(0, math.MaxInt32)))
			}
		}
	}
	return caps
}

// limits reports whether a node may hold only so many of the pods that have the rule.
func (r *hostRule) limits() bool { return r.self && r.kind != spread.Near }

// demand is how many pods of each row are left.
func (g *generator) demand() []int {
	out := make([]int, len(g.rows))
	for i, r := range g.rows {
		out[i] = g.s.rows[r].left
	}
	return out
}

// prune forgets fillings that cost a good deal more than they are worth: rounding will not want them.
func (g *generator) prune(worth []float64) {
	kept := g.fills[:0]
	clear(g.known)
	for _, l := range g.fills {
		sum := 0.0
		for _, e := range l.entries {
			sum += worth[e.Item] * float64(e.Count)
		}
		if sum >= l.price*0.97 {
			kept = append(kept, l)
			g.known[l.text()] = true
		}
	}
	g.fills = kept
}

// text is a map key for a filling.
func (l *loaded) text() string {
	key := make([]byte, 0, 4+4*len(l.entries))
	key = append(key, byte(l.kind), byte(l.kind>>8))
	for _, e := range l.entries {
		key = append(key, byte(e.Item), byte(e.Item>>8), byte(e.Count), byte(e.Count>>8))
	}
	return string(key)
}

// column is a filling for the linear program.
func (l *loaded) column() bound.Column {
	c := bound.Column{Cost: l.price}
	for _, e := range l.entries {
		c.Rows, c.Much = append(c.Rows, int32(e.Item)), append(c.Much, float64(e.Count))
	}
	return c
}

// add notes a filling, unless it is known.
func (g *generator) add(l loaded) bool {
	key := l.text()
	if g.known[key] {
		return false
	}
	g.known[key] = true
	g.fills = append(g.fills, l)
	return true
}

// crooked is by which part demands are made larger, each a little differently: equal ones make the
// simplex method go in circles.
const crooked = 1e-6

// relax solves the linear program for a demand, generating fillings until none is worth more than
// it costs. With prove it ends with a thorough search, which gives the bound that holds for any plan.
func (g *generator) relax(demand []int, prove bool) *bound.Cover {
	want := make([]float64, len(demand))
	for i, n := range demand {
		want[i] = float64(n) * (1 + crooked*math.Mod(float64(i+1)*math.Phi, 1))
	}
	lp := bound.NewCover(want)
	for i := range g.fills {
		lp.Add(g.fills[i].column())
	}
	level := 0
	for g.steps < g.limit {
		g.steps += lp.Solve(500+20*len(g.rows)) * (1 + len(g.rows)*len(g.rows)/1000)
		worth := lp.Dual()
		added, scale := g.price(worth, demand, lp, searches[level])
		if prove {
			g.prove(worth, demand, scale)
		}
		switch {
		case added:
			level = 0
		case prove && level+1 < len(searches) && g.bound*searches[level+1].gain < lp.Cost() && g.steps < g.limit*3/4:
			level++
		default:
			return lp
		}
	}
	return lp
}

// search is how hard to look for fillings: only for those worth so many times their price, with so many
// partial contents in mind; the thorough start with few and take more where that proves too little.
type search struct {
	gain        float64
	width, most int
}

// searches get harder: the first finds what there is to find, the last proves that there is no more.
var searches = []search{{1.0007, 20, 20}, {1.002, 100, 100}, {1.006, 400, 6400}}

// price looks for fillings worth more than they cost. scale is the largest factor by which the
// worths can be multiplied so that no filling is worth more than it costs, 0 if unknown.
func (g *generator) price(worth []float64, demand []int, lp *bound.Cover, how search) (added bool, scale float64) {
	scale = math.Inf(1)
	for k := range g.kinds {
		kd := &g.kinds[k]
		g.loot = g.loot[:0]
		for i, r := range g.rows {
			row := &g.s.rows[r]
			if worth[i] <= 0 || demand[i] == 0 || !kd.takes.Has(row.mask) {
				continue
			}
			if n := fits(g.needs[i], g.rooms[k], demand[i]); n > 0 {
				g.loot = append(g.loot, loot{row: i, need: g.needs[i], most: n, worth: worth[i]})
			}
		}
		if len(g.loot) == 0 {
			continue
		}
		upper := g.sack.relaxOnly(g.rooms[k], g.loot)
		g.steps += len(g.loot) / 2
		if upper > kd.price*how.gain {
			found := false
			if added && how.most > how.width {
				scale = 0 // nothing is proved in this round: the next one looks again
				continue
			}
			for width := how.width; width <= how.most && !found && upper > kd.price*(how.gain+0.001); width *= 4 {
				least := 0.0
				least, found = g.sack.solve(g.rooms[k], g.loot, kd.price*how.gain, width)
				upper = min(upper, least)
				g.steps += g.sack.steps / 8
			}
			if found && g.addBest(k) {
				added = true
				lp.Add(g.fills[len(g.fills)-1].column())
			}
		}
		scale = min(scale, kd.price/upper)
	}
	return added, scale
}

func (g *generator) addBest(k int) bool {
	l := loaded{kind: k, price: g.kinds[k].price}
	for i, n := range g.sack.best {
		if n > 0 {
			l.entries = append(l.entries, Entry{g.sack.items[i].row, n})
		}
	}
	slices.SortFunc(l.entries, byItem)
	if g.picky && !g.obey(&l) {
		return false
	}
	return g.add(l)
}

// obey takes pods out of a filling until it breaks no rule; false if nothing is left.
func (g *generator) obey(l *loaded) bool {
	f := g.s.scratch()
	f.reset(g.s, &g.kinds[l.kind])
	for _, e := range l.entries {
		f.add(g.s, g.rows[e.Item], e.Count)
	}
	if !f.finish(g.s) {
		return false
	}
	l.entries = l.entries[:0]
	for _, e := range f.entries {
		l.entries = append(l.entries, Entry{g.at[e.Item], e.Count})
	}
	return true
}

// relaxOnly is solve without the search: the upper bound alone.
func (k *knapsack) relaxOnly(room []int64, items []loot) float64 {
	k.items = items
	return k.relax(room)
}

// prove keeps what the worths prove: scaled so that no filling is worth more than it costs, they
// are a price for all pods that no plan can beat.
func (g *generator) prove(worth []float64, demand []int, scale float64) {
	sum := 0.0
	for i, n := range demand {
		sum += max(worth[i], 0) * float64(n)
	}
	if !math.IsInf(scale, 1) {
		g.bound = max(g.bound, sum*min(scale, 1))
	}
}
