package feed

import (
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
)

const (
	// mostPoints is how many moments of the price are kept; past it the older half is thinned out.
	mostPoints = 1500
	// pointEvery is how often the price is kept while it stays the same.
	pointEvery = time.Minute
)

// Pager makes pages of frames.
type Pager struct {
	Hub   *web.Hub
	Lives func(Frame) []view.Life // of all claims that are remembered
	Loops func() []view.Loop      // nil where nobody knows them
	Ask   func(f Frame, kind, name string) string

	series []view.Point
	last   view.Page
	frame  Frame
}

// Frame puts what is seen on the page.
func (p *Pager) Frame(f Frame) error {
	lives := p.Lives(f)
	p.sample(&f.Fleet, lives)
	p.frame = f
	p.last = view.Page{
		APIVersion: view.APIVersion, Kind: "Page", Fleet: f.Fleet, Decisions: view.Decisions(lives), Series: p.series,
		Reservations: roster.Reservations(f.Input.Set), Loops: []view.Loop{},
	}
	return p.put()
}

// Trouble says on the page why it may be old.
func (p *Pager) Trouble(text string) error {
	if text == p.last.Trouble {
		return nil
	}
	p.last.Trouble = text
	return p.put()
}

func (p *Pager) put() error {
	if p.Loops != nil {
		p.last.Loops = p.Loops()
	}
	f := p.frame
	return p.Hub.Put(&p.last, func(kind, name string) string { return p.Ask(f, kind, name) })
}

// sample keeps what the fleet costs now. What it cost before anybody looked is read off its claims.
func (p *Pager) sample(f *view.Fleet, lives []view.Life) {
	if p.series == nil {
		p.series = view.Series(lives, f.At)
	}
	now := view.Point{At: f.At, Price: f.Money.Pools}
	if f.Money.Thought {
		now.Bound = f.Money.Bound
	}
	if n := len(p.series); n > 0 {
		last := p.series[n-1]
		if last.Price == now.Price && last.Bound == now.Bound && now.At.Sub(last.At) < pointEvery {
			return
		}
	}
	p.series = append(p.series, now)
	if len(p.series) > mostPoints {
		p.series = thinned(p.series)
	}
}

// thinned leaves every other one of the older half out.
func thinned(series []view.Point) []view.Point {
	half := len(series) / 2
	out := make([]view.Point, 0, len(series))
	for i := 0; i < half; i += 2 {
		out = append(out, series[i])
	}
	return append(out, slices.Clone(series[half:])...)
}
