package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newReplay() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show a plan that the controller has made, and whether planning it again gives the same",
		Long: `Show a plan that the controller has made, and whether planning it again gives the same.

FILE is one of those that the controller writes with --journal-dir (or JOURNAL_DIR): a plan, and all that it was
made from. A directory is listed. 'dovetail explain pod NAME --record FILE' asks why.`,
		Example: `  kubectl -n kube-system exec deployment/dovetail -- /dovetail replay /journal`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("replay takes one file of the controller's journal, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("-o %s is unknown; want table or json", output)
			}
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
				return listRecords(cmd, args[0])
			}
			return runReplay(cmd, args[0], output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "json or table")
	return cmd
}

func runReplay(cmd *cobra.Command, file, output string) error {
	record, err := readRecord(file)
	if err != nil {
		return err
	}
	progress := newProgress(cmd.ErrOrStderr())
	progress.say(fmt.Sprintf("planning %d pods", len(record.Snapshot.Pods)))
	again := engine.Plan(record.Snapshot, record.Policy)
	progress.end()
	verdict, err := compare(record.Decision, again)
	if err != nil {
		return err
	}
	notes := []string{fmt.Sprintf("planned at %s; %s", record.At.UTC().Format(time.RFC3339Nano), verdict)}
	p := view.PlanOf(record.Decision, notes, record.Took)
	if output == "json" {
		return writeJSON(cmd.OutOrStdout(), p)
	}
	return p.Table(cmd.OutOrStdout())
}

// listRecords prints what plans a journal's directory has, oldest first.
func listRecords(cmd *cobra.Command, dir string) error {
	files, err := journal.Files(dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no plan of the controller's journal; want the directory of --journal-dir", dir)
	}
	rows := make([]string, len(files))
	for i, file := range files {
		r, err := readRecord(file)
		if err != nil {
			return err
		}
		rows[i] = fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%.4f", filepath.Base(file), r.At.UTC().Format(time.DateTime), len(r.Snapshot.Pods),
			len(r.Decision.Open), len(r.Decision.Unplaced), r.Decision.Price.Float())
	}
	return table(cmd.OutOrStdout(), "FILE\tPLANNED AT (UTC)\tPODS\tNEW NODES\tNOT PLACED\t$/h", rows)
}

// compare says whether two plans are the same to the last byte.
func compare(then, now engine.Decision) (string, error) {
	var texts [2][]byte
	for i, d := range []engine.Decision{then, now} {
		text, err := json.Marshal(d)
		if err != nil {
			return "", fmt.Errorf("writing a plan: %w", err)
		}
		texts[i] = text
	}
	if bytes.Equal(texts[0], texts[1]) {
		return "planning again gives the same", nil
	}
	return fmt.Sprintf("this version of dovetail plans otherwise: %d new nodes for %.4f $/h, %d pods not placed",
		len(now.Open), now.Price.Float(), len(now.Unplaced)), nil
}

// readRecord reads a file of the controller's journal.
func readRecord(file string) (journal.Record, error) {
	f, err := os.Open(file)
	if err != nil {
		return journal.Record{}, fmt.Errorf("reading a plan: %w", err)
	}
	defer f.Close()
	record, err := journal.Decode(f)
	if err != nil {
		return record, fmt.Errorf("%s: %w", file, err)
	}
	if record.At.IsZero() {
		return record, fmt.Errorf("%s is no plan of the controller's journal; want a file that --journal-dir has", file)
	}
	return record, nil
}

// recorded is a plan of the journal as if it had just been made.
func recorded(file string) (*simulate.Result, error) {
	record, err := readRecord(file)
	if err != nil {
		return nil, err
	}
	return &simulate.Result{Snapshot: record.Snapshot, Decision: record.Decision}, nil
}
