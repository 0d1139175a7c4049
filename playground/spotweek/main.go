// Command spotweek lives through a simulated week on awssim's spot market, and prints what it cost, what was
// interrupted and how long pods were without a node.
//
// The provider, the planner and the search for a cheaper fleet are Dovetail's own, against awssim over HTTP. Kubernetes
// is not there: a loop over a clock that is stepped stands for the scheduler, the kubelets and the controllers, because
// a control plane can not follow a week in a minute. What the loop takes for granted is said where it does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	days := flag.Int("days", 7, "how long to simulate")
	seed := flag.Uint64("seed", 1, "what the market is drawn from")
	unrest := flag.Float64("unrest", 100, "interruptions of the restless week, in times what AWS publishes")
	still := flag.Bool("still", false, "look for no cheaper fleet, to see what moves are worth")
	flag.Parse()
	if err := run(ctx, os.Stdout, *days, *seed, *unrest, *still); err != nil {
		fmt.Fprintf(os.Stderr, "spotweek: %v\n", err)
		os.Exit(1)
	}
}

// run lives through the same week three times and prints the table.
func run(ctx context.Context, out *os.File, days int, seed uint64, unrest float64, still bool) error {
	var results []result
	for _, s := range []scenario{
		{name: "all on demand", capacityTypes: []string{"on-demand"}, unrest: 1},
		{name: "spot, as often interrupted as published", capacityTypes: []string{"on-demand", "spot"}, unrest: 1},
		{name: fmt.Sprintf("spot, %g times as often", unrest), capacityTypes: []string{"on-demand", "spot"},
			unrest: unrest},
	} {
		s.seed, s.still, s.length = seed, still, time.Duration(days)*24*time.Hour
		began := time.Now()
		r, err := live(ctx, s)
		if err != nil {
			return fmt.Errorf("living through the week %q: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", s.name, time.Since(began).Round(time.Second))
		results = append(results, r)
	}
	return print(out, days, results)
}
