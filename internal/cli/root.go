package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Main runs the command line and returns the exit code. Errors are printed once, in full, to stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(stderr, "dovetail: %v\n", err)
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "dovetail",
		Short:         "Buys the cheapest nodes that your pods fit on, and keeps them fitting",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newController(os.LookupEnv), newConfig(os.LookupEnv), newSim(os.LookupEnv), newSimulate(), newExplain(), newReplay(), newVersion())
	gather(root)
	return root
}

// gather has commands that only have others below them print their help, and name in one line what is not there.
func gather(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		gather(sub)
	}
	if cmd.Runnable() || !cmd.HasSubCommands() {
		return
	}
	cmd.SuggestionsMinimumDistance = 2 // edits
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := fmt.Sprintf("`%s --help` lists what there is", cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return fmt.Errorf("there is no command %q below %s; %s", args[0], cmd.CommandPath(), hint)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}
