package bound

import (
	"math"
	"testing"
)

func TestCoverFindsTheCheapestMix(t *testing.T) {
	t.Parallel()
	c := NewCover([]float64{10, 6})
	c.Add(Column{Cost: 3, Rows: []int32{0, 1}, Much: []float64{1, 1}})
	c.Add(Column{Cost: 2, Rows: []int32{0}, Much: []float64{2}})
	c.Add(Column{Cost: 5, Rows: []int32{1}, Much: []float64{1}})
	c.Solve(100)
	// Six of the first, two of the second: 18 + 4.
	if got := c.Cost(); math.Abs(got-22) > 1e-6 || !c.Covered() {
		t.Errorf("cost %v, levels %v, want 22", got, c.Level())
	}
}

func TestWhatNoColumnCoversIsUncovered(t *testing.T) {
	t.Parallel()
	c := NewCover([]float64{1, 1})
	c.Add(Column{Cost: 3, Rows: []int32{0}, Much: []float64{1}})
	c.Solve(100)
	if c.Covered() {
		t.Error("no column covers the second row, but it is called covered")
	}
}
