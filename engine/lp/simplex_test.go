package lp

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTheCheapestMixIsFound(t *testing.T) {
	t.Parallel()
	c := NewCover([]float64{10, 6})
	c.Add(Variable{Cost: 3, Rows: []int32{0, 1}, Coefficients: []float64{1, 1}})
	c.Add(Variable{Cost: 2, Rows: []int32{0}, Coefficients: []float64{2}})
	c.Add(Variable{Cost: 5, Rows: []int32{1}, Coefficients: []float64{1}})
	c.Solve(100)
	// Six of the first, two of the second: 18 + 4.
	if got := c.Cost(); math.Abs(got-22) > 1e-6 || !c.Covered() {
		t.Errorf("cost %v, levels %v, want 22", got, c.Level())
	}
}

func TestWhatNoVariableCoversStaysUncovered(t *testing.T) {
	t.Parallel()
	c := NewCover([]float64{1, 1})
	c.Add(Variable{Cost: 3, Rows: []int32{0}, Coefficients: []float64{1}})
	c.Solve(100)
	if c.Covered() {
		t.Error("no variable covers the second row, but it is called covered")
	}
	if c.Cost() != 3 {
		t.Errorf("the row that can be covered costs %v, want 3", c.Cost())
	}
}

// closely is how near two numbers have to be to count as equal, for their size.
const closely = 1e-5

func near(a, b float64) bool { return math.Abs(a-b) <= closely*max(1, math.Abs(a), math.Abs(b)) }

// programs draws programs of which every row is covered by some variable.
func programs(t *rapid.T) (demand []float64, list []Variable) {
	rows := rapid.IntRange(1, 4).Draw(t, "rows")
	for range rows {
		demand = append(demand, rapid.Float64Range(0.1, 1).Draw(t, "demand"))
	}
	for range rapid.IntRange(1, 5).Draw(t, "variables") {
		v := Variable{Cost: rapid.Float64Range(0.1, 20).Draw(t, "cost")}
		for r := range rows {
			if rapid.IntRange(0, 2).Draw(t, "covers") > 0 {
				v.Rows = append(v.Rows, int32(r))
				v.Coefficients = append(v.Coefficients, rapid.Float64Range(0.05, 3).Draw(t, "how much"))
			}
		}
		list = append(list, v)
	}
	all := Variable{Cost: 50}
	for r := range rows {
		all.Rows, all.Coefficients = append(all.Rows, int32(r)), append(all.Coefficients, 0.1)
	}
	return demand, append(list, all)
}

func solved(t *rapid.T, demand []float64, list []Variable) *Cover {
	c := NewCover(demand)
	for _, v := range list {
		c.Add(v)
	}
	if n := c.Solve(1000); n == 1000 || !c.Covered() {
		t.Fatalf("not solved after %d pivots, covered: %v", n, c.Covered())
	}
	return c
}

// covers is by row how much of it some levels of the variables cover.
func covers(rows int, list []Variable, level []float64) []float64 {
	out := make([]float64, rows)
	for j, v := range list {
		for k, r := range v.Rows {
			out[r] += v.Coefficients[k] * level[j]
		}
	}
	return out
}

func TestSolutionCoversEveryRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, list := programs(t)
		c := solved(t, demand, list)
		cost := 0.0
		for j, x := range c.Level() {
			if x < 0 {
				t.Fatalf("variable %d is bought %v times", j, x)
			}
			cost += x * list[j].Cost
		}
		if !near(cost, c.Cost()) {
			t.Fatalf("the levels cost %v, but the cost is said to be %v", cost, c.Cost())
		}
		for r, have := range covers(len(demand), list, c.Level()) {
			if have < demand[r]-closely {
				t.Fatalf("row %d wants %v and has %v", r, demand[r], have)
			}
		}
	})
}

