package health

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// aClass is a cloud with one class.
type aClass struct{}

func (aClass) Class(context.Context, karpenterv1.NodeClassReference) (provider.Class, error) {
	return provider.Class{}, nil
}

func TestState(t *testing.T) {
	t.Parallel()
	const joined, lost = true, false
	cases := map[string]struct {
		why      string
		outcomes []bool
		want     state
	}{
		"Nothing":   {"Nothing was seen.", nil, unknown},
		"OneLost":   {"One machine may always fail.", []bool{lost}, unknown},
		"Joined":    {"A node joined.", []bool{joined}, healthy},
		"OneOfTwo":  {"One failure beside a success is no pattern.", []bool{lost, joined}, healthy},
		"TwoLost":   {"Two failures are.", []bool{lost, lost}, failing},
		"TwoOfFour": {"Two of the last four.", []bool{joined, lost, joined, lost}, failing},
		"LongBefore": {
			"What is longer ago than four launches is forgotten.",
			[]bool{lost, lost, joined, joined, joined, joined},
			healthy,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r ring
			for _, o := range tc.outcomes {
				r.add(o)
			}
			if got := r.state(); got != tc.want {
				t.Errorf("%s\ngot %d, want %d", tc.why, got, tc.want)
			}
		})
	}
}

func TestAChangeForgets(t *testing.T) {
	t.Parallel()
	r := New(nil, aClass{}, clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)))
	pool := &karpenterv1.NodePool{}
	pool.Name, pool.Generation = "general", 1
	status := func() metav1.ConditionStatus {
		return condition.Get(pool, karpenterv1.ConditionNodeRegistrationHealthy).Status
	}
	r.judge(pool, 1)
	r.Note("general", false)
	r.Note("general", false)
	r.judge(pool, 1)
	if status() != metav1.ConditionFalse {
		t.Errorf("after two failures: %s", status())
	}
	// A new daemon has seen nothing, and believes what is written.
	r = New(nil, aClass{}, r.clock)
	r.judge(pool, 1)
	if status() != metav1.ConditionFalse {
		t.Errorf("after a restart: %s", status())
	}
	r.judge(pool, 2)
	if status() != metav1.ConditionUnknown {
		t.Errorf("after the class changed: %s", status())
	}
	r.Note("general", true)
	r.judge(pool, 2)
	if status() != metav1.ConditionTrue {
		t.Errorf("after a node joined: %s", status())
	}
}
