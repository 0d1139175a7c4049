package kept

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestAnAnswerIsAskedForOnceAndForgottenInTime(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(noon)
	a := New[string, int](clock, time.Minute)
	asked := 0
	get := func() int {
		t.Helper()
		v, err := a.Get("x", func() (int, error) { asked++; return asked, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := get(); v != 1 {
		t.Errorf("got %d first", v)
	}
	clock.Step(time.Minute - time.Second)
	if v := get(); v != 1 {
		t.Errorf("asked again after 59 s: %d", v)
	}
	clock.Step(time.Second)
	if v, ok := a.Peek("x"); ok {
		t.Errorf("after a minute it still has %d", v)
	}
	if v := get(); v != 2 {
		t.Errorf("after a minute the old answer came: %d", v)
	}
}

// The time counts from the question: an answer that took long is as old as it was when it was asked for.
func TestAnAnswerIsAsOldAsItsQuestion(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(noon)
	a := New[string, int](clock, time.Minute)
	_, err := a.Get("x", func() (int, error) { clock.Step(50 * time.Second); return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	clock.Step(10 * time.Second)
	if _, ok := a.Peek("x"); ok {
		t.Error("it is kept for longer than a minute")
	}
}

// A failure is not kept, and does not end what was known before.
func TestFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	a := New[string, int](testclock.NewFakeClock(noon), time.Minute)
	failure := errors.New("throttled")
	if _, err := a.Get("x", func() (int, error) { return 0, failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if _, ok := a.Peek("x"); ok {
		t.Error("a failure was kept")
	}
	a.Put("x", 7)
	if v, err := a.Get("x", func() (int, error) { return 0, failure }); v != 7 || err != nil {
		t.Errorf("got %d, %v; want what was put", v, err)
	}
}

func TestForgetAndAll(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(noon)
	a := New[string, int](clock, time.Minute)
	a.Put("old", 1)
	clock.Step(30 * time.Second)
	a.Put("new", 2)
	a.Put("gone", 3)
	a.Forget("gone")
	all := a.All()
	slices.Sort(all)
	if !slices.Equal(all, []int{1, 2}) {
		t.Errorf("all are %v, want 1 and 2", all)
	}
	clock.Step(30 * time.Second)
	if all := a.All(); !slices.Equal(all, []int{2}) {
		t.Errorf("after the first one's time all are %v, want 2", all)
	}
}

// Many may ask at once: everybody gets an answer, and none waits for another one's question.
func TestManyAskAtOnce(t *testing.T) {
	t.Parallel()
	a := New[int, int](testclock.NewFakeClock(noon), time.Minute)
	var wrong atomic.Int32
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for key := range 16 {
				v, err := a.Get(key, func() (int, error) { return key * key, nil })
				if err != nil || v != key*key {
					wrong.Add(1)
				}
				if i%8 == 0 {
					a.Forget(key)
				}
			}
		})
	}
	all.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d wrong answers", n)
	}
}
