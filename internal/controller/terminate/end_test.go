package terminate

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// shop is a cloud with one machine.
type shop struct {
	state provider.State // empty: the machine is gone
	told  int            // how often it was told to end it
	asked int            // how often it was asked for it
}

func (s *shop) Machine(context.Context, string) (provider.Machine, error) {
	s.asked++
	if s.state == "" {
		return provider.Machine{}, provider.ErrNotFound
	}
	return provider.Machine{State: s.state}, nil
}

func (s *shop) Machines(context.Context) ([]provider.Machine, error) { return nil, nil }

func (s *shop) Terminate(context.Context, string) error {
	s.told++
	if s.state == "" {
		return provider.ErrNotFound
	}
	return nil
}

func TestTheCloudIsToldOnceAndThenLookedAt(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		told  bool // InstanceTerminating is True
		state provider.State
		calls int
		gone  bool
	}{
		"FirstTime": {"The machine runs: it is ended.", false, provider.Running, 1, false},
		"StopsByItself": {
			"A cloud may call a machine stopping because its Node is being deleted; it must be told all the same.",
			false,
			provider.Stopping,
			1,
			false,
		},
		"Stopping": {"It was told, and obeys.", true, provider.Stopping, 0, false},
		"DidNotHear": {
			"It was told, and the machine runs on: it is told again.",
			true,
			provider.Running,
			1,
			false,
		},
		"Gone":            {"That is the end.", true, "", 0, true},
		"GoneBeforeAsked": {"Nothing to end.", false, "", 1, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shop{state: tc.state}
			claim := &karpenterv1.NodeClaim{}
			if tc.told {
				claim.Status.Conditions = []metav1.Condition{
					{Type: karpenterv1.ConditionInstanceTerminating, Status: metav1.ConditionTrue},
				}
			}
			err := Deps{Cloud: s}.end(t.Context(), claim, "i-1")
			if errors.Is(err, provider.ErrNotFound) != tc.gone || (err != nil && !tc.gone) || s.told != tc.calls {
				t.Errorf("%s\ntold %d times, want %d; %v, want gone %v", tc.why, s.told, tc.calls, err, tc.gone)
			}
		})
	}
}
