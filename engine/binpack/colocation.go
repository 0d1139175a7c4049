package binpack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// colocated is rows that required affinity by hostname ties together: pods of followers may only be on a node that has
// one of the leaders, and if there are none, all of them share one node.
type colocated struct {
	leaders   []int
	followers []int
}

// colocation opens nodes for a solver's rows that are tied together. It keeps nothing for itself.
type colocation struct{ s *solver }

// together opens the nodes of pods that must share one. Those that are left are set aside: nothing else may open a
// node for them, but the next tier may have one.
func (co *colocation) together(kinds []kind) (aside []board.Entry) {
	for _, c := range co.groups() {
		(&greedy{co.s}).value(kinds)
		opened := false
		for co.pods(c.followers) > 0 && len(c.leaders) > 0 && co.openNode(kinds, c) {
			opened = true
		}
		if !opened && co.alone(c) {
			co.openNode(kinds, colocated{followers: c.followers})
		}
		for _, r := range c.followers {
			if row := &co.s.rows[r]; row.left > 0 {
				aside = append(aside, board.Entry{Item: r, Count: row.left})
				row.left = 0
			}
		}
	}
	return aside
}

// alone reports whether one of the pods may be the first of its kind, near its own kind alone.
func (co *colocation) alone(c colocated) bool {
	return slices.ContainsFunc(c.followers, func(r int) bool {
		return co.s.rows[r].left > 0 && !slices.ContainsFunc(co.s.rows[r].rules, func(rule hostRule) bool {
			return rule.kind == spread.Near && !(rule.self && rule.first && !co.opens(rule.tally))
		})
	})
}

func (co *colocation) pods(rows []int) int {
	n := 0
	for _, r := range rows {
		n += co.s.rows[r].left
	}
	return n
}

// opens reports whether a machine that was opened has a pod that the tally counts.
func (co *colocation) opens(tally int32) bool {
	for _, o := range co.s.opened {
		for _, e := range o.entries {
			if slices.Contains(co.s.rows[e.Item].adds, tally) {
				return true
			}
		}
	}
	return false
}

// groups finds rows with an affinity by hostname, each with the rows that satisfy it.
func (co *colocation) groups() []colocated {
	var out []colocated
	for r := range co.s.rows {
		near := slices.IndexFunc(co.s.rows[r].rules, hostRule.near)
		if near < 0 || co.s.rows[r].left == 0 {
			continue
		}
		c := co.tied(r, co.s.rows[r].rules[near].tally)
		k := slices.IndexFunc(out, func(x colocated) bool {
			return meet(x.followers, c.followers) || meet(x.leaders, c.leaders)
		})
		if k < 0 {
			out = append(out, c)
			continue
		}
		out[k].followers, out[k].leaders = union(out[k].followers, c.followers), union(out[k].leaders, c.leaders)
	}
	return out
}

// tied is a row and those that a tally counts which it looks for.
func (co *colocation) tied(r int, tally int32) colocated {
	c := colocated{followers: []int{r}}
	for o := range co.s.rows {
		row := &co.s.rows[o]
		switch {
		case o == r || row.left == 0 || !slices.Contains(row.adds, tally):
		case slices.ContainsFunc(row.rules, hostRule.near):
			c.followers = append(c.followers, o)
		default:
			c.leaders = append(c.leaders, o)
		}
	}
	slices.Sort(c.followers)
	return c
}

func meet(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}

func union(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// openNode opens one node with a leader and as many of the others as fit: all of them if there
// are no leaders, else at least their share, whatever is worth most for its money.
func (co *colocation) openNode(kinds []kind, c colocated) bool {
	f, best := co.s.newFilling(), co.s.newFilling()
	found := false
	for i := range kinds {
		f.reset(co.s, &kinds[i])
		if co.fill(f, c) && f.finish(co.s) && (!found || co.better(f, best, c)) {
			f, best, found = best, f, true
		}
	}
	if found {
		co.s.openTimes(best, 1)
	}
	return found
}

func (co *colocation) better(f, g *filling, c colocated) bool {
	share := co.pods(c.followers)
	if hosts := co.pods(c.leaders); hosts > 0 {
		share = (share+hosts-1)/hosts + 1
	}
	a, b := min(f.count(), share), min(g.count(), share)
	if a != b {
		return a > b
	}
	if len(c.leaders) == 0 {
		return f.price < g.price
	}
	return f.density() > g.density()
}

// fill puts a group into one machine, as many as fit.
func (co *colocation) fill(f *filling, c colocated) bool {
	if len(c.leaders) > 0 {
		placed := false
		for _, r := range c.leaders {
			if co.s.rows[r].left > 0 && f.kind.takes.Has(co.s.rows[r].scope) &&
				fits(co.s.rows[r].need, f.room, 1) > 0 &&
				f.add(co.s, r, 1) > 0 {
				placed = true
				break
			}
		}
		if !placed {
			return false
		}
	}
	placed := 0
	for again := true; again; {
		again = false
		for _, r := range c.followers {
			row := &co.s.rows[r]
			if row.left == 0 || !f.kind.takes.Has(row.scope) ||
				slices.ContainsFunc(f.entries, func(e board.Entry) bool {
					return e.Item == r
				}) {
				continue
			}
			if n := fits(row.need, f.room, row.left); n > 0 && f.add(co.s, r, n) > 0 {
				placed++
				again = true // others may have waited for these
			}
		}
	}
	return placed > 0
}

func (f *filling) count() int {
	n := 0
	for _, e := range f.entries {
		n += e.Count
	}
	return n
}
