package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dovetail-sh/dovetail/bench/ours"
	"github.com/dovetail-sh/dovetail/bench/peer"
	"github.com/dovetail-sh/dovetail/bench/workload"
)

// Run measures what the command line asks for, prints the table to out and writes the rows.
func Run(ctx context.Context, args []string, out io.Writer) error {
	o, err := Parse(args)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, machine())
	workloads, err := inputs(o, out)
	if err != nil {
		return err
	}
	var rows []Row
	for _, w := range workloads {
		row, err := measure(ctx, o, w, out)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	table(out, o, rows)
	return write(o.Results, rows)
}

func measure(ctx context.Context, o Options, w workload.Workload, out io.Writer) (Row, error) {
	var mine, peers []workload.Outcome
	for range o.Count {
		r, err := ours.Plan(w)
		if err != nil {
			return Row{}, err
		}
		mine = append(mine, r)
	}
	spent := time.Duration(0)
	for len(w.Pods) <= o.PeerPods && len(peers) < o.Count && (len(peers) == 0 || spent < o.PeerBudget) {
		r, err := peer.Solve(ctx, w)
		if err != nil {
			return Row{}, err
		}
		peers = append(peers, r)
		spent += r.Took
	}
	row := newRow(w, mine, peers)
	fmt.Fprintf(out, "%s: ours %s in %d runs, peer %s\n", w.Name, took(mine), len(mine), peerTook(peers))
	return row, nil
}

func took(runs []workload.Outcome) string {
	return median(runs).Took.Round(100 * time.Microsecond).String()
}

func peerTook(runs []workload.Outcome) string {
	if len(runs) == 0 {
		return "not run"
	}
	return fmt.Sprintf("%s in %d runs", took(runs), len(runs))
}

func write(file string, rows []Row) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the rows as JSON: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the rows: %w", err)
	}
	return nil
}
