package cli

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/redact"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// recordingKind is the kind of what record writes.
const recordingKind = "Recording"

// recording is one file that reproduces decisions on another machine.
type recording struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"` // Recording
	At         time.Time       `json:"at"`
	Version    string          `json:"version"` // of dovetail
	Redacted   bool            `json:"redacted"`
	Plan       *journal.Record `json:"plan"`              // of the pods that wait
	Moves      *journal.Search `json:"moves,omitempty"`   // the newest of the controller's journal
	Objects    json.RawMessage `json:"objects,omitempty"` // the cluster as kubectl prints it; never with redacted
	Missing    []string        `json:"missing,omitempty"`
}

// recordFlags are those of record.
type recordFlags struct {
	planFlags
	redact       bool
	journal, out string
}

func newRecord() *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Write one file that reproduces what is decided here on another machine",
		Long: `Write one file that reproduces what is decided here on another machine, for bug reports.

It has the plan for the pods that wait with all that it was made from, the newest moves of the controller's journal with
--journal, and the objects as kubectl prints them. With --redact there are no objects, and every name, label, address
and identifier is replaced; what is decided stays the same. 'dovetail replay FILE' makes the decisions again.`,
		Example: `  dovetail record --redact --out report.json.gz
  dovetail replay report.json.gz`,
		Args: noNames("record"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runRecord(cmd, &f) },
	}
	f.watch(cmd, "json")
	cmd.Flags().Lookup("output").Hidden = true
	cmd.Flags().BoolVar(&f.redact, "redact", false, "replace every name, label, address and identifier")
	cmd.Flags().
		StringVar(&f.journal, "journal", "", "take the newest plan and moves of this `directory` (the "+
			"controller's --journal-dir)")
	cmd.Flags().
		StringVar(&f.out, "out", "dovetail-record.json.gz", "`file` to write; it must not exist. - for standard output")
	return cmd
}

func runRecord(cmd *cobra.Command, f *recordFlags) error {
	version, commit := observe.Version()
	r := &recording{
		APIVersion: view.APIVersion,
		Kind:       recordingKind,
		At:         time.Now().UTC(),
		Version:    version + " " + commit,
		Redacted:   f.redact,
	}
	if err := f.fill(cmd, r); err != nil {
		return err
	}
	replaced := 0
	if f.redact {
		var err error
		if replaced, err = r.redact(); err != nil {
			return err
		}
	}
	size, err := r.write(cmd, f.out)
	if err != nil {
		return err
	}
	fmt.Fprintf(
		cmd.ErrOrStderr(),
		"%s: %d bytes, %d nodes, %d pods that wait, %d texts replaced\n",
		f.out,
		size,
		len(r.Plan.Snapshot.Nodes),
		len(r.Plan.Snapshot.Pods),
		replaced,
	)
	return nil
}

// fill plans now, or reads what the controller planned last.
func (f *recordFlags) fill(cmd *cobra.Command, r *recording) error {
	if f.journal != "" {
		return r.newest(f.journal)
	}
	in, err := f.whole(cmd)
	if err != nil {
		return err
	}
	r.Missing = in.Missing
	ready, err := simulate.Prepare(in.Input)
	if err != nil {
		return err
	}
	s := ready.Snapshot()
	began := time.Now()
	r.Plan = &journal.Record{
		At:       in.Now,
		Revision: s.Revision,
		Snapshot: s,
		Policy:   in.Policy,
		Decision: engine.Plan(s, in.Policy),
		Took:     time.Since(began),
	}
	if f.redact || f.offline() {
		return nil
	}
	from, kube, err := f.cluster.connect()
	if err != nil {
		return err
	}
	ctx, stop := f.cluster.within(cmd.Context())
	defer stop()
	r.Objects, _, err = capture.Dump(ctx, from, daemon.Scheme(), f.cluster.namespace())
	return f.cluster.unanswered(kube, err)
}

// newest takes the newest plan and the newest moves of a journal.
func (r *recording) newest(dir string) error {
	files, err := journal.Files(dir)
	if err != nil {
		return err
	}
	for _, file := range slices.Backward(files) {
		switch {
		case journal.KindOf(file) == journal.Moves && r.Moves == nil:
			s, err := readSearch(file)
			if err != nil {
				return err
			}
			r.Moves = &s
		case journal.KindOf(file) == journal.Plan && r.Plan == nil:
			plan, err := readRecord(file)
			if err != nil {
				return err
			}
			r.Plan = &plan
		}
	}
	if r.Plan == nil {
		return fmt.Errorf("%s has no plan of the controller's journal; want the directory of --journal-dir", dir)
	}
	return nil
}

// redact takes out what is private, and says how much that was.
func (r *recording) redact() (int, error) {
	plan, replaced, err := redact.Plan(*r.Plan)
	if err != nil {
		return 0, err
	}
	r.Plan, r.Objects, r.Missing = &plan, nil, nil
	if r.Moves == nil {
		return replaced, nil
	}
	moves, more, err := redact.Search(*r.Moves)
	r.Moves = &moves
	return replaced + more, err
}

// write writes the file, readable by its owner alone.
func (r *recording) write(cmd *cobra.Command, name string) (size int, err error) {
	out := cmd.OutOrStdout()
	if name != "-" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return 0, fmt.Errorf("writing the record: %w; choose another file with --out", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	counted := &counting{Writer: out}
	z := gzip.NewWriter(counted)
	err = errors.Join(json.NewEncoder(z).Encode(r), z.Close())
	return counted.n, err
}

type counting struct {
	io.Writer
	n int
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += n
	return n, err
}

// readRecording reads what record wrote; nil for a file of another kind.
func readRecording(file string) (*recording, error) {
	r, err := read(file, func(from io.Reader) (r recording, err error) {
		text, err := unpacked(from)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		return r, err
	})
	if err != nil || r.Kind != recordingKind {
		return nil, nil // whoever reads it as another kind says what is wrong
	}
	if r.Plan == nil {
		return nil, fmt.Errorf("%s has no plan; record it anew", file)
	}
	return &r, nil
}

// unpacked is all of a file, compressed or not.
func unpacked(from io.Reader) ([]byte, error) {
	text, err := io.ReadAll(from)
	if err != nil || !strings.HasPrefix(string(text[:min(len(text), 2)]), "\x1f\x8b") {
		return text, err
	}
	z, err := gzip.NewReader(strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
