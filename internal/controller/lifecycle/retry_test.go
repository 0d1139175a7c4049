package lifecycle

import (
	"errors"
	"fmt"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestALaunchThatFailsIsNotTriedAgainForItsOwnNote has a cloud that words its refusal otherwise each time, as with an
// encoded account of a denial: each note of it on the claim is a change of the claim, which wakes the controller.
func TestALaunchThatFailsIsNotTriedAgainForItsOwnNote(t *testing.T) {
	t.Parallel()
	s := newStage(t, interceptor.Funcs{}, aged(0))
	clock := clocktesting.NewFakePassiveClock(noon)
	s.Clock = clock
	var tried []time.Duration
	for at := time.Duration(0); at <= 3*time.Minute; at += time.Second {
		clock.SetTime(noon.Add(at))
		for wake := range 3 {
			calls := s.shop.calls
			s.shop.fails = fmt.Errorf("denied, see account %s-%d", at, wake)
			_ = s.reconcile(t)
			if s.shop.calls > calls {
				tried = append(tried, at)
			}
		}
	}
	want := []int{0, 1, 3, 7, 15, 31, 63, 123}
	if len(tried) != len(want) {
		t.Fatalf("tried at %v, want at seconds %d", tried, want)
	}
	for i := range want {
		if tried[i] != time.Duration(want[i])*time.Second {
			t.Errorf("tried at %v, want at seconds %d", tried, want)
		}
	}
	s.shop.fails = nil
	clock.SetTime(noon.Add(4 * time.Minute))
	if err := errors.Join(s.reconcile(t), s.reconcile(t)); err != nil || s.claim(t).Status.ProviderID == "" {
		t.Errorf("the claim is not launched once it could be: %v", err)
	}
}
