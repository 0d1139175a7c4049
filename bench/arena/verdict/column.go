package verdict

import (
	"fmt"
	"strings"

	"github.com/dovetail-sh/dovetail/bench/arena/match"
)

// column is one figure of a run, of which less is better.
type column struct {
	head  string // of a table
	name  string // in a sentence
	value func(match.Result) float64
	form  string // for Sprintf
	// contest is whether less of it is a reason to prefer a controller.
	contest bool
}

var columns = []column{
	{"Half run", "time until half of the pods run", func(r match.Result) float64 { return r.HalfRun }, "%.1f s", true},
	{"95 % run", "time until 95 % of the pods run", func(r match.Result) float64 { return r.MostRun }, "%.1f s", true},
	{"All run", "time until all pods run", func(r match.Result) float64 { return r.AllRun }, "%.1f s", true},
	{"Pending p50", "median pending time", func(r match.Result) float64 { return r.PendingP50 }, "%.1f s", true},
	{"p95", "95th percentile of pending time", func(r match.Result) float64 { return r.PendingP95 }, "%.1f s", true},
	{"p99", "99th percentile of pending time", func(r match.Result) float64 { return r.PendingP99 }, "%.1f s", true},
	{"Paid $", "dollars paid", func(r match.Result) float64 { return r.Dollars }, "%.3f", false},
	{"Bound $", "bound", func(r match.Result) float64 { return r.Measures.Bound }, "%.3f", false},
	{"Paid/bound", "dollars paid over the bound", func(r match.Result) float64 { return r.Ratio() }, "%.3f", true},
	{
		"$/h at end",
		"price at the end over its bound",
		func(r match.Result) float64 { return r.EndRate },
		"%.2f",
		false,
	},
	{"Bound", "bound at the end", func(r match.Result) float64 { return r.EndBound }, "%.2f", false},
	{"Launched", "nodes launched", func(r match.Result) float64 { return float64(r.Launched) }, "%.0f", true},
	{"Given up", "nodes given up", func(r match.Result) float64 { return float64(r.GivenUp) }, "%.0f", false},
	{"Evictions", "evictions", func(r match.Result) float64 { return float64(r.Evictions) }, "%.0f", true},
	{
		"Per pod-day",
		"evictions per pod and day",
		func(r match.Result) float64 { return r.EvictionsPerPodDay() },
		"%.1f",
		false,
	},
	{"CPU", "controller CPU", func(r match.Result) float64 { return r.CPU }, "%.1f s", true},
	{"Memory", "peak memory", func(r match.Result) float64 { return float64(r.PeakMemory >> 20) }, "%.0f MiB", true},
	{"Requests", "API requests", func(r match.Result) float64 { return float64(r.Requests) }, "%.0f", true},
	{
		"All writes",
		"requests of everybody that changed something",
		func(r match.Result) float64 { return float64(r.AllWrites()) },
		"%.0f",
		true,
	},
	{"Plane CPU", "CPU of the control plane", func(r match.Result) float64 { return r.PlaneCPU }, "%.1f s", true},
}

// cell is a figure as tables show it. Times that never came are not shown as none.
func (c column) cell(r match.Result) string {
	v := c.value(r)
	if v == 0 && strings.HasSuffix(c.form, " s") && c.contest && c.name != "controller CPU" {
		return "never"
	}
	return fmt.Sprintf(c.form, v)
}

// heads and rows are a table of the runs of one play.
func heads() []string {
	out := []string{"Controller"}
	for _, c := range columns {
		out = append(out, c.head)
	}
	return out
}

func row(r match.Result) []string {
	name := r.Contestant
	if r.Failed != "" {
		name += " (failed)"
	}
	out := []string{name}
	for _, c := range columns {
		out = append(out, c.cell(r))
	}
	return out
}
