package gather

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

// echo answers each key with itself.
func echo(keys []int) map[int]int {
	out := map[int]int{}
	for _, k := range keys {
		out[k] = k
	}
	return out
}

func TestWhoComesDuringACallGoesTogetherInTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var batches [][]int
		release := make(chan struct{})
		c := New(100, func(_ context.Context, keys []int) (map[int]int, error) {
			batches = append(batches, slices.Sorted(slices.Values(keys)))
			<-release
			return echo(keys), nil
		}, func(error) bool { return false })
		var wg sync.WaitGroup
		ask := func(key int) {
			wg.Go(func() {
				if v, found, err := c.Get(t.Context(), key); v != key || !found || err != nil {
					t.Errorf("Get(%d) = %d, %v, %v", key, v, found, err)
				}
			})
			synctest.Wait()
		}
		for _, key := range []int{1, 2, 3, 2} {
			ask(key)
		}
		close(release)
		wg.Wait()
		if len(batches) != 2 || !slices.Equal(batches[0], []int{1}) || !slices.Equal(batches[1], []int{2, 3}) {
			t.Errorf("called for %v, want [1] at once and then [2 3]", batches)
		}
		if v, _, err := c.Get(t.Context(), 9); v != 9 || err != nil {
			t.Errorf("afterwards: %d, %v", v, err)
		}
	})
}

func TestWatchersAreToldOfEachCall(t *testing.T) {
	t.Parallel()
	type call struct {
		requests int
		waited   time.Duration
	}
	synctest.Test(t, func(t *testing.T) {
		var told []call
		clock := testclock.NewFakeClock(time.Now())
		release := make(chan struct{})
		c := New(100, func(_ context.Context, keys []int) (map[int]int, error) {
			<-release
			return echo(keys), nil
		}, func(error) bool { return false })
		c.Watch(clock, func(requests int, waited time.Duration) { told = append(told, call{requests, waited}) })
		var wg sync.WaitGroup
		for _, key := range []int{1, 2, 3, 2} { // a second apart
			wg.Go(func() { _, _, _ = c.Get(t.Context(), key) })
			synctest.Wait()
			clock.Step(time.Second)
		}
		close(release)
		wg.Wait()
		if want := []call{{1, 0}, {3, 3 * time.Second}}; !slices.Equal(told, want) {
			t.Errorf(
				"told of %v, want %v: the first at once, then three of which the oldest came three seconds ago",
				told,
				want,
			)
		}
	})
}

func TestOneBadKeySpoilsNoOthersAnswer(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad key")
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := New(100, func(_ context.Context, keys []int) (map[int]int, error) {
			<-release
			if slices.Contains(keys, 7) {
				return nil, bad
			}
			return echo(keys), nil
		}, func(err error) bool { return errors.Is(err, bad) })
		errs := make([]error, 10)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, _, errs[i] = c.Get(t.Context(), i) })
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		for i, err := range errs {
			if (i == 7) != (err != nil) {
				t.Errorf("key %d: %v", i, err)
			}
		}
	})
}

func TestGivingUpStopsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := New(1, func(ctx context.Context, keys []int) (map[int]int, error) {
			<-release
			return echo(keys), ctx.Err()
		}, func(error) bool { return false })
		impatient, giveUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		errs := make([]error, 3)
		for i, ctx := range []context.Context{impatient, impatient, t.Context()} {
			wg.Go(func() { _, _, errs[i] = c.Get(ctx, i) })
			synctest.Wait()
		}
		giveUp()
		synctest.Wait()
		close(release)
		wg.Wait()
		if errs[0] != nil || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
			t.Errorf("the caller, one who waited and gave up, one who waited: %v", errs)
		}
	})
}
