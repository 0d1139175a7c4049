package feed_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
)

const cluster = `
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}
`

// origin is a cluster that changes when it is told to.
type origin struct {
	feed.Still
	changed chan struct{}
}

func (o *origin) Changed() <-chan struct{} { return o.changed }

func input(t *testing.T) roster.Input {
	t.Helper()
	set, err := manifest.Read([]string{"-"}, strings.NewReader(cluster))
	if err != nil {
		t.Fatal(err)
	}
	in := roster.Input{Source: "files"}
	in.Input = simulate.Input{Set: set, Policy: engine.DefaultPolicy(), Now: time.Now(), Lenient: true}
	in.Market.Region = "us-east-1"
	return in
}

// TestNothingIsDrawnWhileNothingChanges lets an hour pass. What idles costs nothing but a tick.
func TestNothingIsDrawnWhileNothingChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := input(t)
		o := &origin{feed.Still{Input: in}, make(chan struct{})}
		frames, idles := 0, 0
		f := &feed.Feed{
			Origin: o, Input: func(*manifest.Set, []string) (roster.Input, error) { return in, nil },
			Frame: func(feed.Frame) { frames++ }, Trouble: func(string) {}, Idle: func() { idles++ },
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		<-time.After(time.Hour) // by the bubble's clock
		synctest.Wait()
		if frames != 2 { // what is seen, and once it has been thought about
			t.Errorf("%d frames in an hour, want 2", frames)
		}
		if idles < 300 || idles > 370 {
			t.Errorf("ages were told %d times in an hour, want 360", idles)
		}
		o.changed <- struct{}{}
		<-time.After(time.Minute)
		synctest.Wait()
		if frames < 3 || frames > 4 {
			t.Errorf("%d frames after a change, want one more, and one for a thought", frames)
		}
		stop()
		<-done
	})
}

// TestThePageSaysWhatTheFleetSays takes figures of the page and of the read model that commands print.
func TestThePageSaysWhatTheFleetSays(t *testing.T) {
	t.Parallel()
	seen, err := roster.Look(input(t))
	if err != nil {
		t.Fatal(err)
	}
	thoughts, err := seen.Think()
	if err != nil {
		t.Fatal(err)
	}
	fleet := seen.Fleet(thoughts)
	fleet.Money.Pools = 96_000
	pager := &feed.Pager{Hub: web.NewHub("b"), Lives: func(feed.Frame) []view.Life { return nil }}
	for range 2000 { // more often than is kept: it is thinned out twice
		fleet.At = fleet.At.Add(2 * time.Minute)
		if err := pager.Frame(feed.Frame{Fleet: fleet, Thoughts: thoughts, Input: input(t)}); err != nil {
			t.Fatal(err)
		}
	}
	var page struct {
		Parts struct {
			Money   view.Money
			Pending []view.Waiting
			Series  []view.Point
		}
	}
	if err := json.Unmarshal(pager.Hub.Whole(), &page); err != nil {
		t.Fatal(err)
	}
	why := fleet.Pending[0].Why
	if page.Parts.Money != fleet.Money || len(page.Parts.Pending) != 1 || page.Parts.Pending[0].Why != why {
		t.Errorf("the page has %+v, want %+v", page.Parts, fleet)
	}
	n := len(page.Parts.Series)
	last := page.Parts.Series[n-1]
	if n < 500 || n > 1500 || last.Price != fleet.Money.Pools || !last.At.Equal(fleet.At) {
		t.Errorf("%d moments are kept, the last %+v", n, last)
	}
}
