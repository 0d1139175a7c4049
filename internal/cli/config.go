package cli

import (
	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/config"
)

func newConfig(lookup func(string) (string, bool)) *cobra.Command {
	var c config.Config
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings that the controller would run with, and where each comes from",
		Long:  "Print the settings that the controller would run with given the same flags and environment,\nand whether each comes from a flag, a variable or the default. The exit code is 1 if they cannot be used.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.Environment(cmd.Flags(), lookup); err != nil {
				return err
			}
			if err := c.Print(cmd.OutOrStdout(), cmd.Flags()); err != nil {
				return err
			}
			return c.Validate()
		},
	}
	c.AddFlags(cmd.Flags())
	return cmd
}
