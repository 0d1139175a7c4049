package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages of all commands into a directory",
		Example: `  dovetail man /usr/local/share/man/man1
  man dovetail-explain-pod`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("man takes one directory, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("making the directory: %w", err)
			}
			version, _ := observe.Version()
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(
				root,
				&doc.GenManHeader{Section: "1", Source: "Dovetail " + version, Manual: "Dovetail"},
				args[0],
			); err != nil {
				return fmt.Errorf("writing the manual pages: %w", err)
			}
			return nil
		},
	}
}
