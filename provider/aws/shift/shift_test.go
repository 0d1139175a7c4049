package shift

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/google/go-cmp/cmp"
)

// service answers with what is set.
type service struct {
	weights map[string]float32
	err     error
}

func (s *service) GetManagedResource(
	context.Context, *arczonalshift.GetManagedResourceInput, ...func(*arczonalshift.Options),
) (*arczonalshift.GetManagedResourceOutput, error) {
	if s.err != nil {
		return nil, s.err
	}
	return &arczonalshift.GetManagedResourceOutput{AppliedWeights: s.weights}, nil
}

// A shift is told once when it begins and once when it ends; in between the zone is away, also while the service fails.
func TestAShiftBeginsAndEnds(t *testing.T) {
	t.Parallel()
	api := &service{}
	s := New(api)
	for _, step := range []struct {
		name       string
		weights    map[string]float32
		err        error
		left, back []string
		away       []string
		fails      bool
	}{
		{name: "nothing is shifted", weights: map[string]float32{"use1-az1": 1, "use1-az2": 1}},
		{name: "two leave", weights: map[string]float32{"use1-az1": 0, "use1-az2": 0, "use1-az3": 1},
			left: []string{"use1-az1", "use1-az2"}, away: []string{"use1-az1", "use1-az2"}},
		{name: "nothing changes", weights: map[string]float32{"use1-az1": 0, "use1-az2": 0, "use1-az3": 1},
			away: []string{"use1-az1", "use1-az2"}},
		{name: "the service fails", err: errors.New("throttled"), away: []string{"use1-az1", "use1-az2"}, fails: true},
		{name: "one is back, one leaves", weights: map[string]float32{"use1-az1": 1, "use1-az2": 0, "use1-az3": 0},
			left: []string{"use1-az3"}, back: []string{"use1-az1"}, away: []string{"use1-az2", "use1-az3"}},
		{name: "the cluster is not registered", err: &types.ResourceNotFoundException{},
			back: []string{"use1-az2", "use1-az3"}},
	} {
		api.weights, api.err = step.weights, step.err
		left, back, err := s.Refresh(t.Context(), "arn:aws:eks:us-east-1:1:cluster/c")
		if (err != nil) != step.fails {
			t.Errorf("%s: got error %v", step.name, err)
		}
		if diff := cmp.Diff([][]string{step.left, step.back}, [][]string{left, back}); diff != "" {
			t.Errorf("%s: who left and who is back, -want +got\n%s", step.name, diff)
		}
		var away []string
		for _, zone := range []string{"use1-az1", "use1-az2", "use1-az3"} {
			if s.Away(zone) {
				away = append(away, zone)
			}
		}
		if diff := cmp.Diff(step.away, away); diff != "" {
			t.Errorf("%s: away, -want +got\n%s", step.name, diff)
		}
	}
}
