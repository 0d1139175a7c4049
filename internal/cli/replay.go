package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
		Short: "Show a plan or moves that the controller has made, and whether making them again gives the same",
		Long: `Show a plan or moves that the controller has made, and whether making them again gives the same.

FILE is one of those that the controller writes with --journal-dir (or JOURNAL_DIR): a plan, or a search for nodes to give
up, and all that it was made from. A directory is listed. 'dovetail explain pod NAME --record FILE' asks of a plan why.`,
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
			if journal.KindOf(args[0]) == journal.Moves {
				return replayMoves(cmd, args[0], output)
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

// listRecords prints what a journal's directory has, oldest first.
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
		if rows[i], err = rowOf(file); err != nil {
			return err
		}
	}
	return table(cmd.OutOrStdout(), "FILE\tMADE AT (UTC)\tPODS\tGIVEN UP\tNEW NODES\tNOT PLACED\t$/h", rows)
}

// rowOf is a file of the journal in the list: what a plan costs, or what moves save.
func rowOf(file string) (string, error) {
	row := func(at time.Time, pods, gone, opened int, unplaced string, price float64) string {
		return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%s\t%.4f", filepath.Base(file), at.UTC().Format(time.DateTime), pods, gone, opened, unplaced, price)
	}
	if journal.KindOf(file) == journal.Moves {
		s, err := readSearch(file)
		if err != nil {
			return "", err
		}
		sum := view.MovesOf(s.Result, nil).Together
		return row(s.At, sum.Pods, sum.GivenUp, sum.Opened, "-", -sum.Saving), nil
	}
	r, err := readRecord(file)
	if err != nil {
		return "", err
	}
	return row(r.At, len(r.Snapshot.Pods), 0, len(r.Decision.Open), fmt.Sprint(len(r.Decision.Unplaced)), r.Decision.Price.Float()), nil
}

// compare says whether two plans are the same.
func compare(then, now engine.Decision) (string, error) {
	if same, err := alike(then, now); same || err != nil {
		return "planning again gives the same", err
	}
	return fmt.Sprintf("this version of dovetail plans otherwise: %d new nodes for %.4f $/h, %d pods not placed",
		len(now.Open), now.Price.Float(), len(now.Unplaced)), nil
}

// alike reports whether two results are the same to the last byte.
func alike(then, now any) (bool, error) {
	var texts [2][]byte
	for i, d := range []any{then, now} {
		text, err := json.Marshal(d)
		if err != nil {
			return false, fmt.Errorf("writing what was made again: %w", err)
		}
		texts[i] = text
	}
	return bytes.Equal(texts[0], texts[1]), nil
}

// readRecord reads a plan of the controller's journal.
func readRecord(file string) (journal.Record, error) {
	if journal.KindOf(file) == journal.Moves {
		return journal.Record{}, fmt.Errorf("%s has moves, not a plan; 'dovetail replay' shows them, and why each node stayed", file)
	}
	record, err := read(file, journal.Decode)
	if err == nil && record.At.IsZero() {
		err = fmt.Errorf("%s is no plan of the controller's journal; want a file that --journal-dir has", file)
	}
	return record, err
}

func read[R any](file string, decode func(io.Reader) (R, error)) (record R, err error) {
	f, err := os.Open(file)
	if err != nil {
		return record, fmt.Errorf("reading the controller's journal: %w", err)
	}
	defer f.Close()
	if record, err = decode(f); err != nil {
		return record, fmt.Errorf("%s: %w", file, err)
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
