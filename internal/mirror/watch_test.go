package mirror

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	toolscache "k8s.io/client-go/tools/cache"
)

// source is an informer that has synced when its channel is closed.
type source struct{ done chan struct{} }

func (s source) Name() string                             { return "source" }
func (s source) Done() <-chan struct{}                    { return s.done }
func (s source) HasSynced() bool                          { return toolscache.IsDone(s) }
func (s source) HasSyncedChecker() toolscache.DoneChecker { return s }
func following(sources ...source) (m *Mirror) {
	m = &Mirror{}
	for _, s := range sources {
		m.watch.sources = append(m.watch.sources, s)
	}
	return m
}

// Whoever waits goes on with the last informer, not before and not at the next look.
func TestWaitingEndsWithTheLastInformer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := logr.NewContext(t.Context(), logr.Discard())
		a, b := source{make(chan struct{})}, source{make(chan struct{})}
		m := following(a, b)
		waited := make(chan bool, 1)
		go func() { waited <- m.WaitForSync(ctx) }()
		close(a.done)
		synctest.Wait()
		if len(waited) > 0 || m.Synced() {
			t.Fatal("it did not wait for the second informer")
		}
		close(b.done)
		synctest.Wait() // no time passes here: whoever polls would still be waiting
		if len(waited) == 0 || !<-waited || !m.Synced() {
			t.Error("all informers have synced, and nobody was told")
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(logr.NewContext(t.Context(), logr.Discard()))
	cancel()
	if following(source{make(chan struct{})}).WaitForSync(ctx) {
		t.Error("nothing has synced")
	}
	if following().WaitForSync(logr.NewContext(t.Context(), logr.Discard())) {
		t.Error("a mirror that follows nothing has seen nothing")
	}
}
