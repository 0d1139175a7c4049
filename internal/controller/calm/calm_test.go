package calm

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestConflicts(t *testing.T) {
	t.Parallel()
	conflict := fmt.Errorf(
		"writing: %w",
		apierrors.NewConflict(schema.GroupResource{Resource: "nodes"}, "a", errors.New("changed")),
	)
	other := errors.New("no route to host")
	cases := map[string]struct {
		why   string
		err   error
		quiet bool
	}{
		"Conflict":  {"Someone wrote first: try again in silence.", conflict, true},
		"Conflicts": {"Several of them too.", errors.Join(conflict, conflict), true},
		"Mixed":     {"A real failure must not hide behind a conflict.", errors.Join(conflict, other), false},
		"Other":     {"A failure is told.", other, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Conflicts(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
				return reconcile.Result{}, tc.err
			}))
			result, err := r.Reconcile(t.Context(), reconcile.Request{})
			if (err == nil) != tc.quiet || (result.RequeueAfter > 0) != tc.quiet {
				t.Errorf("%s\ngot %+v, %v", tc.why, result, err)
			}
		})
	}
}

// After an outage, however long, work goes on within seconds.
func TestNothingIsWaitedForLong(t *testing.T) {
	t.Parallel()
	limiter := Options(1).RateLimiter
	var last time.Duration
	for range 100 {
		last = limiter.When(reconcile.Request{})
	}
	if last != 10*time.Second {
		t.Errorf("after 100 failures the next try is in %s, want 10s", last)
	}
}
