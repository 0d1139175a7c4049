package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// topFlags are those of top.
type topFlags struct {
	planFlags
	once    bool
	sort    string
	filter  string
	journal string
}

// topOutputs are what top prints without a terminal.
var topOutputs = []string{"table", "wide", "csv", "json"}

func newTop() *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the fleet: what it costs, what waits, what goes, and why each node is still there",
		Long: `Watch the fleet: what it costs, what waits, what goes, and why each node is still there.

Any cluster with Karpenter's kinds will do, with Dovetail in it or not. It is read as far as you may read it, and never
changed; what is missing is named. No cloud is asked: prices are the built-in catalogue's for the region that nodes say they
are in, and a node whose price nobody knows is counted, never taken to be free.

Keys are listed with ?. With --once, or where the output is no terminal, the fleet is printed and that is all.`,
		Example: `  dovetail top
  dovetail top --once -o csv > fleet.csv
  dovetail top --once --filter 'pool=web !phase=ready' --sort -price
  dovetail top -f cluster.json`,
		Args:        noNames("top"),
		Annotations: map[string]string{onScreen: "it gives the terminal back"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return runTop(cmd, &f) },
	}
	f.watch(cmd, topOutputs...)
	cmd.Flags().BoolVar(&f.once, "once", false, "print the fleet and end; so it is where the output is no terminal")
	cmd.Flags().StringVar(&f.sort, "sort", "", "`column` to sort by, such as price, or -price for the highest first")
	complete(cmd, "sort", sortable)
	cmd.Flags().
		StringVar(&f.filter, "filter", "", "show only machines that have these `words`: text of any column, pool=web, or !text for without")
	cmd.Flags().
		StringVar(&f.journal, "journal", "", "step through the controller's plans in this `directory` with [ and ]")
	return cmd
}

// noNames refuses arguments of commands that take none.
func noNames(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("%s takes no names; for files write -f %s", command, args[0])
		}
		return nil
	}
}

func runTop(cmd *cobra.Command, f *topFlags) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	if key := strings.TrimPrefix(f.sort, "-"); key != "" {
		if err := view.Order(nil, key, false); err != nil {
			return usage("--sort: %w", err)
		}
	}
	if f.once || !onTerminal(cmd.OutOrStdout()) || cmd.Flags().Changed("output") {
		return topOnce(cmd, f)
	}
	return topLive(cmd, f)
}

// topOnce prints the fleet.
func topOnce(cmd *cobra.Command, f *topFlags) error {
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading")
	in, err := f.standing(cmd)
	if err != nil {
		return err
	}
	progress.say("looking at " + fmt.Sprint(len(in.Set.Nodes)) + " nodes")
	fleet, err := fleetOf(in)
	if err != nil {
		return err
	}
	progress.end()
	if err := f.pick(&fleet); err != nil {
		return err
	}
	return printFleet(cmd.OutOrStdout(), &fleet, f.output)
}

// fleetOf looks and thinks.
func fleetOf(in roster.Input) (view.Fleet, error) {
	seen, err := roster.Look(in)
	if err != nil {
		return view.Fleet{}, err
	}
	thoughts, err := seen.Think()
	if err != nil {
		return view.Fleet{}, err
	}
	return seen.Fleet(thoughts), nil
}

// pick filters and sorts what is printed; sums are of the whole fleet all the same.
func (f *topFlags) pick(fleet *view.Fleet) error {
	filter := view.ParseFilter(f.filter)
	fleet.Nodes = slices.DeleteFunc(fleet.Nodes, func(m view.Machine) bool { return !filter.Fits(&m, fleet.At) })
	if f.sort == "" {
		return nil
	}
	key, descending := strings.CutPrefix(f.sort, "-")
	return view.Order(fleet.Nodes, key, descending)
}

func printFleet(out io.Writer, fleet *view.Fleet, output string) error {
	if output == "csv" {
		return fleet.CSV(out)
	}
	return write(
		out,
		output,
		fleet,
		func(w io.Writer) error { return fleet.Table(w, widthOf(out), output == "wide") },
	)
}

// sortable are the columns, for a shell.
func sortable(*cobra.Command, []string, string) (out []string) {
	for _, c := range view.Columns {
		out = append(out, c.Key, "-"+c.Key)
	}
	return out
}
