package command

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

func newStatus() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show a cluster's parts: which run, how often they were started again, where they log",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := cluster.Find(dir)
			if err != nil {
				return err
			}
			switch output {
			case "json":
				return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			case "text":
				return printStatus(cmd.OutOrStdout(), s)
			default:
				return fmt.Errorf("--output is %q, must be text or json", output)
			}
		},
	}
	addDirFlag(cmd, &dir)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printStatus(out io.Writer, s cluster.State) error {
	ready := "starting"
	if s.Ready {
		ready = "ready after " + s.ReadyAfter
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(
		table,
		"directory\t%s\nendpoint\t%s\nkubeconfig\t%s\nstate\t%s\n\n",
		s.Dir,
		s.Endpoint,
		s.Kubeconfig,
		ready,
	)
	fmt.Fprintln(table, "PART\tSTATE\tPROCESS\tRESTARTS\tADDRESS\tLOG")
	for _, p := range s.Parts {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", p.Name, p.Status, p.PID, p.Restarts, p.Address, p.Log)
	}
	return table.Flush()
}
