package cli

import (
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// simulated finds the simulated AWS that the commands under `sim` speak to.
type simulated struct {
	endpoint string
	timeout  time.Duration
	environ  func(string) (string, bool)
}

// simTimeout is how long one answer of a simulated AWS may take, unless told otherwise.
const simTimeout = 30 * time.Second

func (s *simulated) client() (*control.Client, error) {
	if s.endpoint != "" {
		return s.at(s.endpoint)
	}
	if address, _ := s.environ("AWS_ENDPOINT_URL"); address != "" {
		return s.at(address)
	}
	return nil, usage("no simulated AWS is named; give --endpoint or set AWS_ENDPOINT_URL " +
		"(`playground status` shows where it listens)")
}

func (s *simulated) at(address string) (*control.Client, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usage("%q is no address of a simulated AWS; want one such as http://127.0.0.1:4566", address)
	}
	if s.timeout < 0 {
		return nil, usage("--timeout is %s; want 0 or more", s.timeout)
	}
	return control.New(address).Within(s.timeout), nil
}

func newSim(environ func(string) (string, bool)) *cobra.Command {
	s := &simulated{environ: environ}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Look into a simulated AWS and make it fail",
		Long: `Look into a simulated AWS and make it fail.

The simulated AWS is the one that --endpoint or AWS_ENDPOINT_URL names. A real AWS refuses these commands.`,
	}
	cmd.PersistentFlags().
		StringVar(&s.endpoint, "endpoint", "", "address of the simulated AWS (default $AWS_ENDPOINT_URL)")
	cmd.PersistentFlags().DurationVar(&s.timeout, "timeout", simTimeout,
		"how `long` an answer may take; 0 for as long as it takes")
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

// instances are the nodes and instances that are there, for a shell.
func (s *simulated) instances(cmd *cobra.Command, _ []string, _ string) (out []string) {
	client, err := s.client()
	if err != nil {
		return nil
	}
	status, err := client.Status(cmd.Context())
	if err != nil {
		return nil
	}
	for _, i := range status.Instances {
		if i.Node != "" {
			out = append(out, i.Node)
		}
		out = append(out, i.ID)
	}
	return out
}

// simHeader is that of answers about a simulated AWS, which counts in millionths of a dollar.
func simHeader(kind string) view.Header {
	h := view.HeaderOf(kind)
	h.Units.Price = "microUSD/hour"
	return h
}
