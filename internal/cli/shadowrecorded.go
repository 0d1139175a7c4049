package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/shadow"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// moment is something that was recorded, and how an account takes it over.
type moment struct {
	at   time.Time
	file string
	tell func(*shadow.Ledger) error
}

// recorded makes the report of files. One file of a directory that cannot be read costs a line on stderr.
func (f *shadowFlags) recorded(cmd *cobra.Command) (*view.Shadow, error) {
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	moments, manifests, err := f.moments(cmd)
	if err != nil {
		return nil, err
	}
	if len(manifests) > 0 {
		one, err := f.written(cmd, manifests)
		if err != nil {
			return nil, err
		}
		moments = append(moments, one)
	}
	if len(moments) == 0 {
		return nil, usage("%s has nothing that was recorded; 'dovetail record' writes what is read here",
			strings.Join(f.files, ", "))
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
	ledger := shadow.New(strings.Join(f.files, ", "))
	for i, m := range moments {
		progress.say(fmt.Sprintf("reading %d of %d", i+1, len(moments)))
		if err := m.tell(ledger); err != nil {
			return nil, asUsage(fmt.Errorf("%s: %w", m.file, err))
		}
	}
	return ledger.Report(), nil
}

// moments sorts out what each file is; those that are manifests are of one cluster together.
func (f *shadowFlags) moments(cmd *cobra.Command) (out []moment, manifests []string, err error) {
	for _, path := range f.files {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			if out, manifests, err = f.sort(path, out, manifests); err != nil {
				return nil, nil, err
			}
			continue
		}
		err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == history.File {
				return err
			}
			if more, others, err := f.sort(file, out, manifests); err == nil {
				out, manifests = more, others
			} else {
				fmt.Fprintf(cmd.ErrOrStderr(), "left out: %v\n", err)
			}
			return nil
		})
		if err != nil {
			return nil, nil, asUsage(err)
		}
	}
	return out, manifests, nil
}

// sort adds a file to what it is.
func (f *shadowFlags) sort(file string, moments []moment, manifests []string) ([]moment, []string, error) {
	switch {
	case file == "-" || !strings.HasSuffix(file, ".gz") && !strings.HasSuffix(file, ".json"):
		return moments, append(manifests, file), nil
	case journal.KindOf(file) == journal.Moves:
		s, err := readSearch(file)
		return append(moments, moment{s.At, file, func(l *shadow.Ledger) error {
			seen := shadow.Recalled(&s.Snapshot, roster.OfSearch(s, file).Nodes, s.At)
			seen.Waiting = nil // searches are made of nodes
			l.See(seen)
			l.Think(shadow.Searched(s))
			return nil
		}}), manifests, err
	}
	r, err := readRecording(file)
	switch {
	case err != nil:
		return nil, nil, err
	case r != nil && len(r.Objects) > 0:
		return append(moments, moment{r.At, file, func(l *shadow.Ledger) error { return f.replayed(l, r, file) }}),
			manifests, nil
	case r != nil:
		return append(moments, planned(*r.Plan, file, func(t *shadow.Thought) { withMoves(r, t) })), manifests, nil
	case !strings.HasSuffix(file, ".gz"):
		return moments, append(manifests, file), nil
	}
	record, err := readRecord(file)
	return append(moments, planned(record, file, func(*shadow.Thought) {})), manifests, err
}

// planned is a plan of the journal. More adds what else is known.
func planned(r journal.Record, file string, more func(*shadow.Thought)) moment {
	return moment{r.At, file, func(l *shadow.Ledger) error {
		l.See(shadow.Recalled(&r.Snapshot, roster.OfPlan(r, file).Nodes, r.At))
		t := shadow.Recall(r, l.Known)
		more(&t)
		l.Think(t)
		return nil
	}}
}

// withMoves adds the moves of a recording that keeps no objects.
func withMoves(r *recording, t *shadow.Thought) {
	if r.Moves != nil {
		t.Moves = shadow.Searched(*r.Moves).Moves
		return
	}
	shadow.Alone(*r.Plan, t)
}

// replayed is a recording with the cluster's objects.
func (f *shadowFlags) replayed(l *shadow.Ledger, r *recording, file string) error {
	set, err := manifest.ReadOver(bytes.NewReader(r.Objects), file, nil, nil)
	if err != nil {
		return err
	}
	return f.told(l, set, r.At, file)
}

// written are manifests, as one cluster at the time at which they were written down.
func (f *shadowFlags) written(cmd *cobra.Command, files []string) (moment, error) {
	some := f.planFlags
	some.files = files
	in, err := some.standing(cmd)
	if err != nil {
		return moment{}, err
	}
	return moment{in.Now, strings.Join(files, ", "), func(l *shadow.Ledger) error {
		return f.told(l, in.Set, in.Now, in.Source)
	}}, nil
}

// told has an account see and think about objects.
func (f *shadowFlags) told(l *shadow.Ledger, set *manifest.Set, at time.Time, source string) error {
	in := roster.Input{Source: source}
	var err error
	if in.Input, err = f.input(set, at); err != nil {
		return err
	}
	in.Lenient = true // they are what a server held
	in.Now, in.Market.Account.Now = at, at
	s, err := shadow.Look(in)
	if err != nil {
		return err
	}
	l.See(s)
	t, err := shadow.Think(in, f.rounds)
	if err != nil {
		return err
	}
	if t.Answer, err = shadow.Answer(in, s, l.Known); err != nil {
		return err
	}
	l.Think(t)
	return nil
}
