package collect

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// deaf is a cloud that does not answer.
type deaf struct{}

func (deaf) Machines(context.Context) ([]provider.Machine, error) { return nil, errors.New("no") }
func (deaf) Terminate(context.Context, string) error              { return errors.New("no") }

// empty is a cloud that has no machine any more.
type empty struct{ deaf }

func (empty) Machines(context.Context) ([]provider.Machine, error) { return nil, nil }

// The pool of a machine that ended before its node joined hears of it; that of a node which ran does not.
func TestThePoolOfAMachineThatNeverJoinedIsTold(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), karpenterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	young, old := launched("young", "i-1", time.Hour), claim("old", "i-2", time.Hour)
	young.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "general"}
	old.Labels, old.Status.NodeName = young.Labels, "node-old"
	var deleted, told []string
	c := &Collector{Deps{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(&young, &old).Build(),
		Cloud:  empty{}, Clock: clocktesting.NewFakeClock(noon), Log: logr.Discard(),
		Outcome: func(context.Context, string, error) {},
		Delete: func(_ context.Context, c *karpenterv1.NodeClaim, _ string) error {
			deleted = append(deleted, c.Name)
			return nil
		},
		NeverJoined: func(pool string) { told = append(told, pool) },
	}}
	if err := c.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(deleted)
	if diff := cmp.Diff([][]string{{"old", "young"}, {"general"}}, [][]string{deleted, told}); diff != "" {
		t.Errorf("deleted, told: -want +got\n%s", diff)
	}
}

func TestACloudThatListsNoMachinesIsTold(t *testing.T) {
	t.Parallel()
	var failed []string
	c := &Collector{Deps{Cloud: deaf{}, Outcome: func(_ context.Context, work string, err error) {
		if err != nil {
			failed = append(failed, work)
		}
	}}}
	if err := c.Round(t.Context()); err == nil {
		t.Error("a round without an answer went well")
	}
	if diff := cmp.Diff([]string{"Listing machines"}, failed); diff != "" {
		t.Errorf("told: -want +got\n%s", diff)
	}
}
