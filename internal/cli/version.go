package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			version, commit := observe.Version()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "dovetail %s, commit %s, %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
