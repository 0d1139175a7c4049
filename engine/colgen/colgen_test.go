package colgen

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/bitset"
)

// plain is a Packer without rules. It completes packings with the first machine that takes each pod.
type plain struct {
	rows     []Row
	machines []Machine
	most     int // pods that a pattern may have by a rule that the numbers do not know; 0 for any
}

func (p *plain) Obey(pattern *Pattern) bool {
	pods := 0
	for i := range pattern.Content {
		if p.most > 0 {
			pattern.Content[i].Pods = min(pattern.Content[i].Pods, p.most-pods)
		}
		pods += pattern.Content[i].Pods
	}
	pattern.Content = slices.DeleteFunc(pattern.Content, func(c Count) bool { return c.Pods == 0 })
	return len(pattern.Content) > 0
}

func (p *plain) RightSized(pattern *Pattern) float64 { return pattern.Price }

func (p *plain) Complete(left []int) (out []Chosen, price float64) {
	for r, n := range left {
		if n == 0 {
			continue
		}
		k := slices.IndexFunc(p.machines, func(m Machine) bool {
			return m.Takes.Has(p.rows[r].Scope) && fits(p.rows[r].Need, m.Room, 1) > 0
		})
		if k < 0 {
			return nil, math.Inf(1)
		}
		out = append(out, Chosen{Pattern{k, []Count{{r, 1}}, p.machines[k].Price}, n})
		price += p.machines[k].Price * float64(n)
	}
	return out, price
}

// problems draws few pods and machines; every pod fits the largest machine.
func problems(t *rapid.T) Problem {
	p := &plain{}
	for range rapid.IntRange(1, 3).Draw(t, "rows") {
		p.rows = append(p.rows, Row{
			Need: []int64{rapid.Int64Range(1, 6).Draw(t, "cpu"), rapid.Int64Range(0, 6).Draw(t, "memory"), 0, 1},
			Pods: rapid.IntRange(1, 3).Draw(t, "pods"), Scope: rapid.IntRange(0, 1).Draw(t, "scope"),
		})
	}
	both := bitset.New(2)
	both.Add(0)
	both.Add(1)
	first := bitset.New(2)
	first.Add(0)
	for range rapid.IntRange(0, 2).Draw(t, "small machines") {
		p.machines = append(p.machines, Machine{
			Price: rapid.Float64Range(1, 10).Draw(t, "price"), Takes: rapid.SampledFrom([]bitset.Set{
				both, first,
			}).Draw(t, "takes"),
			Room: []int64{rapid.Int64Range(1, 9).Draw(t, "cpu"), rapid.Int64Range(1, 9).Draw(t, "memory"), 0, 4},
		})
	}
	p.machines = append(p.machines, Machine{
		Price: rapid.Float64Range(4, 12).Draw(t, "price"), Takes: both, Room: []int64{10, 10, 0, 5},
	})
	if p.most = rapid.IntRange(0, 3).Draw(t, "most"); p.most < 2 {
		p.most = 0
	}
	return Problem{
		Rows: p.rows, Machines: p.machines, Packer: p, Rules: p.most > 0,
		Effort: rapid.SampledFrom([]int{1, 200, 100_000}).Draw(t, "effort"),
	}
}

// known is a generator that knows the packing that the Packer makes by itself, as every caller's does.
func known(p Problem) *Generator {
	g := New(p)
	first, _ := p.Packer.Complete(g.demand())
	for _, c := range first {
		g.Add(c.Pattern)
	}
	return g
}

func TestNoPackingIsCheaperThanTheBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := problems(t)
		best := optimum(p)
		g := known(p)
		g.Solve()
		if g.Bound > best*(1+1e-9) {
			t.Fatalf("bound %v after %d steps, but a packing costs %v", g.Bound, g.Steps, best)
		}
		proof := known(p)
		if proof.Prove(); proof.Bound > best*(1+1e-9) {
			t.Fatalf("bound %v by proof alone, but a packing costs %v", proof.Bound, best)
		}
	})
}

