package feed

import (
	"context"
	"time"

	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/view"
)

const (
	// agesEvery is how often ages are told anew while nothing else changes.
	agesEvery = 10 * time.Second
	// leastRest is between two looks: a busy cluster changes all the time.
	leastRest = 200 * time.Millisecond
	// thinkingRests is how many times as long as it took thinking rests.
	thinkingRests = 10
)

// Origin is where a cluster is read. What it returns is shared and must not be changed.
type Origin interface {
	// Changed has something to receive whenever anything changed; nil for what does not change.
	Changed() <-chan struct{}
	// Trouble is why what is read may be old; empty if it is not.
	Trouble() string
	Read(ctx context.Context) (*manifest.Set, []string, error)
}

// Frame is a cluster at one moment.
type Frame struct {
	Fleet    view.Fleet
	Thoughts *roster.Thoughts // nil until somebody has thought
	Input    roster.Input     // what the fleet was read off
}

// Feed is who looks, and who is told. Callbacks are made one at a time.
type Feed struct {
	Origin  Origin
	Input   func(*manifest.Set, []string) (roster.Input, error) // of what Origin read
	Frame   func(Frame)
	Trouble func(string)  // why nothing can be seen, or that it can be
	Idle    func()        // now and then, while nothing changes; may be nil
	Rest    time.Duration // between two looks; 0 for the least

	last     *roster.Thoughts
	stale    bool // what was thought is of an earlier cluster
	thinking bool
	rested   time.Time // when thinking may begin again
	thoughts chan thought
}

// thought is what was thought, and when it is time for more.
type thought struct {
	of     *roster.Thoughts
	rested time.Time
}

// Run looks until the context ends.
func (f *Feed) Run(ctx context.Context) {
	f.thoughts, f.stale = make(chan thought, 1), true
	ages := time.NewTicker(agesEvery)
	defer ages.Stop()
	f.look(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.Origin.Changed():
			f.stale = true
			f.look(ctx)
		case t := <-f.thoughts:
			f.last, f.rested, f.thinking = t.of, t.rested, false
			f.look(ctx)
		case <-ages.C:
			f.Trouble(f.Origin.Trouble())
			if f.Idle != nil {
				f.Idle()
			}
			if f.stale {
				f.look(ctx)
			}
		}
	}
}

// look hands on what is seen now, and waits as long again, so that a busy cluster costs no more than half a core.
func (f *Feed) look(ctx context.Context) {
	began := time.Now()
	seen, in, err := f.see(ctx)
	if err != nil {
		f.Trouble(err.Error())
		return
	}
	f.Frame(Frame{Fleet: seen.Fleet(f.last), Thoughts: f.last, Input: in})
	if f.stale && !f.thinking && !time.Now().Before(f.rested) {
		f.thinking, f.stale = true, false
		go f.think(seen)
	}
	select {
	case <-ctx.Done():
	case <-time.After(max(time.Since(began), leastRest, f.Rest)):
	}
}

func (f *Feed) see(ctx context.Context) (*roster.Seen, roster.Input, error) {
	set, missing, err := f.Origin.Read(ctx)
	if err != nil {
		return nil, roster.Input{}, err
	}
	in, err := f.Input(set, missing)
	if err != nil {
		return nil, in, err
	}
	seen, err := roster.Look(in)
	return seen, in, err
}

// think plans beside the looks. Errors are those of Look, which has told them.
func (f *Feed) think(seen *roster.Seen) {
	began := time.Now()
	t, err := seen.Think()
	if err != nil {
		t = nil
	}
	// There is room for one, and one at a time is thought.
	f.thoughts <- thought{t, time.Now().Add(thinkingRests * time.Since(began))}
}

// Still is an Origin that was read once.
type Still struct{ roster.Input }

// Changed never has anything.
func (s Still) Changed() <-chan struct{} { return nil }

// Trouble is none.
func (s Still) Trouble() string { return "" }

// Read is what was read.
func (s Still) Read(context.Context) (*manifest.Set, []string, error) {
	return s.Set, s.Missing, nil
}
