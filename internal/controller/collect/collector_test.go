package collect

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/provider"
)

// deaf is a cloud that does not answer.
type deaf struct{}

func (deaf) Machines(context.Context) ([]provider.Machine, error) { return nil, errors.New("no") }
func (deaf) Terminate(context.Context, string) error              { return errors.New("no") }

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
