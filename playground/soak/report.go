package soak

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Rows are the report as a table.
func (r *Report) Rows() [][]string {
	var price, bound, dearest, starting, going float64
	for _, s := range r.Samples {
		starting += s.Starting
		going += s.Going
		price += s.Price
		bound += s.Bound
		dearest = max(dearest, s.Price)
	}
	last := r.Samples[len(r.Samples)-1]
	n := float64(len(r.Samples))
	rows := [][]string{
		{"price, mean over the day", fmt.Sprintf("$%.3f an hour", price/n)},
		{"fractional bound, mean", fmt.Sprintf("$%.3f an hour", bound/n)},
		{
			"price over bound",
			fmt.Sprintf(
				"%.3f, of it %.3f for machines that start and %.3f for those that go",
				price/bound,
				starting/bound,
				going/bound,
			),
		},
		{"dearest moment", fmt.Sprintf("$%.3f an hour", dearest)},
		{
			"at the end",
			fmt.Sprintf(
				"%d pods on %d nodes, $%.3f an hour, bound $%.3f",
				last.Running,
				last.Nodes,
				last.Price,
				last.Bound,
			),
		},
		{"machines launched", fmt.Sprint(r.Launched) + r.why()},
		{
			"evictions",
			fmt.Sprintf(
				"%.0f, %.2f for each pod and day of the trace",
				r.Evictions,
				r.Evictions/(r.PodDays*r.compression()),
			),
		},
	}
	if k := len(r.Lifetimes); k > 0 {
		rows = append(
			rows,
			[]string{
				"life of nodes that went",
				fmt.Sprintf("%d, median %s of the run", k, r.Lifetimes[k/2].Round(time.Second)),
			},
		)
	}
	return append(
		rows,
		[]string{
			"controller CPU",
			fmt.Sprintf("%.1f s, %.2f cores", r.CPU.Seconds(), r.CPU.Seconds()/last.At.Seconds()),
		},
		[]string{"controller memory", fmt.Sprintf("%d MiB", r.Memory>>20)},
		[]string{"invariants broken", fmt.Sprint(len(r.Broken))},
	)
}

// compression is how many seconds of the trace one of the run stands for.
func (r *Report) compression() float64 {
	return secondsOfDay / r.Samples[len(r.Samples)-1].At.Seconds()
}

// why is for what reasons claims were created, the most frequent first.
func (r *Report) why() string {
	reasons := slices.SortedFunc(maps.Keys(r.Created), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Created[b], r.Created[a]), cmp.Compare(a, b))
	})
	out := ""
	for _, reason := range reasons {
		out += fmt.Sprintf(", %d %s", r.Created[reason], reason)
	}
	return out
}
