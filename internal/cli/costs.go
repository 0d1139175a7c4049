package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/whatif"
)

func newCosts() *cobra.Command {
	var f planFlags
	var all bool
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "costs",
		Short: "Say what each rule costs in dollars a month: spreading, a budget, an excluded architecture, a limit …",
		Long: `Say what each rule costs in dollars a month, dearest first.

Each figure is two plans: one of the cluster as it is, and one without that rule alone. Requirements, minValues and limits of
NodePools, and spreading, affinity and selectors of workloads show in what the whole workload would cost if it were bought anew;
PodDisruptionBudgets, budgets, consolidateAfter and do-not-disrupt in what the fleet comes to once all moves that they let are made.`,
		Example: `  dovetail costs
  dovetail costs -f cluster.json --within 10m --all`,
		Args: noNames("costs"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if within <= 0 {
				return usage("--within is %s; want more than 0", within)
			}
			return runCosts(cmd, &f, within, all)
		},
	}
	f.watch(cmd, "table", "json")
	cmd.Flags().BoolVar(&all, "all", false, "list rules that cost nothing, too")
	cmd.Flags().
		DurationVar(&within, "within", time.Minute, "begin no further rule after so `long`; those that concern most pods come first")
	return cmd
}

func runCosts(cmd *cobra.Command, f *planFlags, within time.Duration, all bool) error {
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading")
	in, err := f.whole(cmd)
	if err != nil {
		return err
	}
	end, tried := time.Now().Add(within), 0
	costs, err := whatif.Costs(in, func() bool {
		tried++
		progress.say(fmt.Sprintf("planning without rule %d", tried))
		return time.Now().Before(end) && cmd.Context().Err() == nil
	})
	if err != nil {
		return err
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	progress.end()
	out := cmd.OutOrStdout()
	return write(out, f.output, costs, func(w io.Writer) error { return costs.Text(w, widthOf(out), all) })
}
