package engine_test

import (
	"fmt"
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func benchmarkPlan(b *testing.B, s shape.Snapshot) {
	b.ReportAllocs()
	var d engine.Decision
	for b.Loop() {
		d = engine.Plan(s, engine.DefaultPolicy())
	}
	b.ReportMetric(float64(len(d.Open)), "nodes")
	b.ReportMetric(d.Price.Float(), "usd/h")
	b.ReportMetric(float64(len(d.Unplaced)), "unplaced")
	if d.Bound > 0 {
		b.ReportMetric(d.Price.Float()/d.Bound.Float(), "price/bound")
	}
	b.ReportMetric(float64(len(s.Pods))*float64(b.N)/b.Elapsed().Seconds(), "pods/s")
}

func BenchmarkDiverse(b *testing.B) {
	for _, pods := range []int{100, 1_000, 5_000, 20_000} {
		b.Run(fmt.Sprintf("pods=%d/types=400", pods), func(b *testing.B) {
			benchmarkPlan(b, enginetest.Diverse(pods, 400))
		})
	}
}

func BenchmarkGrowth(b *testing.B) {
	for _, size := range []struct{ pods, nodes int }{
		{1, 1_000}, {1, 5_000}, {1, 15_000}, {1_000, 1_000}, {1_000, 5_000}, {1_000, 15_000}, {10_000, 1_000},
		{10_000, 5_000}, {10_000, 15_000}, {100_000, 1_000}, {100_000, 5_000}, {100_000, 15_000},
	} {
		b.Run(fmt.Sprintf("pods=%d/nodes=%d/offerings=800", size.pods, size.nodes), func(b *testing.B) {
			benchmarkPlan(b, enginetest.Busy(size.pods, size.nodes, 134))
		})
	}
}

// BenchmarkShort plans for a pool that may not grow far enough: most of the work is explaining.
func BenchmarkShort(b *testing.B) {
	s := enginetest.Diverse(5_000, 400)
	pool := *s.Pools[0]
	pool.Limits = []shape.Limit{{Resource: shape.CPU, Max: 1_000_000}}
	s.Pools = []*shape.Pool{&pool}
	b.Run("pods=5000/limit=1000cores", func(b *testing.B) { benchmarkPlan(b, s) })
}
