// Package shift knows from which zones Amazon's Application Recovery Controller has shifted a cluster's traffic away.
//
// It answers from memory. When the service fails, what was known stays.
package shift

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"

	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

type api interface {
	GetManagedResource(
		context.Context,
		*arczonalshift.GetManagedResourceInput,
		...func(*arczonalshift.Options),
	) (*arczonalshift.GetManagedResourceOutput, error)
}

// Store holds the zones. It is safe for use by many goroutines.
type Store struct {
	api api

	mu   sync.RWMutex // guards the field below
	away map[string]bool
}

// New makes a Store that knows of no shift.
func New(api api) *Store { return &Store{api: api} }

// Refresh asks about the cluster with this ARN, and returns the IDs of zones whose traffic was shifted away since it
// last asked, and of those that are back, each ascending. A cluster that is not registered for zonal shift has none.
func (s *Store) Refresh(ctx context.Context, cluster string) (left, back []string, err error) {
	out, err := s.api.GetManagedResource(
		ctx,
		&arczonalshift.GetManagedResourceInput{ResourceIdentifier: awssdk.String(cluster)},
	)
	away := map[string]bool{}
	switch {
	case awserror.IsNotFound(err):
	case err != nil:
		return nil, nil, fmt.Errorf("asking for zonal shifts of %s: %w", cluster, err)
	default:
		for zone, weight := range out.AppliedWeights {
			if weight == 0 {
				away[zone] = true
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left, back = added(away, s.away), added(s.away, away)
	s.away = away
	return left, back, nil
}

// added are the keys of a that b has not, ascending.
func added(a, b map[string]bool) []string {
	var out []string
	for _, zone := range slices.Sorted(maps.Keys(a)) {
		if !b[zone] {
			out = append(out, zone)
		}
	}
	return out
}

// Away reports whether traffic was shifted away from the zone with this ID, such as use1-az1.
func (s *Store) Away(zoneID string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.away[zoneID]
}
