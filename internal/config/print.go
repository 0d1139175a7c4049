package config

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// Print writes every setting with where its value came from and the value, one a line.
// f is the set that AddFlags and Environment were called with.
func (c *Config) Print(w io.Writer, f *pflag.FlagSet) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	(&Config{}).AddFlags(own)
	own.VisitAll(func(known *pflag.Flag) {
		flag := f.Lookup(known.Name)
		if flag == nil {
			return
		}
		origin := c.origins[flag.Name]
		if origin == "" {
			origin = "default"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", flag.Name, origin, flag.Value) // values are of any length
	})
	if err := out.Flush(); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return nil
}
