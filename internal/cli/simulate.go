package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

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
  kubectl get nodepools,ec2nodeclasses,deployments,daemonsets,priorityclasses -A -o json | dovetail simulate -f -
  dovetail simulate --trace trace.csv.gz --at 600000 --pods 2000 --cpu-multiplier 2 \
    --requirement 'karpenter.sh/capacity-type In on-demand' -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("simulate takes no names; for files write -f %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSimulate(cmd, &f)
		},
	}
	f.add(cmd.Flags(), "table")
	return cmd
}

func runSimulate(cmd *cobra.Command, f *planFlags) error {
	if f.output != "table" && f.output != "json" {
		return fmt.Errorf("-o %s is unknown; want table or json", f.output)
	}
	if !f.offline() {
		return errors.New("nothing to plan; give manifests with -f or a trace with --trace")
	}
	result, took, err := plan(cmd, f, f.read)
	if err != nil {
		return err
	}
	p := view.PlanOf(result.Decision, result.Notes, took)
	if f.output == "json" {
		return writeJSON(cmd.OutOrStdout(), p)
	}
	return p.Table(cmd.OutOrStdout())
}

// plan reads objects and plans them, and says meanwhile on a terminal what it does.
func plan(cmd *cobra.Command, f *planFlags, read func(stdin io.Reader) (*manifest.Set, error)) (*simulate.Result, time.Duration, error) {
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
	return timed(in, progress)
}

// timed plans, and tells how long that took, prices and types not counted.
func timed(in simulate.Input, progress *progress) (*simulate.Result, time.Duration, error) {
	progress.say("pricing")
	ready, err := simulate.Prepare(in)
	if err != nil {
		return nil, 0, err
	}
	progress.say(fmt.Sprintf("planning %d pods", len(in.Set.Pods)))
	start := time.Now()
	result, err := ready.Plan()
	return result, time.Since(start), err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
