package config

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// Setting is one setting as it is in force.
type Setting struct {
	Flag  string `json:"flag"`
	From  string `json:"from"` // the flag or the variable that set it, or "default"
	Value string `json:"value"`
}

// Settings are all settings, ascending by name. f is the set that AddFlags and Environment were called with.
func (c *Config) Settings(f *pflag.FlagSet) (out []Setting) {
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	(&Config{}).AddFlags(own)
	own.VisitAll(func(known *pflag.Flag) {
		if flag := f.Lookup(known.Name); flag != nil {
			out = append(out, Setting{flag.Name, cmp.Or(c.origins[flag.Name], "default"), flag.Value.String()})
		}
	})
	return out
}

// Print writes every setting with where its value came from and the value, one a line.
// f is the set that AddFlags and Environment were called with.
func (c *Config) Print(w io.Writer, f *pflag.FlagSet) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range c.Settings(f) {
		fmt.Fprintf(out, "%s\t%s\t%s\n", s.Flag, s.From, s.Value) // values are of any length
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return nil
}
