package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newReplay() *cobra.Command {
	var output, policy string
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show a plan or moves that the controller has made, and whether making them again gives the same",
		Long: `Show a plan or moves that the controller has made, and whether making them again gives the same.

FILE is one of those that the controller writes with --journal-dir (or JOURNAL_DIR): a plan, or a search for nodes to give
up, and all that it was made from; or what 'dovetail record' wrote. A directory is listed. 'dovetail explain pod NAME
--record FILE' asks of a plan why. With --policy the decision is made by other rules, and what is different is printed
as a plan.`,
		Example: `  dovetail replay report.json.gz --policy preferences=Ignore
  kubectl -n kube-system exec deployment/dovetail -- /dovetail replay /journal`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("replay takes one file of the controller's journal, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("-o", output, tableOrJSON); err != nil {
				return err
			}
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
				return listRecords(cmd, args[0], output)
			}
			same, err := replayFile(cmd, args[0], output, policy)
			if err == nil && exitCode && !same {
				return errFound
			}
			return err
		},
	}
	addOutput(cmd, &output)
	cmd.Flags().StringVar(&policy, "policy", "", "decide by other `rules`, such as effort=0,node-price=0.01 or "+
		"min-saving=0, and print the difference")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 if what is decided is not the same")
	return cmd
}

// replayFile makes what a file has again, and says whether it came out the same.
func replayFile(cmd *cobra.Command, file, output, policy string) (same bool, err error) {
	r, err := readRecording(file)
	if err != nil {
		return false, err
	}
	if r == nil && journal.KindOf(file) == journal.Moves {
		search, err := readSearch(file)
		if err != nil {
			return false, err
		}
		return replayMoves(cmd, search, output, policy)
	}
	if r == nil {
		record, err := readRecord(file)
		if err != nil {
			return false, err
		}
		return runReplay(cmd, record, output, policy)
	}
	same, err = runReplay(cmd, *r.Plan, output, policy)
	if err != nil || r.Moves == nil {
		return same, err
	}
	fmt.Fprintln(cmd.OutOrStdout())
	also, err := replayMoves(cmd, *r.Moves, output, policy)
	return same && also, err
}

func runReplay(cmd *cobra.Command, record journal.Record, output, policy string) (same bool, err error) {
	if policy != "" {
		rules := record.Policy
		if err := changed(policy, &rules, &refit.Policy{}); err != nil {
			return false, err
		}
		d := view.PlanDifference(record.Decision, engine.Plan(record.Snapshot, rules), []string{"policy " + policy})
		d.At = record.At
		return !d.Totals.Changes(), printDifference(cmd, d, output)
	}
	progress := newProgress(cmd.ErrOrStderr())
	progress.say(fmt.Sprintf("planning %d pods", len(record.Snapshot.Pods)))
	again := engine.Plan(record.Snapshot, record.Policy)
	progress.end()
	same, verdict, err := compare(record.Decision, again)
	if err != nil {
		return false, err
	}
	notes := []string{fmt.Sprintf("planned at %s; %s", record.At.UTC().Format(time.RFC3339Nano), verdict)}
	p := view.PlanOf(record.Decision, notes, record.Took)
	return same, write(cmd.OutOrStdout(), output, p, p.Table)
}

func printDifference(cmd *cobra.Command, d *view.Forecast, output string) error {
	return write(cmd.OutOrStdout(), output, d, func(w io.Writer) error { return d.Text(w, false) })
}

// listRecords prints what a journal's directory has, oldest first. A file that cannot be read costs a line on stderr.
func listRecords(cmd *cobra.Command, dir, output string) error {
	files, err := journal.Files(dir)
	if err != nil {
		return asUsage(err)
	}
	list := journalList{Header: view.HeaderOf("Journal"), Records: []journalRow{}}
	for _, file := range files {
		row, err := rowOf(file)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "left out: %v\n", err)
			continue
		}
		list.Records = append(list.Records, row)
	}
	if len(list.Records) == 0 {
		return usage("%s has no plan of the controller's journal; want the directory of --journal-dir", dir)
	}
	return write(cmd.OutOrStdout(), output, list, list.Text)
}

// journalList is what a journal's directory has.
type journalList struct {
	view.Header
	Records []journalRow `json:"records"`
}

// journalRow is one record: a plan, or moves.
type journalRow struct {
	File     string       `json:"file"`
	Kind     journal.Kind `json:"kind"`
	At       time.Time    `json:"at"`
	Times    int          `json:"times"` // that it was made with no change
	Pods     int          `json:"pods"`  // to be placed, or evicted
	GivenUp  int          `json:"givenUp"`
	Opened   int          `json:"opened"`
	Unplaced int          `json:"unplaced"`
	Price    float64      `json:"pricePerHour"` // of what is opened; of moves, less what is given up
}

// Text writes one line for each record.
func (l journalList) Text(w io.Writer) error {
	rows := make([]string, len(l.Records))
	for i, r := range l.Records {
		unplaced := strconv.Itoa(r.Unplaced)
		if r.Kind == journal.Moves {
			unplaced = "-"
		}
		rows[i] = fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%s\t%.4f", r.File, r.At.UTC().Format(time.DateTime), r.Times,
			r.Pods, r.GivenUp, r.Opened, unplaced, r.Price)
	}
	return table(w, "FILE\tMADE AT (UTC)\tTIMES\tPODS\tGIVEN UP\tNEW NODES\tNOT PLACED\t$/h", rows)
}

// rowOf is a file of the journal in the list: what a plan costs, or what moves save.
func rowOf(file string) (journalRow, error) {
	row := journalRow{File: filepath.Base(file), Kind: journal.KindOf(file)}
	if row.Kind == journal.Moves {
		s, err := readSearch(file)
		if err != nil {
			return row, err
		}
		sum := view.MovesOf(s.Result, nil).Together
		row.At, row.Times, row.Pods = s.At, 1+s.Repeated, sum.Pods
		row.GivenUp, row.Opened, row.Price = sum.GivenUp, sum.Opened, -sum.Saving
		return row, nil
	}
	r, err := readRecord(file)
	if err != nil {
		return row, err
	}
	row.At, row.Times, row.Pods = r.At, 1+r.Repeated, len(r.Snapshot.Pods)
	row.Opened, row.Unplaced, row.Price = len(r.Decision.Open), len(r.Decision.Unplaced), r.Decision.Price.Float()
	return row, nil
}

// compare says whether two plans are the same.
func compare(then, now engine.Decision) (same bool, verdict string, err error) {
	if same, err := alike(then, now); same || err != nil {
		return same, "planning again gives the same", err
	}
	return false, fmt.Sprintf(
		"this version of dovetail plans otherwise: %d new nodes for $%.4f/h, %d pods not placed",
		len(now.Open),
		now.Price.Float(),
		len(now.Unplaced),
	), nil
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
		return journal.Record{}, usage(
			"%s has moves, not a plan; 'dovetail replay' shows them, and why each node stayed", file)
	}
	record, err := read(file, journal.Decode)
	if err == nil && record.At.IsZero() {
		err = usage("%s is no plan of the controller's journal; want a file that --journal-dir has", file)
	}
	return record, err
}

func read[R any](file string, decode func(io.Reader) (R, error)) (record R, err error) {
	f, err := os.Open(file)
	if err != nil {
		return record, usage("reading the controller's journal: %w", err)
	}
	defer f.Close()
	if record, err = decode(f); err != nil {
		return record, usage("%s: %w", file, err)
	}
	return record, nil
}
