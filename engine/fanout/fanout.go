// Package fanout spreads work over the processors and waits for it. It is the only place in the engine that starts
// goroutines.
//
// It promises nothing about order. Whoever uses it writes to what belongs to the index alone, and puts the parts
// together in the order of the indexes, so that one processor and sixteen come to the same result.
package fanout

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Each calls do for 0 to n-1, from as many goroutines at once as there are processors, and returns when all calls have.
// A panic in one of them is the caller's.
func Each(n int, do func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var failed atomic.Pointer[any]
	work := func() {
		defer func() {
			if r := recover(); r != nil {
				failed.CompareAndSwap(nil, &r)
			}
		}()
		for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if r := failed.Load(); r != nil {
		panic(*r)
	}
}

// Both runs two functions at once.
func Both(a, b func()) {
	Each(2, func(i int) {
		if i == 0 {
			a()
		} else {
			b()
		}
	})
}

// Span is a part of a list: from From to before Upto.
type Span struct{ From, Upto int }

// Spans cuts a list of n into one part for every processor, none shorter than least unless it is the only one.
func Spans(n, least int) []Span {
	parts := max(min(runtime.GOMAXPROCS(0), n/max(least, 1)), 1)
	out := make([]Span, parts)
	for i := range out {
		out[i] = Span{n * i / parts, n * (i + 1) / parts}
	}
	return out
}
