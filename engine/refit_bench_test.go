package engine_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// free is a policy of all pools without budgets.
func free(s shape.Snapshot) refit.Policy {
	p := refit.DefaultPolicy()
	p.Pools = map[string]refit.PoolPolicy{}
	for _, pool := range s.Pools {
		p.Pools[pool.Name] = refit.PoolPolicy{Mode: refit.WhenUnderutilized, Budget: -1}
	}
	return p
}

func cheapest(int) int { return 0 }

// thinned drops every pod of a running fleet that the dice want, one in three.
func thinned(s shape.Snapshot, seed uint64) shape.Snapshot {
	var d = seed
	out := s
	out.Nodes = nil
	for _, n := range s.Nodes {
		m := *n
		m.Pods = nil
		sum := shape.Vector{}
		for _, p := range n.Pods {
			d = d*6364136223846793005 + 1442695040888963407
			if d>>33%3 == 0 {
				continue
			}
			m.Pods = append(m.Pods, p)
			sum = sum.Add(s.Classes[p.Class].Requests)
		}
		m.Requested = &sum
		out.Nodes = append(out.Nodes, &m)
	}
	return out
}

// settled refits until there is nothing left to do, once an hour.
func settled(s shape.Snapshot, p refit.Policy) (after shape.Snapshot, rounds, evicted int) {
	for rounds = 0; ; rounds++ {
		s.Now = s.Now.Add(time.Hour)
		r := refit.Refit(s, p)
		if len(r.Moves) == 0 {
			return s, rounds, evicted
		}
		for _, m := range r.Moves {
			s = enginetest.Moved(s, m, cheapest)
			evicted += m.Pods
		}
	}
}

// remains is what the pods of a fleet would cost on new nodes, and the bound of that.
func remains(s shape.Snapshot) engine.Decision {
	for _, n := range s.Nodes {
		s.Pods = append(s.Pods, n.Pods...)
	}
	s.Nodes = nil
	return engine.Plan(s, engine.DefaultPolicy())
}

func BenchmarkRefitTrace(b *testing.B) {
	for _, pods := range []int{500, 2_000, 4_000} {
		b.Run(fmt.Sprintf("pods=%d/cmr/third-gone", pods), func(b *testing.B) {
			s := traceSnapshot(b, pods)
			s = thinned(enginetest.Bought(s, engine.Plan(s, engine.DefaultPolicy()), cheapest), 1)
			before := enginetest.Price(s)
			left := remains(s)
			p := free(s)
			var after shape.Snapshot
			var rounds, evicted int
			began := cpu(b)
			for b.Loop() {
				after, rounds, evicted = settled(s, p)
			}
			b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(before)/float64(left.Bound), "before/bound")
			b.ReportMetric(float64(enginetest.Price(after))/float64(left.Bound), "after/bound")
			b.ReportMetric(float64(left.Price)/float64(left.Bound), "replanned/bound")
			b.ReportMetric(float64(evicted), "evicted")
			b.ReportMetric(float64(rounds), "rounds")
		})
	}
}

// BenchmarkRefitPass looks at every node: of a fleet of which a third of the room is free, and of the same one when no
// node is left whose pods all fit on others.
func BenchmarkRefitPass(b *testing.B) {
	for _, size := range []struct{ nodes, pods int }{{1_000, 10_000}, {5_000, 50_000}} {
		b.Run(fmt.Sprintf("loose/nodes=%d/pods=%d", size.nodes, size.pods), func(b *testing.B) {
			benchmarkPass(b, enginetest.Running(size.nodes, size.pods, 134))
		})
	}
	for _, size := range []struct{ nodes, pods int }{{1_200, 10_000}, {6_000, 50_000}} {
		b.Run(fmt.Sprintf("tight/nodes=%d/pods=%d", size.nodes, size.pods), func(b *testing.B) {
			s := enginetest.Running(size.nodes, size.pods, 134)
			p := free(s)
			p.Effort = 0
			s, _, _ = settled(s, p)
			b.ReportMetric(float64(len(s.Nodes)), "nodes")
			benchmarkPass(b, s)
		})
	}
}

// cpu is what the process has used so far: on a busy machine that says more than the time on the wall.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchmarkPass(b *testing.B, s shape.Snapshot) {
	p := free(s)
	b.ReportAllocs()
	var r refit.Result
	began := cpu(b)
	for b.Loop() {
		r = refit.Refit(s, p)
	}
	b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(len(r.Moves)), "moves")
	b.ReportMetric(float64(r.After)/float64(r.Before), "after/before")
	b.ReportMetric(float64(r.Counters.Candidates), "candidates")
	b.ReportMetric(float64(r.Counters.Sketches), "sketches")
	b.ReportMetric(float64(r.Counters.Plans), "plans")
	b.ReportMetric(float64(r.Counters.Steps), "steps")
}
