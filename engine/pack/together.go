package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/spread"
)

// company is rows that required affinity by hostname ties together: pods of near may only be on a
// node that has one of the hosts, and if there are no hosts, all of them share one node.
type company struct {
	hosts []int
	near  []int
}

// together opens the nodes of pods that must share one. Those that are left are set aside: nobody else may open a
// node for them, but the next tier may have one.
func (s *solver) together(kinds []kind) (aside []Entry) {
	for _, c := range s.companies() {
		s.value(kinds)
		opened := false
		for s.pods(c.near) > 0 && len(c.hosts) > 0 && s.openCompany(kinds, c) {
			opened = true
		}
		if !opened && s.alone(c) {
			s.openCompany(kinds, company{near: c.near})
		}
		for _, r := range c.near {
			if row := &s.rows[r]; row.left > 0 {
				aside = append(aside, Entry{Item: r, Count: row.left})
				row.left = 0
			}
		}
	}
	return aside
}

// alone reports whether one of the pods may be the first of its kind, near nobody but itself.
func (s *solver) alone(c company) bool {
	return slices.ContainsFunc(c.near, func(r int) bool {
		return s.rows[r].left > 0 && !slices.ContainsFunc(s.rows[r].rules, func(rule hostRule) bool {
			return rule.kind == spread.Near && !(rule.self && rule.first && !s.opens(rule.tally))
		})
	})
}

func (s *solver) pods(rows []int) int {
	n := 0
	for _, r := range rows {
		n += s.rows[r].left
	}
	return n
}

// opens reports whether a machine that was opened has a pod that the tally counts.
func (s *solver) opens(tally int32) bool {
	for _, o := range s.opened {
		for _, e := range o.entries {
			if slices.Contains(s.rows[e.Item].adds, tally) {
				return true
			}
		}
	}
	return false
}

// companies finds rows with an affinity by hostname, each with the rows that satisfy it.
func (s *solver) companies() []company {
	var out []company
	for r := range s.rows {
		for _, rule := range s.rows[r].rules {
			if rule.kind != spread.Near || s.rows[r].left == 0 {
				continue
			}
			c := company{near: []int{r}}
			for o := range s.rows {
				if o == r || s.rows[o].left == 0 || !slices.Contains(s.rows[o].adds, rule.tally) {
					continue
				}
				if slices.ContainsFunc(s.rows[o].rules, func(x hostRule) bool { return x.kind == spread.Near }) {
					c.near = append(c.near, o)
				} else {
					c.hosts = append(c.hosts, o)
				}
			}
			slices.Sort(c.near)
			if k := slices.IndexFunc(out, func(x company) bool { return meet(x.near, c.near) || meet(x.hosts, c.hosts) }); k >= 0 {
				out[k].near, out[k].hosts = union(out[k].near, c.near), union(out[k].hosts, c.hosts)
			} else {
				out = append(out, c)
			}
			break
		}
	}
	return out
}

func meet(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}

func union(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// openCompany opens one node with a host and as many of the others as fit: all of them if there
// are no hosts, else at least their share, whatever is worth most for its money.
func (s *solver) openCompany(kinds []kind, c company) bool {
	f, best := s.newFilling(), s.newFilling()
	found := false
	for i := range kinds {
		f.reset(s, &kinds[i])
		if s.seat(f, c) && f.finish(s) && (!found || s.better(f, best, c)) {
			f, best, found = best, f, true
		}
	}
	if found {
		s.openTimes(best, 1)
	}
	return found
}

func (s *solver) better(f, g *filling, c company) bool {
	share := s.pods(c.near)
	if hosts := s.pods(c.hosts); hosts > 0 {
		share = (share+hosts-1)/hosts + 1
	}
	a, b := min(f.count(), share), min(g.count(), share)
	if a != b {
		return a > b
	}
	if len(c.hosts) == 0 {
		return f.price < g.price
	}
	return f.density() > g.density()
}

// seat puts the company into one machine, as many as fit.
func (s *solver) seat(f *filling, c company) bool {
	if len(c.hosts) > 0 {
		seated := false
		for _, r := range c.hosts {
			if s.rows[r].left > 0 && f.kind.takes.Has(s.rows[r].mask) && fits(s.rows[r].need, f.room, 1) > 0 && f.add(s, r, 1) > 0 {
				seated = true
				break
			}
		}
		if !seated {
			return false
		}
	}
	seated := 0
	for again := true; again; {
		again = false
		for _, r := range c.near {
			row := &s.rows[r]
			if row.left == 0 || !f.kind.takes.Has(row.mask) || slices.ContainsFunc(f.entries, func(e Entry) bool { return e.Item == r }) {
				continue
			}
			if n := fits(row.need, f.room, row.left); n > 0 && f.add(s, r, n) > 0 {
				seated++
				again = true // others may have waited for these
			}
		}
	}
	return seated > 0
}

func (f *filling) count() int {
	n := 0
	for _, e := range f.entries {
		n += e.Count
	}
	return n
}
