package workload

import (
	"runtime"
	"syscall"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Outcome is what one run of a planner took and what it would buy.
type Outcome struct {
	Took      time.Duration
	Processor time.Duration // on all processors together; says more than Took where others are at work too
	Bytes     uint64        // allocated on the heap while planning, freed or not
	Nodes     int
	Price     shape.Money // of all nodes, each at its cheapest offering
	Bound     shape.Money // that no plan's price can go below; 0 from planners that know none
	Unplaced  int
}

// Measure times a run from a heap without garbage. What the run bought is the caller's to fill in.
func Measure(run func()) Outcome {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	used, start := processor(), time.Now()
	run()
	out := Outcome{Took: time.Since(start), Processor: processor() - used}
	runtime.ReadMemStats(&after)
	out.Bytes = after.TotalAlloc - before.TotalAlloc
	return out
}

// processor is what the process has used of all processors so far.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for arguments that do not exist, and no others
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
