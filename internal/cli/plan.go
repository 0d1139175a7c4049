package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

// forecastFlags are those of plan.
type forecastFlags struct {
	planFlags
	scenario     whatif.Scenario
	against      []string
	out          string
	verbose      bool
	maxPriceRise string
	maxEvictions int
	tolerance    float64
}

func newPlan() *cobra.Command {
	f := forecastFlags{}
	cmd := &cobra.Command{
		Use:   "plan [-f EDITED FILES]",
		Short: "Say what would happen to the cluster: after an edit, in a scenario, or just so",
		Long: `Say what would happen to the cluster: after an edit, in a scenario, or just so.

The cluster is that of KUBECONFIG, or with --against one that was written down. What -f names is laid over it as if it were
applied: NodePools, node classes, overlays, workloads, PodDisruptionBudgets. Then the controller's own decisions are made on paper: nodes
for pods that wait, and what is given up or replaced, in rounds, as budgets let it. Nothing is changed.`,
		Example: `  dovetail plan -f nodepools/
  dovetail plan --drop spot --exit-code --max-price-rise 10%
  dovetail plan --lose-zone us-east-1a --against cluster.json
  dovetail plan -f nodepools/ --out edit.plan && kubectl apply -f nodepools/
  dovetail plan check edit.plan   # some time later`,
		Args: noNames("plan"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runForecast(cmd, &f) },
	}
	flags := cmd.Flags()
	f.watch(cmd, "table", "json")
	flags.Lookup("filename").Usage = "edited manifests that are laid over the cluster: a file, a directory with all below it, or - for standard input; may be repeated"
	flags.StringSliceVar(
		&f.against,
		"against",
		nil,
		"the cluster as `files`, such as kubectl prints them, instead of that of KUBECONFIG",
	)
	flags.StringArrayVar(
		&f.scenario.AddReplicas,
		"add-replicas",
		nil,
		"have a workload grow: `NAMESPACE/NAME=N`; may be repeated",
	)
	flags.StringSliceVar(
		&f.scenario.Drop,
		"drop",
		nil,
		"buy no more of a `capacity type`: spot, on-demand or reserved",
	)
	flags.StringSliceVar(
		&f.scenario.AddArch,
		"add-arch",
		nil,
		"let every NodePool buy an `architecture` besides: arm64 or amd64",
	)
	flags.StringSliceVar(&f.scenario.LoseZone, "lose-zone", nil, "a `zone` fails, with all nodes in it")
	flags.StringSliceVar(
		&f.scenario.NewAMI,
		"new-ami",
		nil,
		"node `class` whose nodes are replaced for a new image, or all",
	)
	flags.BoolVar(
		&f.scenario.Takeover,
		"switch-from-karpenter",
		false,
		"what Dovetail would do to the cluster that Karpenter runs now",
	)
	flags.IntVar(
		&f.rounds,
		"rounds",
		whatif.Rounds,
		"look again as often as `N` times, each time once what was begun is done",
	)
	flags.StringVar(&f.out, "out", "", "write the plan to a `file`, for plan check")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "all lines, not forty")
	flags.BoolVar(&f.exitCode, "exit-code", false, "exit with 3 if anything would change")
	flags.StringVar(
		&f.maxPriceRise,
		"max-price-rise",
		"",
		"exit with 4 if the price rises by more: `dollars` an hour, or percent such as 5%",
	)
	flags.IntVar(&f.maxEvictions, "max-evictions", -1, "exit with 4 if more than `N` pods are evicted")
	complete(cmd, "drop", these("spot", "on-demand", "reserved"))
	complete(cmd, "add-arch", these("amd64", "arm64"))
	cmd.AddCommand(newPlanCheck())
	return cmd
}

func newPlanCheck() *cobra.Command {
	f := forecastFlags{}
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Say how close reality came to a plan that was saved with --out, and what moved in between",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("plan check takes one file that plan --out wrote, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runPlanCheck(cmd, &f, args[0]) },
	}
	f.watch(cmd, "table", "json")
	cmd.Flags().Lookup("filename").Usage = "the cluster as `files`, instead of that of KUBECONFIG"
	cmd.Flags().Float64Var(&f.tolerance, "tolerance", 2, "how many `percent` the price may be off")
	cmd.Flags().
		BoolVar(&f.exitCode, "exit-code", false, "exit with 3 if the price is off by more than the tolerance, or nodes that were to go are still there")
	return cmd
}

func runForecast(cmd *cobra.Command, f *forecastFlags) error {
	if f.rounds < 1 {
		return usage("--rounds is %d; want 1 or more", f.rounds)
	}
	rise, err := parseRise(f.maxPriceRise)
	if err != nil {
		return asUsage(err)
	}
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading")
	before, after, err := f.clusters(cmd)
	if err != nil {
		return err
	}
	progress.say(fmt.Sprintf("planning %d nodes", len(before.Set.Nodes)))
	forecast, err := whatif.Foresee(before, after, f.scenario, f.rounds)
	if err != nil {
		return asUsage(err) // a scenario that cannot be, or files; what a server has accepted is let pass
	}
	forecast.Change = append(whatif.Edited(f.files), forecast.Change...)
	if len(forecast.Change) > 0 {
		plain, err := whatif.Foresee(before, before.Set, whatif.Scenario{}, f.rounds)
		if err != nil {
			return err
		}
		forecast.Anyway = &plain.Totals
	}
	progress.end()
	if f.out != "" {
		if err := savePlan(f.out, forecast); err != nil {
			return err
		}
	}
	text := func(w io.Writer) error { return forecast.Text(w, f.verbose) }
	if err := write(cmd.OutOrStdout(), f.output, forecast, text); err != nil {
		return err
	}
	return f.verdict(&forecast.Totals, rise)
}

