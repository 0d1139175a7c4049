package engine_test

import (
	"fmt"
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// grown is a fleet of forty pods of some applications that came so many at a time: each time nodes were bought for what
// had no room. The machines are on demand, of the c, m and r types of one region.
func grown(seed uint64, apps, atOnce int) shape.Snapshot {
	roll := func(n int) int {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed >> 33 % uint64(n))
	}
	sizes := make([]shape.Vector, apps)
	for i := range sizes {
		cpu := int64(250 * (1 + roll(20)))
		sizes[i] = shape.Vector{CPU: cpu, Memory: cpu * int64(1+roll(7)) << 20, Pods: 1}
	}
	w := enginetest.NewWorld()
	addCatalogue(w)
	for i := range 40 {
		w.Pod(shape.PodID(fmt.Sprintf("default/%04d", i)), shape.Class{
			Namespace: "default", Requests: sizes[roll(apps)],
		})
	}
	s := w.Snapshot()
	policy := engine.DefaultPolicy()
	policy.Effort = 5_000
	for rest := s.Pods; len(rest) > 0; {
		n := min(len(rest), atOnce)
		s.Pods, rest = rest[:n], rest[n:]
		s = enginetest.Bought(s, engine.Plan(s, policy), cheapest)
	}
	return s
}

// allowing is a policy of all pools with one budget: so many nodes, or a tenth of those that there are if it is 10.
func allowing(s shape.Snapshot, budget int) refit.Policy {
	p := free(s)
	p.Effort = 200_000 // as in the controller
	if budget == 10 {
		budget = max(1, len(s.Nodes)/10)
	}
	for name, pool := range p.Pools {
		pool.Budget = budget
		p.Pools[name] = pool
	}
	return p
}

// saved is what fleets cost, in all, and the evictions that it took.
type saved struct {
	price   shape.Money
	evicted int
}

func (a *saved) settle(s shape.Snapshot, budget int) {
	after, _, evicted := settled(s, allowing(s, budget))
	a.price += enginetest.Price(after)
	a.evicted += evicted
}

// Fleets of which one node at a time gains next to nothing end under a budget of one node nearly where they end without
// a budget.
func TestABudgetOfOneReachesWhatNoBudgetReaches(t *testing.T) {
	t.Parallel()
	var before shape.Money
	var none, one saved
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		for _, apps := range []int{1, 3, 10} {
			s := grown(77*seed, apps, 1)
			before += enginetest.Price(s)
			none.settle(s, -1)
			one.settle(s, 1)
		}
	}
	t.Logf("%s before; %+v without a budget, %+v with one node", before, none, one)
	if one.price*100 > none.price*104 {
		t.Errorf("the fleets cost %s an hour in the end, without a budget %s", one.price, none.price)
	}
	if one.evicted*2 > none.evicted*3 {
		t.Errorf("it took %d evictions, without a budget %d", one.evicted, none.evicted)
	}
}

// BenchmarkRefitBudgets refits fleets that grew by a pod at a time, or by four, until nothing more is found.
func BenchmarkRefitBudgets(b *testing.B) {
	for _, atOnce := range []int{1, 4} {
		for _, apps := range []int{1, 3, 10} {
			for name, budget := range map[string]int{"none": -1, "1": 1, "10%": 10} {
				b.Run(fmt.Sprintf("apps=%d/at-once=%d/budget=%s", apps, atOnce, name), func(b *testing.B) {
					var before, bound shape.Money
					var sum saved
					for b.Loop() {
						before, bound, sum = 0, 0, saved{}
						for seed := range uint64(10) {
							s := grown(77*seed, apps, atOnce)
							before += enginetest.Price(s)
							bound += remains(s).Bound
							sum.settle(s, budget)
						}
					}
					b.ReportMetric(float64(before)/float64(bound), "before/bound")
					b.ReportMetric(float64(sum.price)/float64(bound), "after/bound")
					b.ReportMetric(float64(sum.evicted), "evicted")
				})
			}
		}
	}
}
