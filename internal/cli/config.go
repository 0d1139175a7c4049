package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newConfig(lookup func(string) (string, bool)) *cobra.Command {
	var c config.Config
	var output string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings that the controller would run with, and where each comes from",
		Long: `Print the settings that the controller would run with given the same flags and environment, and
whether each comes from a flag, a variable or the default. The exit code is 2 if they cannot be used.`,
		Args: noArguments("config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, tableOrJSON); err != nil {
				return err
			}
			if err := c.Environment(cmd.Flags(), lookup); err != nil {
				return asUsage(err)
			}
			out := settings{view.HeaderOf("Settings"), c.Settings(cmd.Flags())}
			if err := write(cmd.OutOrStdout(), output, out, func(w io.Writer) error {
				return c.Print(w,
					cmd.Flags())
			}); err != nil {
				return err
			}
			return asUsage(c.Validate())
		},
	}
	c.AddFlags(cmd.Flags())
	addOutput(cmd, &output)
	return cmd
}

// settings are what config prints.
type settings struct {
	view.Header
	Settings []config.Setting `json:"settings"`
}

// tableOrJSON is what most commands print.
var tableOrJSON = []string{"table", "json"}

func addOutput(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table or json")
	complete(cmd, "output", these(tableOrJSON...))
}

// noArguments refuses arguments of commands that take none.
func noArguments(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("%s takes no arguments, and %q is one", command, args[0])
		}
		return nil
	}
}
