package soak

import (
	"fmt"
	"time"
)

// Rows are the report as a table.
func (r *Report) Rows() [][]string {
	var price, bound, dearest float64
	for _, s := range r.Samples {
		price += s.Price
		bound += s.Bound
		dearest = max(dearest, s.Price)
	}
	last := r.Samples[len(r.Samples)-1]
	n := float64(len(r.Samples))
	rows := [][]string{
		{"price, mean over the day", fmt.Sprintf("$%.3f an hour", price/n)},
		{"fractional bound, mean", fmt.Sprintf("$%.3f an hour", bound/n)},
		{"price over bound", fmt.Sprintf("%.3f", price/bound)},
		{"dearest moment", fmt.Sprintf("$%.3f an hour", dearest)},
		{"at the end", fmt.Sprintf("%d pods on %d nodes, $%.3f an hour, bound $%.3f", last.Running, last.Nodes, last.Price, last.Bound)},
		{"machines launched", fmt.Sprint(r.Launched)},
		{"evictions", fmt.Sprintf("%.0f, %.2f for each pod and day of the trace", r.Evictions, r.Evictions/(r.PodDays*r.compression()))},
	}
	if k := len(r.Lifetimes); k > 0 {
		rows = append(rows, []string{"life of nodes that went", fmt.Sprintf("%d, median %s of the run", k, r.Lifetimes[k/2].Round(time.Second))})
	}
	return append(rows,
		[]string{"controller CPU", fmt.Sprintf("%.1f s, %.2f cores", r.CPU.Seconds(), r.CPU.Seconds()/last.At.Seconds())},
		[]string{"controller memory", fmt.Sprintf("%d MiB", r.Memory>>20)},
		[]string{"invariants broken", fmt.Sprint(len(r.Broken))},
	)
}

// compression is how many seconds of the trace one of the run stands for.
func (r *Report) compression() float64 {
	return secondsOfDay / r.Samples[len(r.Samples)-1].At.Seconds()
}
