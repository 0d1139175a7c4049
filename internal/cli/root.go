package cli

import (
	"context"
	"fmt"
	"io"
	"os"

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
	root.AddCommand(newController(os.LookupEnv), newConfig(os.LookupEnv), newSim(os.LookupEnv), newSimulate(), newExplain(), newVersion())
	return root
}
