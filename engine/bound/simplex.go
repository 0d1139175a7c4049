package bound

import "math"

// Column is one thing that can be bought: what it costs and how much it covers of some rows.
type Column struct {
	Cost float64 // at least 0
	Rows []int32
	Much []float64 // more than 0, by Rows
}

// Cover is a linear program: the least cost at which columns, bought in fractions, cover
// a demand in every row. Columns may be added while it is being solved. It is solved by
// the revised simplex method; every choice in it is the first best one, so the same
// columns in the same order give the same result.
type Cover struct {
	Columns []Column

	demand []float64
	basis  []int     // by row: Columns index; -1-r is row r's surplus; penalty+r its shortage
	level  []float64 // by row: how much of the basis column is bought
	inv    []float64 // the basis' inverse, row by row
	dual   []float64
	in     []float64 // scratch: a column in terms of the basis

	// short is set while rows are still uncovered that could be covered: then only that counts,
	// and prices do not.
	short bool
}

const (
	penalty = 1 << 30 // basis numbers from here on stand for leaving a row uncovered
	tiny    = 1e-9    // what counts as nothing in a level or a coefficient; demands should be near 1
	gains   = 1e-7    // by which part of its cost a column must gain to be bought
)

// NewCover is a program without columns: everything is left uncovered.
func NewCover(demand []float64) *Cover {
	m := len(demand)
	c := &Cover{demand: demand, basis: make([]int, m), level: make([]float64, m), inv: make([]float64, m*m), dual: make([]float64, m), in: make([]float64, m)}
	for r := range m {
		c.basis[r] = penalty + r
		c.level[r] = demand[r]
		c.inv[r*m+r] = 1
	}
	return c
}

// Add adds a column and returns its number.
func (c *Cover) Add(col Column) int {
	c.Columns = append(c.Columns, col)
	return len(c.Columns) - 1
}

// Solve pivots until no known column makes the cover cheaper, at most limit times, and
// returns how often it did.
func (c *Cover) Solve(limit int) int {
	c.short = !c.Covered()
	n := 0
	for n < limit {
		c.price()
		enter, ok := c.entering()
		if ok && c.pivot(enter) {
			n++
			c.short = c.short && !c.Covered()
			continue
		}
		if !c.short {
			return n
		}
		c.short = false // what is uncovered now stays so
	}
	c.price()
	return n
}

// Dual is what one unit of each row is worth at the present solution. It is overwritten by Solve.
func (c *Cover) Dual() []float64 { return c.dual }

// Cost is the price of the present solution.
func (c *Cover) Cost() float64 {
	sum := 0.0
	for r := range c.basis {
		sum += c.cost(c.basis[r]) * c.level[r]
	}
	return sum
}

// Covered reports whether every row's demand is met.
func (c *Cover) Covered() bool {
	for r, b := range c.basis {
		if b >= penalty && c.level[r] > 1e-6 {
			return false
		}
	}
	return true
}

// Level is how much of each column is bought.
func (c *Cover) Level() []float64 {
	out := make([]float64, len(c.Columns))
	for r, b := range c.basis {
		if b >= 0 && b < penalty {
			out[b] = max(c.level[r], 0)
		}
	}
	return out
}

func (c *Cover) cost(b int) float64 {
	switch {
	case b >= penalty && c.short:
		return 1
	case b >= penalty || b < 0 || c.short:
		return 0
	}
	return c.Columns[b].Cost
}

// price works out the dual values.
func (c *Cover) price() {
	m := len(c.demand)
	clear(c.dual)
	for r, b := range c.basis {
		if cost := c.cost(b); cost != 0 {
			row := c.inv[r*m : r*m+m]
			for i, v := range row {
				c.dual[i] += cost * v
			}
		}
	}
}

// entering finds the column that promises most, relative to its cost.
func (c *Cover) entering() (int, bool) {
	best, found, gain := 0, false, gains
	for i := range c.Columns {
		col := &c.Columns[i]
		worth := 0.0
		for k, r := range col.Rows {
			worth += c.dual[r] * col.Much[k]
		}
		g := worth
		if !c.short {
			g = (worth - col.Cost) / max(col.Cost, 1)
		}
		if g > gain {
			best, found, gain = i, true, g
		}
	}
	if found {
		return best, true
	}
	for r, d := range c.dual {
		if -d > gain {
			best, found, gain = -1-r, true, -d
		}
	}
	return best, found
}

// pivot brings a column into the basis; false if the arithmetic does not allow it.
func (c *Cover) pivot(enter int) bool {
	m := len(c.demand)
	c.express(enter)
	leave, least := -1, math.Inf(1)
	for r := range m {
		if c.basis[r] >= penalty && !c.short && c.in[r] < -tiny {
			leave, least = r, 0 // a row that is covered must not come short again
			break
		}
		if c.in[r] <= tiny {
			continue
		}
		ratio := max(c.level[r], 0) / c.in[r]
		if ratio < least-1e-12 || leave >= 0 && ratio <= least+1e-12 && c.in[r] > c.in[leave] {
			leave, least = r, min(ratio, least)
		}
	}
	if leave < 0 {
		return false
	}
	by := c.in[leave]
	pivotRow := c.inv[leave*m : leave*m+m]
	for i := range pivotRow {
		pivotRow[i] /= by
	}
	c.level[leave] /= by
	for r := range m {
		f := c.in[r]
		if r == leave || f == 0 {
			continue
		}
		row := c.inv[r*m : r*m+m]
		for i, v := range pivotRow {
			row[i] -= f * v
		}
		c.level[r] -= f * c.level[leave]
	}
	c.basis[leave] = enter
	return true
}

// express writes a column in terms of the basis into c.in.
func (c *Cover) express(enter int) {
	m := len(c.demand)
	clear(c.in)
	if enter < 0 {
		at := -1 - enter
		for r := range m {
			c.in[r] = -c.inv[r*m+at]
		}
		return
	}
	col := &c.Columns[enter]
	for r := range m {
		row := c.inv[r*m : r*m+m]
		sum := 0.0
		for k, i := range col.Rows {
			sum += row[i] * col.Much[k]
		}
		c.in[r] = sum
	}
}
