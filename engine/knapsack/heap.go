package knapsack

// ranked is an item by its worth for size. Of equals the first row comes first.
type ranked struct {
	ratio     float64
	row, item int32
}

func (r ranked) before(o ranked) bool {
	return r.ratio > o.ratio || r.ratio == o.ratio && r.row < o.row
}

// ranking is a binary heap, the best item first. That of the standard library goes through an interface for each
// comparison, which takes longer than to sort.
type ranking []ranked

func (h ranking) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

// pop takes the first off.
func (h ranking) pop() ranking {
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	if last > 0 {
		h.sink(0)
	}
	return h
}

func (h ranking) sink(i int) {
	moving := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(moving) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = moving
}