// Weak duality: no cover whatever costs less than the duals say, once no variable is worth more than it costs.
func TestWeakDuality(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, list := programs(t)
		dual := slices.Clone(solved(t, demand, list).Dual())
		floor := 0.0
		for r, y := range dual {
			if y < -closely {
				t.Fatalf("a unit of row %d is worth %v", r, y)
			}
			floor += y * demand[r]
		}
		for j, v := range list {
			worth := 0.0
			for k, r := range v.Rows {
				worth += dual[r] * v.Coefficients[k]
			}
			if worth > v.Cost*(1+closely) {
				t.Fatalf("variable %d is worth %v and costs %v: the solution is not the cheapest", j, worth, v.Cost)
			}
		}
		level := make([]float64, len(list))
		for j := range level {
			level[j] = rapid.Float64Range(0, 3).Draw(t, "level")
		}
		have, cost := covers(len(demand), list, level), 0.0
		for r := range have {
			if have[r] < demand[r] {
				return // not a cover
			}
		}
		for j, x := range level {
			cost += x * list[j].Cost
		}
		if cost < floor*(1-closely) {
			t.Fatalf("a cover costs %v, less than the %v that the duals prove", cost, floor)
		}
	})
}

// Strong duality: what the rows cost by the duals is what the solution costs.
func TestStrongDuality(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, list := programs(t)
		c := solved(t, demand, list)
		sum := 0.0
		for r, y := range c.Dual() {
			sum += y * demand[r]
		}
		if !near(sum, c.Cost()) {
			t.Fatalf("by the duals the demand costs %v, by the solution %v", sum, c.Cost())
		}
	})
}

// A second solver, which tries every basis, finds the same cost.
func TestTheOptimumIsThatOfAPlainSolver(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, list := programs(t)
		if got, want := solved(t, demand, list).Cost(), plain(demand, list); !near(got, want) {
			t.Fatalf("cost %v, by trying every basis %v", got, want)
		}
	})
}

// Variables that come while the program is being solved lead where they would have led from the start.
func TestVariablesMayComeLater(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, list := programs(t)
		want := solved(t, demand, list).Cost()
		c := NewCover(demand)
		for i := range list {
			c.Add(list[len(list)-1-i])
			c.Solve(1000)
		}
		if !near(c.Cost(), want) {
			t.Fatalf("one by one the cost is %v, all at once %v", c.Cost(), want)
		}
	})
}

// plain is the least cost of a cover, by trying every set of as many variables and surpluses as there are rows.
func plain(demand []float64, list []Variable) float64 {
	m := len(demand)
	columns, costs := [][]float64{}, []float64{}
	for _, v := range list {
		column := make([]float64, m)
		for k, r := range v.Rows {
			column[r] = v.Coefficients[k]
		}
		columns, costs = append(columns, column), append(costs, v.Cost)
	}
	for r := range m {
		column := make([]float64, m)
		column[r] = -1
		columns, costs = append(columns, column), append(costs, 0)
	}
	best := math.Inf(1)
	var try func(from int, basis []int)
	try = func(from int, basis []int) {
		if len(basis) == m {
			if x := gauss(columns, basis, demand); x != nil && slices.Min(x) >= -1e-9 {
				cost := 0.0
				for k, j := range basis {
					cost += costs[j] * x[k]
				}
				best = min(best, cost)
			}
			return
		}
		for j := from; j < len(columns); j++ {
			try(j+1, append(slices.Clone(basis), j))
		}
	}
	try(0, nil)
	return best
}

// gauss solves for the levels of a basis; nil if it is singular.
func gauss(columns [][]float64, basis []int, demand []float64) []float64 {
	m := len(demand)
	a := make([][]float64, m)
	for r := range a {
		for _, j := range basis {
			a[r] = append(a[r], columns[j][r])
		}
		a[r] = append(a[r], demand[r])
	}
	for c := range m {
		top := c
		for r := c; r < m; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[top][c]) {
				top = r
			}
		}
		if math.Abs(a[top][c]) < 1e-9 {
			return nil
		}
		a[c], a[top] = a[top], a[c]
		for r := range m {
			if r == c {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := c; k <= m; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	x := make([]float64, m)
	for r := range m {
		x[r] = a[r][m] / a[r][r]
	}
	return x
}
