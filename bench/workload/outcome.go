package workload

import (
	"runtime"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Outcome is what one run of a planner took and what it would buy.
type Outcome struct {
	Took     time.Duration
	Bytes    uint64 // allocated on the heap while planning, freed or not
	Nodes    int
	Price    shape.Money // of all nodes, each at its cheapest offering
	Bound    shape.Money // that no plan's price can go below; 0 from planners that know none
	Unplaced int
}

// Measure times a run from a heap without garbage.
func Measure(run func()) (took time.Duration, bytes uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	run()
	took = time.Since(start)
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}
