package fanout_test

import (
	"sync/atomic"
	"testing"

	"github.com/dovetail-sh/dovetail/engine/fanout"
)

func TestEachCallsEveryIndexOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 1000} {
		calls := make([]atomic.Int32, n)
		fanout.Each(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Errorf("of %d: index %d was called %d times, want once", n, i, got)
			}
		}
	}
}

func TestAPanicIsTheCallers(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); r != "broken" {
			t.Errorf("recovered %v, want what the worker panicked with", r)
		}
	}()
	fanout.Each(100, func(i int) {
		if i == 50 {
			panic("broken")
		}
	})
	t.Error("Each returned, want the worker's panic")
}

func TestSpansCoverTheListInOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 7, 100, 4096} {
		next := 0
		spans := fanout.Spans(n, 8)
		for _, s := range spans {
			if s.From != next || len(spans) > 1 && s.Upto-s.From < 8 {
				t.Errorf("of %d: got %v, want parts of 8 or more, one after the other", n, spans)
			}
			next = s.Upto
		}
		if next != n {
			t.Errorf("of %d: got %v, want all of it", n, spans)
		}
	}
}
