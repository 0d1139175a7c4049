package contest

import (
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
)

// The oracle itself must be able to say no: of a plan that leaves a pod out which the peer places, and of one that is
// dear.
func TestTheContestSeesBadPlans(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed < 200; seed++ {
		m, err := newMatch(t.Context(), seed, 4)
		if err != nil {
			t.Fatal(err)
		}
		if m.rule() != Same || m.invalid != nil || len(m.ours.Open) == 0 || m.scarce() || m.varied() || m.wishes() ||
			m.weighted() {
			continue
		}
		good := m.ours
		m.ours.Price *= 2
		if got := m.rule(); got != Dearer {
			t.Errorf("a plan at twice the price: got %q, want %q", got, Dearer)
		}
		m.ours = good
		last := good.Open[len(good.Open)-1]
		m.ours.Open, m.ours.Price = good.Open[:len(good.Open)-1], good.Price-last.Price
		for _, id := range last.Pods {
			m.ours.Unplaced = append(m.ours.Unplaced, engine.Unplaced{Pod: id})
		}
		m.compare()
		if got := m.rule(); got != Fewer {
			t.Errorf("a plan without a node that the peer opens: got %q, want %q", got, Fewer)
		}
		return
	}
	t.Fatal("no cluster is planned alike")
}
