package compare

import (
	"flag"
	"fmt"
	"regexp"
	"time"
)

// Options say what is measured.
type Options struct {
	Count      int           // runs of ours, and the most of the peer
	PeerBudget time.Duration // after so much time on one workload the peer gets no further run
	PeerPods   int           // the largest workload that the peer plans at all
	Only       *regexp.Regexp
	Trace      string
	Results    string
}

// Parse reads the command line.
func Parse(args []string) (Options, error) {
	o := Options{}
	only := ""
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.Count, "count", 3, "how often each planner runs on each workload")
	flags.DurationVar(
		&o.PeerBudget,
		"peer-budget",
		30*time.Second,
		"give the peer no further run on a workload after this long; it gets at least one",
	)
	flags.IntVar(
		&o.PeerPods,
		"peer-pods",
		5_000,
		"the largest workload the peer is run on; 20,000 pods take it minutes",
	)
	flags.StringVar(&only, "run", "", "only workloads whose name matches this regular expression")
	flags.StringVar(
		&o.Trace,
		"trace",
		"../../shared/traces/azure-vm-2020-batched.csv.gz",
		"file with the trace of virtual machines",
	)
	flags.StringVar(&o.Results, "o", "results.json", "file for the rows; empty for none")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.Count < 1 {
		return o, fmt.Errorf("-count is %d, must be at least 1", o.Count)
	}
	var err error
	if o.Only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("reading -run: %w", err)
	}
	return o, nil
}
