package ours_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/bench/ours"
	"github.com/dovetail-sh/dovetail/bench/workload"
)

// BenchmarkPlan is for profiles of our side alone; make bench-peer compares.
func BenchmarkPlan(b *testing.B) {
	list := []workload.Workload{
		workload.Diverse(5_000),
		workload.Preferences(4_000, false),
		workload.Preferences(4_000, true),
	}
	for _, pods := range []int{500, 2_000, 4_000} {
		if w, err := workload.Trace(trace, workload.FirstCut(pods)); err == nil {
			list = append(list, w)
		}
	}
	for _, w := range list {
		b.Run(w.Name, func(b *testing.B) { plan(b, w) })
	}
}

// trace is the public workload trace; benchmarks on it are left out where it is missing.
const trace = "../../../shared/traces/azure-vm-2020-batched.csv.gz"

// BenchmarkCuts plans for other parts of the trace, at other times, with other ratios of cores to threads and other
// instance types: the price must be near its bound on all of them.
func BenchmarkCuts(b *testing.B) {
	for _, cut := range []workload.Cut{
		{At: 100_000, Count: 500, CoresToVCPU: 2, Categories: []string{"c", "m", "r"}},
		{At: 900_000, Count: 500, CoresToVCPU: 2, Categories: []string{"c", "m", "r"}},
		{At: 300_000, Skip: 1_000, Count: 500, CoresToVCPU: 2, Categories: []string{"m", "r"}},
		{At: 300_000, Skip: 1_000, Count: 500, CoresToVCPU: 1, Categories: []string{"c", "m", "r"}},
		{At: 100_000, Count: 2_000, CoresToVCPU: 2, Categories: []string{"c", "m", "r"}},
		{At: 900_000, Skip: 500, Count: 2_000, CoresToVCPU: 1, Categories: []string{"c", "m", "r"}},
		{At: 300_000, Skip: 2_000, Count: 2_000, CoresToVCPU: 2, Categories: []string{"m"}},
		{At: 1_000_000, Count: 4_000, CoresToVCPU: 2, Categories: []string{"c", "m", "r"}},
		{At: 300_000, Skip: 300, Count: 4_000, CoresToVCPU: 2, Categories: []string{"c", "m", "r"}},
		{At: 700_000, Skip: 100, Count: 4_000, CoresToVCPU: 1, Categories: []string{"c", "m", "r"}},
	} {
		w, err := workload.Trace(trace, cut)
		if err != nil {
			b.Skipf("no trace to plan for: %v", err)
		}
		b.Run(
			fmt.Sprintf(
				"pods=%d/at=%.0f/cores=%d/types=%s",
				len(w.Pods),
				cut.At,
				cut.CoresToVCPU,
				strings.Join(cut.Categories, ""),
			),
			func(b *testing.B) { plan(b, w) },
		)
	}
}

func plan(b *testing.B, w workload.Workload) {
	var got workload.Outcome
	took, processor := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		var err error
		if got, err = ours.Plan(w); err != nil {
			b.Fatal(err)
		}
		took, processor = min(took, got.Took), min(processor, got.Processor)
	}
	// Of a run without the check after it; the least, for other work on the machine only adds.
	b.ReportMetric(took.Seconds()*1e3, "least-ms")
	b.ReportMetric(processor.Seconds()*1e3, "least-cpu-ms")
	b.ReportMetric(float64(got.Bytes)/1e6, "MB")
	b.ReportMetric(float64(got.Nodes), "nodes")
	b.ReportMetric(got.Price.Float(), "usd/h")
	if got.Bound > 0 {
		b.ReportMetric(got.Price.Float()/got.Bound.Float(), "price/bound")
	}
}
