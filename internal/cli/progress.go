package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// patience is how long work may take before anything is said of it.
	patience = 300 * time.Millisecond
	// tick is how often the bar moves.
	tick = 100 * time.Millisecond
	// barWidth is in columns. The planner does not say how far it is, so the bar wanders.
	barWidth = 20
)

// progress draws one line with what is being done and for how long, on terminals only. A nil
// progress draws nothing.
type progress struct {
	out   io.Writer
	start time.Time
	done  chan struct{}
	once  sync.Once
	ended sync.WaitGroup

	mu   sync.Mutex // guards what
	what string
}

// newProgress is nil if w is not a terminal, or one that knows no control characters.
func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	p := &progress{out: w, start: time.Now(), done: make(chan struct{})}
	p.ended.Go(p.draw)
	return p
}

func (p *progress) say(what string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what = what
}

// end takes the line away.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.once.Do(func() { close(p.done) })
	p.ended.Wait()
}

func (p *progress) draw() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	drawn := false
	for i := 0; ; i++ {
		select {
		case <-p.done:
			if drawn {
				fmt.Fprint(p.out, "\r\x1b[K")
			}
			return
		case <-ticker.C:
		}
		spent := time.Since(p.start)
		if spent < patience {
			continue
		}
		drawn = true
		p.mu.Lock()
		what := p.what
		p.mu.Unlock()
		at := i % (2 * (barWidth - 3))
		at = min(at, 2*(barWidth-3)-at)
		fmt.Fprintf(
			p.out,
			"\r\x1b[K[%s===%s] %s, %.1f s",
			strings.Repeat(" ", at),
			strings.Repeat(" ", barWidth-3-at),
			what,
			spent.Seconds(),
		)
	}
}
