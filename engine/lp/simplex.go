package lp

import "math"

// Variable is one thing that can be bought: what it costs, and how much one of it covers of some rows.
type Variable struct {
	Cost         float64   // at least 0
	Rows         []int32   // each once, less than the number of rows
	Coefficients []float64 // more than 0, by Rows
}

// Cover is a covering program; see the package. Variables may be added while it is being solved. Not safe for
// concurrent use.
//
// Invariants, but for rounding: the basis has one member for each row; inverse times the matrix of the basis is the
// identity; level is inverse times demand, and is nowhere negative. dual is what btran made of the basis when it was
// last called: the costs of the basis times inverse.
type Cover struct {
	Variables []Variable

	demand []float64 // by row, at least 0; not changed

	basis   []int     // by row: an index of Variables; -1-r for row r's surplus; artificial+r for what row r lacks
	level   []float64 // by row: how much of that member is bought
	inverse []float64 // the inverse of the basis, row by row
	dual    []float64 // by row of the program: what a unit of its demand costs

	direction []float64 // scratch: a variable in terms of the basis

	// phaseOne is set while rows are uncovered that may still come to be covered: what they lack costs 1 each then, and
	// nothing else costs anything.
	phaseOne bool
}

// artificial is the number in Cover.basis from which on members stand for leaving a row uncovered. It is more than
// there are variables.
const artificial = 1 << 30

// The arithmetic has some 15 digits, and pivots lose some of them. Rows should be scaled so that demands are near 1.
const (
	// tolerance is what counts as nothing in a coefficient that a pivot would divide by. Smaller, and a pivot may blow
	// the inverse up; larger, and true variables are passed over.
	tolerance = 1e-9
	// sameRatio is within which two rows of the ratio test count as equal. Of equals the larger pivot wins, for the
	// sake of the inverse.
	sameRatio = 1e-12
	// covered is how much a row may lack and still count as covered: the perturbations that callers put into demands
	// against cycling, a millionth, must not be taken for shortage.
	covered = 1e-6
	// minGain is the part of its cost that a variable must gain to be bought. It trades the last digits of the optimum
	// for an end to pivots that only move rounding errors.
	minGain = 1e-7
)

// NewCover is a program without variables: everything is left uncovered.
func NewCover(demand []float64) *Cover {
	m := len(demand)
	c := &Cover{
		demand: demand, basis: make([]int, m), level: make([]float64, m), inverse: make([]float64, m*m),
		dual: make([]float64, m), direction: make([]float64, m),
	}
	for r := range m {
		c.basis[r] = artificial + r
		c.level[r] = demand[r]
		c.inverse[r*m+r] = 1
	}
	return c
}

// Add adds a variable and returns its number.
func (c *Cover) Add(v Variable) int {
	c.Variables = append(c.Variables, v)
	return len(c.Variables) - 1
}

// Solve pivots until no known variable makes the cover cheaper, at most limit times, and returns how often it did. Rows
// that no variable covers stay uncovered: see [Cover.Covered].
func (c *Cover) Solve(limit int) int {
	c.phaseOne = !c.Covered()
	n := 0
	for n < limit {
		c.btran()
		enter, ok := c.entering()
		if ok && c.pivot(enter) {
			n++
			c.phaseOne = c.phaseOne && !c.Covered()
			continue
		}
		if !c.phaseOne {
			return n
		}
		c.phaseOne = false // what is uncovered now stays so
	}
	c.btran()
	return n
}

// Dual is by row what one unit of demand costs at the present solution; negative only by rounding. It is overwritten by
// Solve and must not be written to.
func (c *Cover) Dual() []float64 { return c.dual }

// Cost is the price of the present solution.
func (c *Cover) Cost() float64 {
	sum := 0.0
	for r := range c.basis {
		sum += float64(c.cost(c.basis[r]) * c.level[r])
	}
	return sum
}

// Covered reports whether every row's demand is met.
func (c *Cover) Covered() bool {
	for r, b := range c.basis {
		if b >= artificial && c.level[r] > covered {
			return false
		}
	}
	return true
}

// Level is how much of each variable is bought.
func (c *Cover) Level() []float64 {
	out := make([]float64, len(c.Variables))
	for r, b := range c.basis {
		if b >= 0 && b < artificial {
			out[b] = max(c.level[r], 0)
		}
	}
	return out
}

// cost is that of a member of the basis, in the phase that the method is in.
func (c *Cover) cost(b int) float64 {
	switch {
	case b >= artificial && c.phaseOne:
		return 1
	case b >= artificial || b < 0 || c.phaseOne:
		return 0
	}
	return c.Variables[b].Cost
}

// btran works out the dual values: the costs of the basis, transformed backwards through its inverse.
func (c *Cover) btran() {
	m := len(c.demand)
	clear(c.dual)
	for r, b := range c.basis {
		if cost := c.cost(b); cost != 0 {
			row := c.inverse[r*m : r*m+m]
			for i, v := range row {
				c.dual[i] += float64(cost * v)
			}
		}
	}
}

// entering finds the variable, or the surplus, that promises most for its cost. In phase one it is what covers most, as
// costs do not count yet.
func (c *Cover) entering() (int, bool) {
	best, found, gain := 0, false, minGain
	for i := range c.Variables {
		v := &c.Variables[i]
		worth := 0.0
		for k, r := range v.Rows {
			worth += float64(c.dual[r] * v.Coefficients[k])
		}
		g := worth
		if !c.phaseOne {
			g = (worth - v.Cost) / max(v.Cost, 1)
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

// leaving is the ratio test: the row whose member is used up first when the entering variable, of which direction is
// known, is bought; -1 if that is none.
func (c *Cover) leaving() int {
	leave, least := -1, math.Inf(1)
	for r, d := range c.direction {
		if c.basis[r] >= artificial && !c.phaseOne && d < -tolerance {
			return r // a row that is covered must not come short again
		}
		if d <= tolerance {
			continue
		}
		ratio := max(c.level[r], 0) / d
		if ratio < least-sameRatio || leave >= 0 && ratio <= least+sameRatio && d > c.direction[leave] {
			leave, least = r, min(ratio, least)
		}
	}
	return leave
}

// pivot brings a variable into the basis; false if the arithmetic does not allow it.
func (c *Cover) pivot(enter int) bool {
	m := len(c.demand)
	c.ftran(enter)
	leave := c.leaving()
	if leave < 0 {
		return false
	}
	by := c.direction[leave]
	pivotRow := c.inverse[leave*m : leave*m+m]
	for i := range pivotRow {
		pivotRow[i] /= by
	}
	c.level[leave] /= by
	for r := range m {
		f := c.direction[r]
		if r == leave || f == 0 {
			continue
		}
		row := c.inverse[r*m : r*m+m]
		for i, v := range pivotRow {
			row[i] -= float64(f * v)
		}
		c.level[r] -= float64(f * c.level[leave])
	}
	c.basis[leave] = enter
	return true
}

// ftran writes a variable in terms of the basis into direction: its coefficients, transformed forwards.
func (c *Cover) ftran(enter int) {
	m := len(c.demand)
	clear(c.direction)
	if enter < 0 {
		at := -1 - enter
		for r := range m {
			c.direction[r] = -c.inverse[r*m+at]
		}
		return
	}
	v := &c.Variables[enter]
	for r := range m {
		row := c.inverse[r*m : r*m+m]
		sum := 0.0
		for k, i := range v.Rows {
			sum += float64(row[i] * v.Coefficients[k])
		}
		c.direction[r] = sum
	}
}
