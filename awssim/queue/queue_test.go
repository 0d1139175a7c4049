package queue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/awssim/queue"
)

func bodies(messages []queue.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Body)
	}
	return out
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := queue.New("q", clock.RealClock{}, time.Hour, 30*time.Second)
		q.Send("one", 0)
		q.Send("later", 5*time.Second)
		first := q.Receive(t.Context(), 10, 20*time.Second, 0)
		if diff := cmp.Diff([]string{"one"}, bodies(first)); diff != "" {
			t.Fatalf("first receive: -want +got\n%s", diff)
		}
		// A long poll waits for the delayed message, not for the hidden one.
		start := time.Now()
		if diff := cmp.Diff(
			[]string{"later"},
			bodies(q.Receive(t.Context(), 10, time.Hour, 20*time.Second)),
		); diff != "" {
			t.Errorf("long poll: -want +got\n%s", diff)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("the delayed message took %s, want 5 s", took)
		}
		again := q.Receive(t.Context(), 10, time.Hour, 20*time.Second)
		if diff := cmp.Diff([]string{"one"}, bodies(again)); diff != "" || again[0].Receives != 2 {
			t.Errorf("redelivery after the timeout: %+v\n%s", again, diff)
		}
		if !q.Delete(first[0].Receipt) || len(q.Receive(t.Context(), 10, 0, 0)) != 0 {
			t.Error("an older receipt must still delete the message")
		}
		if q.Delete("nonsense") {
			t.Error("a receipt that never was deletes something")
		}
	})
}

func TestLongPollEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := queue.New("q", clock.RealClock{}, time.Minute, 30*time.Second)
		start := time.Now()
		if got := q.Receive(
			t.Context(),
			1,
			time.Second,
			20*time.Second,
		); len(got) != 0 ||
			time.Since(start) != 20*time.Second {
			t.Errorf("an empty queue gave %v after %s, want nothing after 20 s", got, time.Since(start))
		}
		go func() {
			<-time.After(3 * time.Second)
			q.Send("hello", 0)
		}()
		start = time.Now()
		if got := q.Receive(
			t.Context(),
			1,
			time.Second,
			20*time.Second,
		); len(got) != 1 ||
			time.Since(start) != 3*time.Second {
			t.Errorf("%v after %s, want the message the moment it is sent", got, time.Since(start))
		}
		<-time.After(time.Minute)
		if got := q.Receive(t.Context(), 1, time.Second, 0); len(got) != 0 {
			t.Errorf("%v outlived the retention", got)
		}
	})
}
