package shadow

import (
	"context"
	"time"

	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/view"
)

const (
	// rest is between two sights: a busy cluster changes all the time.
	rest = time.Second
	// thinkingRests is how many times as long as it took thinking rests, so that it takes a third of a core at most.
	thinkingRests = 2
	// batchIdle and batchMost are the controller's own batch window: so long after the last pod, and after the first.
	batchIdle = time.Second
	batchMost = 10 * time.Second
)

// Watch follows a cluster and keeps its Ledger.
type Watch struct {
	Origin feed.Origin
	Input  func(*manifest.Set, []string) (roster.Input, error) // of what Origin read
	Every  time.Duration                                       // between two thoughts at most
	Rounds int                                                 // of moves in a thought
	Say    func(*view.Shadow)                                  // how far it is, after each thought; may be nil

	ledger  *Ledger
	batch   batch
	due     time.Time // when it is to be thought again, whatever happens
	rested  time.Time // when it may be
	trouble string
	missing []string
}

// batch are pods that wait and were not thought about, as they were seen last.
type batch struct {
	input       roster.Input
	sight       Sight
	pods        int
	first, last time.Time // of the pods that came
}

// Run watches for so long, or until the context ends, and returns the report. It thinks at the start and, unless over
// is 0, at the end, however long thinking takes. The error is for a cluster that could not be seen at all.
func (w *Watch) Run(ctx context.Context, over time.Duration) (*view.Shadow, error) {
	if err := w.step(ctx); err != nil {
		return nil, err
	}
	if over > 0 {
		w.follow(ctx, over)
		w.due, w.rested = time.Time{}, time.Time{}
		w.note(w.step(context.WithoutCancel(ctx)))
	}
	report := w.ledger.Report()
	report.Missing = w.missing
	if w.trouble != "" {
		report.Missing = append(report.Missing, w.trouble)
	}
	return report, nil
}

// follow looks whenever the cluster changes.
func (w *Watch) follow(ctx context.Context, over time.Duration) {
	end := time.NewTimer(over)
	defer end.Stop()
	tick := time.NewTicker(rest)
	defer tick.Stop()
	changed := true
	for over > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-end.C:
			over = 0
		case <-w.Origin.Changed():
			changed = true
		case <-tick.C:
			if changed || w.batch.pods > 0 || !time.Now().Before(w.due) {
				changed = false
				w.note(w.step(ctx))
			}
		}
	}
}

// note remembers what kept the cluster from being seen.
func (w *Watch) note(err error) {
	switch text := w.Origin.Trouble(); {
	case err != nil:
		w.trouble = err.Error()
	case text != "":
		w.trouble = text
	}
}

// step looks, and thinks if it is time to.
func (w *Watch) step(ctx context.Context) error {
	set, missing, err := w.Origin.Read(ctx)
	if err != nil {
		return err
	}
	in, err := w.Input(set, missing)
	if err != nil {
		return err
	}
	s, err := Look(in)
	if err != nil {
		return err
	}
	if w.ledger == nil {
		w.ledger = New(in.Source)
	}
	w.missing = missing
	w.ledger.See(s)
	w.batch.see(in, s, w.ledger)
	now := s.At
	if now.Before(w.rested) || now.Before(w.due) && !w.batch.ripe(now) && !w.ledger.Changed() {
		return nil
	}
	return w.think(in, s)
}

func (w *Watch) think(in roster.Input, s Sight) error {
	began := time.Now()
	t, err := Think(in, w.Rounds)
	if err == nil {
		err = w.batch.answer(&t, w.ledger.Known)
	}
	if err != nil {
		return err
	}
	w.ledger.Think(t)
	w.batch = batch{}
	w.due, w.rested = s.At.Add(w.Every), s.At.Add(thinkingRests*time.Since(began))
	if w.Say != nil {
		w.Say(w.ledger.Report())
	}
	return nil
}

// see takes over a sight with pods that were not thought about.
func (b *batch) see(in roster.Input, s Sight, l *Ledger) {
	fresh := l.Fresh()
	if fresh == 0 {
		return
	}
	if b.pods == 0 {
		b.first = s.At
	}
	if fresh > b.pods {
		b.last = s.At
	}
	b.input, b.sight, b.pods = in, s, max(fresh, b.pods)
}

// ripe reports whether the controller would plan now.
func (b *batch) ripe(now time.Time) bool {
	return b.pods > 0 && (now.Sub(b.last) >= batchIdle || now.Sub(b.first) >= batchMost)
}

// answer plans for the pods of the batch as they were seen last: the other controller may have been quicker.
func (b *batch) answer(t *Thought, known func(string) bool) error {
	if b.pods == 0 {
		return nil
	}
	var err error
	t.Answer, err = Answer(b.input, b.sight, known)
	return err
}
