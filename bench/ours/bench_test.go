package ours_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/bench/ours"
	"github.com/dovetail-sh/dovetail/bench/workload"
)

// BenchmarkPlan is for profiles of our side alone; make bench-peer compares.
func BenchmarkPlan(b *testing.B) {
	list := []workload.Workload{workload.Diverse(5_000), workload.Preferences(4_000, false), workload.Preferences(4_000, true)}
	for _, pods := range []int{500, 2_000, 4_000} {
		if w, err := workload.Trace("../../../shared/traces/azure-vm-2020-batched.csv.gz", pods); err == nil {
			list = append(list, w)
		}
	}
	for _, w := range list {
		b.Run(w.Name, func(b *testing.B) {
			b.ReportAllocs()
			var got workload.Outcome
			for b.Loop() {
				var err error
				if got, err = ours.Plan(w); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(got.Nodes), "nodes")
			b.ReportMetric(got.Price.Float(), "usd/h")
			if got.Bound > 0 {
				b.ReportMetric(got.Price.Float()/got.Bound.Float(), "price/bound")
			}
		})
	}
}
