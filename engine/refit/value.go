package refit

import (
	"github.com/dovetail-sh/dovetail/engine/lp"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// maxPivots bounds the linear program; its bound holds only if it was solved.
const maxPivots = 2000

// rounding is by which part its optimum is lowered to be a bound in spite of rounding errors.
const rounding = 1e-9

// value is what the pods of some nodes would cost if machines could be bought in fractions: by class of pod, and for
// all together, which no plan on new nodes can go below.
func (x *sketch) value(of []int) (worth []float64, floor shape.Money) {
	t := x.table
	demand := make([]float64, len(t.Resources))
	for _, i := range of {
		for _, b := range x.podsToMove[i] {
			for d, n := range t.Classes[b.class].Need {
				demand[d] += float64(float64(n) * float64(len(b.pods)))
			}
		}
	}
	unit := make([]float64, len(demand)) // rows are shares of the demand: their numbers differ by a billion
	for d := range unit {
		unit[d] = min(demand[d], 1)
	}
	program := lp.NewCover(unit)
	for _, pool := range t.Pools {
		for i := pool.Usable.Next(0); i >= 0; i = pool.Usable.Next(i + 1) {
			c := lp.Variable{Cost: float64(t.Columns[i].Price())}
			for d, n := range pool.Room(i) {
				if n > 0 && demand[d] > 0 {
					c.Rows, c.Coefficients = append(c.Rows, int32(d)), append(c.Coefficients, float64(n)/demand[d])
				}
			}
			if len(c.Rows) > 0 {
				program.Add(c)
			}
		}
	}
	solved := program.Solve(maxPivots) < maxPivots && program.Covered()
	dual := program.Dual()
	worth = make([]float64, len(t.Classes))
	for k, c := range t.Classes {
		for d, n := range c.Need {
			if demand[d] > 0 {
				worth[k] += float64(max(dual[d], 0) / demand[d] * float64(n))
			}
		}
	}
	if solved {
		floor = shape.Money(program.Cost() * (1 - rounding))
	}
	return worth, floor
}