func TestThePackingHasEveryPodOnceAndNoMachineTooFull(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := problems(t)
		chosen, price := known(p).Solve()
		if math.IsInf(price, 1) {
			return // no effort was left
		}
		left, sum := New(p).demand(), 0.0
		for _, c := range chosen {
			m := p.Machines[c.Machine]
			room, pods := slices.Clone(m.Room), 0
			for _, e := range c.Content {
				if !m.Takes.Has(p.Rows[e.Row].Scope) {
					t.Fatalf("machine %d does not take row %d", c.Machine, e.Row)
				}
				for d, n := range p.Rows[e.Row].Need {
					room[d] -= n * int64(e.Pods)
				}
				left[e.Row] -= e.Pods * c.Times
				pods += e.Pods
			}
			if slices.Min(room) < 0 {
				t.Fatalf("machine %d is too full by %v", c.Machine, room)
			}
			if most := p.Packer.(*plain).most; most > 0 && pods > most {
				t.Fatalf("%d pods on machine %d, by the rule there may be %d", pods, c.Machine, most)
			}
			sum += c.Price * float64(c.Times)
		}
		if slices.Min(left) != 0 || slices.Max(left) != 0 {
			t.Fatalf("of each row so many pods are left: %v", left)
		}
		if math.Abs(sum-price) > 1e-9*price {
			t.Fatalf("it costs %v, said to cost %v", sum, price)
		}
		if best := optimum(p); price < best*(1-1e-9) {
			t.Fatalf("it costs %v, less than the optimum %v", price, best)
		}
	})
}

// The classical case: rolls of 100 cut to 45, 36, 31 and 14, of which 97, 610, 395 and 211 are wanted (Chvátal, "Linear
// Programming", 1983). The program's optimum is 452.25 rolls, and 453 are enough.
func TestPaperRollsAreCutWithoutWaste(t *testing.T) {
	t.Parallel()
	all := bitset.New(1)
	all.Add(0)
	p := &plain{machines: []Machine{{Price: 1, Room: []int64{100, 0, 0, 0}, Takes: all}}}
	for _, cut := range [][2]int{{45, 97}, {36, 610}, {31, 395}, {14, 211}} {
		p.rows = append(p.rows, Row{Need: []int64{int64(cut[0]), 0, 0, 0}, Pods: cut[1]})
	}
	g := known(Problem{Rows: p.rows, Machines: p.machines, Packer: p, Effort: 1_000_000})
	if _, price := g.Solve(); price != 453 {
		t.Errorf("%v rolls, want 453", price)
	}
	if g.Bound < 452.25*(1-0.006) || g.Bound > 452.25*(1+1e-9) {
		t.Errorf("bound %v, want 452.25 or a little less", g.Bound)
	}
}

func TestAPatternIsKnownOnce(t *testing.T) {
	t.Parallel()
	g := New(Problem{})
	p := Pattern{Machine: 1, Content: []Count{{0, 2}}}
	if !g.Add(p) || g.Add(p) || !g.Add(Pattern{Machine: 2, Content: []Count{{0, 2}}}) {
		t.Error("a pattern is new once, and on another machine it is another one")
	}
}

// optimum is the least price of a packing, by trying every content of every machine for what is left.
func optimum(p Problem) float64 {
	most := p.Packer.(*plain).most
	memory := map[string]float64{}
	var cost func(left []int) float64
	cost = func(left []int) float64 {
		first := slices.IndexFunc(left, func(n int) bool { return n > 0 })
		if first < 0 {
			return 0
		}
		key := fmt.Sprint(left)
		if known, ok := memory[key]; ok {
			return known
		}
		best := math.Inf(1)
		for _, m := range p.Machines {
			contents(p, m, left, func(rest []int, pods int) {
				if rest[first] < left[first] && (most == 0 || pods <= most) { // some machine has the first pod
					best = min(best, m.Price+cost(rest))
				}
			})
		}
		memory[key] = best
		return best
	}
	return cost(New(p).demand())
}

// contents calls do for everything that fits a machine of what is left.
func contents(p Problem, m Machine, left []int, do func(rest []int, pods int)) {
	var try func(row, pods int, room []int64, rest []int)
	try = func(row, pods int, room []int64, rest []int) {
		if row == len(left) {
			do(rest, pods)
			return
		}
		for n := 0; n <= left[row] && (n == 0 || m.Takes.Has(p.Rows[row].Scope)); n++ {
			after, now := slices.Clone(room), slices.Clone(rest)
			for d, need := range p.Rows[row].Need {
				after[d] -= need * int64(n)
			}
			if slices.Min(after) < 0 {
				return
			}
			now[row] -= n
			try(row+1, pods+n, after, now)
		}
	}
	try(0, 0, m.Room, left)
}
