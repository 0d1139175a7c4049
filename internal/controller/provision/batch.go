package provision

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// Batch collects triggers into batches.
type Batch struct {
	idle, longest time.Duration
	clock         clock.Clock
	triggers      chan struct{} // holds one: a trigger during a pass begins the next batch
	nudges        chan struct{} // holds one
}

// NewBatch makes batches that end when no trigger has come for idle, and after longest at the latest.
func NewBatch(idle, longest time.Duration, c clock.Clock) *Batch {
	return &Batch{
		idle:     idle,
		longest:  longest,
		clock:    c,
		triggers: make(chan struct{}, 1),
		nudges:   make(chan struct{}, 1),
	}
}

// Trigger says that something more is to be planned, and that more may follow. It never waits.
func (b *Batch) Trigger() { say(b.triggers) }

// Nudge says that what is to be planned may fare better now. It begins a batch but, unlike Trigger, does not
// draw one out: in a busy cluster such news never ends. It never waits.
func (b *Batch) Nudge() { say(b.nudges) }

func say(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// Wait returns true at the end of a batch. It returns false when nothing came within patience (0: wait
// for ever), or the context ended.
func (b *Batch) Wait(ctx context.Context, patience time.Duration) bool {
	return b.WaitAnd(ctx, patience, nil)
}

// WaitAnd is Wait. It calls meanwhile again and again while a batch is being drawn out, first when it has lasted twice
// as long as one that nothing draws out.
func (b *Batch) WaitAnd(ctx context.Context, patience time.Duration, meanwhile func(context.Context)) bool {
	var tired <-chan time.Time
	if patience > 0 {
		timer := b.clock.NewTimer(patience)
		defer timer.Stop()
		tired = timer.C()
	}
	select {
	case <-ctx.Done():
		return false
	case <-tired:
		return false
	case <-b.triggers:
	case <-b.nudges:
	}
	return b.collect(ctx, meanwhile)
}

// meanwhileRests is how long is waited between two calls of meanwhile, in times of what one takes: planning thousands
// of pods every second would take the processor from those who are about to run.
const meanwhileRests = 4

// collect waits for the end of a batch that has begun.
func (b *Batch) collect(ctx context.Context, meanwhile func(context.Context)) bool {
	end := b.clock.NewTimer(b.longest)
	defer end.Stop()
	quiet := b.clock.NewTimer(b.idle)
	defer quiet.Stop()
	var again <-chan time.Time // never, with nothing to do meanwhile
	if meanwhile != nil {
		again = b.clock.After(2 * b.idle)
	}
	more := func() {
		if !quiet.Stop() {
			select {
			case <-quiet.C():
			default:
			}
		}
		quiet.Reset(b.idle)
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end.C():
			return true
		case <-quiet.C():
			return true
		case <-again:
			began := b.clock.Now()
			meanwhile(ctx)
			again = b.clock.After(max(b.idle, meanwhileRests*b.clock.Since(began)))
			select {
			case <-b.triggers: // before it is found to have been quiet
				more()
			default:
			}
		case <-b.nudges: // this batch is what it asks for
		case <-b.triggers:
			more()
		}
	}
}
