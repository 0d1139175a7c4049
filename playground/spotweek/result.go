package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// result is what a week came to.
type result struct {
	name          string
	paid          int64 // micro-dollars
	interruptions int   // spot instances that were given notice
	lost          int   // machines that ended before they were drained
	launched      int
	soldOut       int // launches that found no capacity
	moves         int // changes to a cheaper fleet
	plans         int

	evicted     int           // pods, by interruptions and moves
	unavailable time.Duration // of all of them, from eviction until they serve again
	longest     time.Duration // of one of them
	podSeconds  time.Duration // that pods were wanted
}

// count adds up what the second had.
func (w *week) count() {
	for _, d := range deployments {
		w.result.podSeconds += time.Duration(len(w.pods[d.name])) * time.Second
	}
}

// print writes the table of docs/spot-week.md.
func print(out io.Writer, days int, results []result) error {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	row := func(name string, cell func(result) string) {
		fmt.Fprintf(t, "| %s\t", name)
		for _, r := range results {
			fmt.Fprintf(t, "| %s\t", cell(r))
		}
		fmt.Fprintln(t, "|")
	}
	row(fmt.Sprintf("%d days", days), func(r result) string { return r.name })
	row("---", func(result) string { return "---" })
	row("Paid", func(r result) string { return fmt.Sprintf("$%.2f", float64(r.paid)/1e6) })
	row(
		"Of all on demand",
		func(r result) string { return fmt.Sprintf("%.0f %%", 100*float64(r.paid)/float64(results[0].paid)) },
	)
	row("Machines launched", func(r result) string { return fmt.Sprint(r.launched) })
	row("Launches that found no capacity", func(r result) string { return fmt.Sprint(r.soldOut) })
	row("Spot interruptions", func(r result) string { return fmt.Sprint(r.interruptions) })
	row("Machines gone before they were drained", func(r result) string { return fmt.Sprint(r.lost) })
	row("Moves to a cheaper fleet", func(r result) string { return fmt.Sprint(r.moves) })
	row("Pods evicted", func(r result) string { return fmt.Sprint(r.evicted) })
	row(
		"Seconds that pods were unavailable, all together",
		func(r result) string { return fmt.Sprintf("%.0f", r.unavailable.Seconds()) },
	)
	row("The longest of one pod, seconds", func(r result) string { return fmt.Sprintf("%.0f", r.longest.Seconds()) })
	row("Availability", func(r result) string {
		return fmt.Sprintf("%.4f %%", 100*(1-r.unavailable.Seconds()/r.podSeconds.Seconds()))
	})
	return t.Flush()
}
