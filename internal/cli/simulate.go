package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newSimulate() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "simulate (-f FILES | --trace FILE)",
		Short: "Plan offline: which nodes would be bought for these manifests, or for this trace",
		Long: `Plan offline: which nodes would be bought for these manifests, or for this trace.

Manifests are read as kubectl applies and prints them: NodePools, NodeClasses, Nodes, Pods, workloads,
volumes. Workloads become the pods that they still lack. Without NodePools there is one named default.
Nothing is called: types and prices are the built-in catalogue's, or those of --instance-types.`,
		Example: `  dovetail simulate -f cluster/ --region eu-west-1
  kubectl get nodepools,ec2nodeclasses,deployments,daemonsets -A -o json |
    dovetail simulate -f -
  dovetail simulate --consolidate -f cluster.json
  dovetail simulate --trace trace.csv.gz --at 600000 --pods 2000 \
    --cpu-multiplier 2 -o json \
    --requirement 'karpenter.sh/capacity-type In on-demand'`,
		Args: noNames("simulate"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSimulate(cmd, &f)
		},
	}
	f.add(cmd, "table", "json")
	cmd.Flags().
		BoolVar(&f.consolidate, "consolidate", false, "say which nodes would be given up or replaced now, and why the others stay, instead of planning the pods that wait")
	cmd.Flags().
		BoolVar(&f.spotToSpot, "spot-to-spot", false, "with --consolidate: spot nodes may be replaced by spot nodes, as with feature gate SpotToSpotConsolidation")
	cmd.Flags().
		IntVar(&f.rounds, "rounds", 1, "with --consolidate: look again as often as `N` times in all, each time once what was begun is done, while anything is to be gained")
	cmd.Flags().
		BoolVar(&f.exitCode, "exit-code", false, "exit with 3 if anything would change: nodes bought or given up, or pods left without a place")
	return cmd
}

func runSimulate(cmd *cobra.Command, f *planFlags) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	if !f.offline() {
		return usage("nothing to plan; give manifests with -f or a trace with --trace")
	}
	if f.spotToSpot && !f.consolidate {
		return usage("--spot-to-spot is about --consolidate; give that, too")
	}
	if !f.consolidate && cmd.Flags().Changed("rounds") {
		return usage("--rounds is about --consolidate; give that, too")
	}
	if f.rounds < 1 {
		return usage("--rounds is %d; want 1 or more", f.rounds)
	}
	if f.consolidate {
		return runConsolidate(cmd, f)
	}
	result, took, err := plan(cmd, f, f.read)
	if err != nil {
		return err
	}
	p := view.PlanOf(result.Decision, result.Notes, took)
	if err := write(cmd.OutOrStdout(), f.output, p, p.Table); err != nil {
		return err
	}
	return f.found(len(p.Nodes) > 0 || len(p.Unplaced) > 0)
}

// runConsolidate looks at the cluster as it was when its server wrote it down, or now.
func runConsolidate(cmd *cobra.Command, f *planFlags) error {
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading")
	set, err := f.read(cmd.InOrStdin())
	if err != nil {
		return err
	}
	in, err := f.input(set, time.Now())
	if err != nil {
		return err
	}
	note := ""
	if at := simulate.RecordedAt(set); f.now == "" && !at.IsZero() {
		in.Now = at
		in.Market.Account.Now = at
		note = "budgets and lifetimes are looked at as of " + at.UTC().
			Format(time.RFC3339) +
			", when the cluster was written down; --now chooses another time"
	}
	progress.say("pricing")
	ready, err := f.prepare(in)
	if err != nil {
		return err
	}
	progress.say(fmt.Sprintf("looking at %d nodes", len(set.Nodes)))
	m, err := ready.Consolidate(disrupt.Rules{
		SpotToSpot: f.spotToSpot,
		MinSaving:  refit.DefaultPolicy().MinSaving,
		PodPrice:   refit.DefaultPolicy().PodPrice,
		Payback:    refit.DefaultPolicy().Payback,
	}, f.rounds)
	if err != nil {
		return err
	}
	progress.end()
	if note != "" {
		m.Notes = append(m.Notes, note)
	}
	if err := write(cmd.OutOrStdout(), f.output, m, m.Table); err != nil {
		return err
	}
	return f.found(len(m.Moves) > 0)
}

// errFound is no failure: the answer is that something would change.
var errFound = errors.New("something would change")

// found is errFound if the exit code is to tell, and it is so.
func (f *planFlags) found(changes bool) error {
	if f.exitCode && changes {
		return errFound
	}
	return nil
}

// plan reads objects and plans them, and says meanwhile on a terminal what it does.
func plan(
	cmd *cobra.Command,
	f *planFlags,
	read func(stdin io.Reader) (*manifest.Set, error),
) (*simulate.Result, time.Duration, error) {
	if err := f.check(cmd.Flags()); err != nil {
		return nil, 0, err
	}
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading")
	set, err := read(cmd.InOrStdin())
	if err != nil {
		return nil, 0, err
	}
	in, err := f.input(set, time.Now())
	if err != nil {
		return nil, 0, err
	}
	return f.timed(in, progress)
}

// prepare translates objects. One that cannot be is wrong in the files that it came from.
func (f *planFlags) prepare(in simulate.Input) (*simulate.Prepared, error) {
	ready, err := simulate.Prepare(in)
	if f.offline() {
		err = asUsage(err)
	}
	return ready, err
}

// timed plans, and tells how long that took, prices and types not counted.
func (f *planFlags) timed(in simulate.Input, progress *progress) (*simulate.Result, time.Duration, error) {
	progress.say("pricing")
	ready, err := f.prepare(in)
	if err != nil {
		return nil, 0, err
	}
	progress.say(fmt.Sprintf("planning %d pods", len(in.Set.Pods)))
	start := time.Now()
	result, err := ready.Plan()
	if f.offline() {
		err = asUsage(err)
	}
	return result, time.Since(start), err
}