// clusters are the cluster as it is, and with what -f lays over it.
func (f *forecastFlags) clusters(cmd *cobra.Command) (before roster.Input, after *manifest.Set, err error) {
	if err := f.check(cmd.Flags()); err != nil {
		return before, nil, err
	}
	var text []byte
	place := "the cluster"
	if len(f.against) == 0 {
		if text, before.Missing, err = f.dump(cmd, &before.Source); err != nil {
			return before, nil, err
		}
	} else {
		before.Source = strings.Join(f.against, ", ")
	}
	read := func(paths []string) (*manifest.Set, error) {
		if text == nil {
			return manifest.Read(paths, cmd.InOrStdin())
		}
		return manifest.ReadOver(bytes.NewReader(text), place, paths, cmd.InOrStdin())
	}
	set, err := read(f.against)
	if err != nil {
		return before, nil, asUsage(err)
	}
	after = set
	if len(f.files) > 0 {
		if after, err = read(append(append([]string{}, f.against...), f.files...)); err != nil {
			return before, nil, asUsage(err)
		}
	}
	if before.Input, err = f.input(set, time.Now()); err != nil {
		return before, nil, err
	}
	before.Lenient = len(f.against) == 0
	if at := simulate.RecordedAt(set); len(f.against) > 0 && f.now == "" && !at.IsZero() {
		before.Now, before.Market.Account.Now = at, at
	}
	return before, after, nil
}

// dump reads the cluster of KUBECONFIG as kubectl would print it.
func (f *forecastFlags) dump(cmd *cobra.Command, source *string) ([]byte, []string, error) {
	from, kube, err := f.cluster.connect()
	if err != nil {
		return nil, nil, err
	}
	*source = kube.Host
	ctx, stop := f.cluster.within(cmd.Context())
	defer stop()
	text, missing, err := capture.Dump(ctx, from, daemon.Scheme(), f.cluster.namespace())
	if err == nil {
		err = sighted(missing)
	}
	return text, missing, f.cluster.unanswered(kube, err)
}

func savePlan(file string, forecast *view.Forecast) error {
	text, err := json.Marshal(forecast)
	if err != nil {
		return fmt.Errorf("writing --out: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o640); err != nil {
		return fmt.Errorf("writing --out: %w", err)
	}
	return nil
}

// rise is how much a price may rise: dollars an hour, or a share of what it was. Nil for as much as it likes.
type rise struct {
	dollars view.PerHour
	percent float64
}

func parseRise(text string) (*rise, error) {
	if text == "" {
		return nil, nil
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(strings.TrimPrefix(number, "$"), 64)
	if err != nil || !(n >= 0) {
		return nil, fmt.Errorf("--max-price-rise %q; want dollars an hour such as 0.50, or percent such as 5%%", text)
	}
	if percent {
		return &rise{percent: n}, nil
	}
	return &rise{dollars: view.PerHour(shape.Dollars(n))}, nil
}

// crossed reports whether a price rises by more.
func (r *rise) crossed(t *view.Totals) bool {
	if r == nil {
		return false
	}
	most := r.dollars
	if r.percent > 0 {
		most = view.PerHour(float64(t.Before) * r.percent / 100)
	}
	return t.After-t.Before > most
}

// errGuard is that of an answer which crosses what a flag allows.
var errGuard = errors.New("a guard is crossed")

// verdict turns totals into an exit code. Prices that nobody knows might rise by anything: with a guard on the price
// they count as a rise.
func (f *forecastFlags) verdict(t *view.Totals, rise *rise) error {
	switch {
	case rise.crossed(t):
		return fmt.Errorf(
			"%w: the price rises by %s/h, more than --max-price-rise %s",
			errGuard,
			(t.After - t.Before).Dollars(),
			f.maxPriceRise,
		)
	case rise != nil && t.Unpriced > 0:
		return fmt.Errorf(
			"%w: %d nodes have no known price, so --max-price-rise %s cannot be vouched for",
			errGuard,
			t.Unpriced,
			f.maxPriceRise,
		)
	case f.maxEvictions >= 0 && t.Evictions > f.maxEvictions:
		return fmt.Errorf(
			"%w: %d pods are evicted, more than --max-evictions %d",
			errGuard,
			t.Evictions,
			f.maxEvictions,
		)
	}
	return f.found(t.Changes())
}

func runPlanCheck(cmd *cobra.Command, f *forecastFlags, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return usage("reading the plan: %w", err)
	}
	var plan view.Forecast
	if err := json.Unmarshal(text, &plan); err != nil || plan.Kind != "Plan" {
		return usage("%s is no plan; want a file that dovetail plan --out wrote", file)
	}
	now, err := f.whole(cmd)
	if err != nil {
		return err
	}
	outcome, err := whatif.Compare(&plan, now)
	if err != nil {
		return err
	}
	if err := write(cmd.OutOrStdout(), f.output, outcome, outcome.Text); err != nil {
		return err
	}
	return f.found(!outcome.Within(f.tolerance))
}
