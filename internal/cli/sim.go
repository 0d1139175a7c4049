package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/awssim/control"
)

// simulated finds the simulated AWS that the commands under `sim` speak to.
type simulated struct {
	endpoint string
	environ  func(string) (string, bool)
}

func (s *simulated) client() (*control.Client, error) {
	if s.endpoint != "" {
		return control.New(s.endpoint), nil
	}
	if address, _ := s.environ("AWS_ENDPOINT_URL"); address != "" {
		return control.New(address), nil
	}
	return nil, errors.New("no simulated AWS is named; give --endpoint or set AWS_ENDPOINT_URL (`playground status` shows where it listens)")
}

func newSim(environ func(string) (string, bool)) *cobra.Command {
	s := &simulated{environ: environ}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Look into a simulated AWS and play its misfortunes",
		Long: `Look into a simulated AWS and play its misfortunes.

The simulated AWS is the one that --endpoint or AWS_ENDPOINT_URL names. A real AWS refuses these commands.`,
	}
	cmd.PersistentFlags().StringVar(&s.endpoint, "endpoint", "", "address of the simulated AWS (default $AWS_ENDPOINT_URL)")
	cmd.AddCommand(newSimStatus(s), newSimSet(s), newSimMarket(s), newSimInterrupt(s), newSimEvent(s), newSimFault(s))
	return cmd
}

// table writes rows in columns. Cells are separated by tabs.
func table(w io.Writer, header string, rows []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, header)
	for _, row := range rows {
		fmt.Fprintln(t, row)
	}
	return t.Flush()
}
