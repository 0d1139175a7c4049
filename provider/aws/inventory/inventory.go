// Package inventory knows what the region sells: the instance types, and in which zones.
//
// It asks AWS once at first use, and again whenever it is told to; between, it answers from
// memory. A failed refresh keeps what was known.
package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/singleflight"

	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

// Page sizes; AWS's upper limits.
const (
	typesPage     = 100
	offeringsPage = 1000
)

type api interface {
	ec2.DescribeInstanceTypesAPIClient
	ec2.DescribeInstanceTypeOfferingsAPIClient
}

// List is what the region sells. It never changes.
type List struct {
	// Types ascend by name.
	Types []ec2types.InstanceTypeInfo

	// Zones lists where each type is sold, by type's name.
	Zones map[string][]string

	// Revision tells Lists apart.
	Revision uint64
}

// AllZones are the zones in which anything is sold, ascending: those of the region and the Local Zones that the account
// uses.
func (l *List) AllZones() []string {
	all := map[string]bool{}
	for _, zones := range l.Zones {
		for _, zone := range zones {
			all[zone] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Store keeps the List. It is safe for use by many goroutines.
type Store struct {
	api api

	refreshing sync.Mutex // held during a refresh, so that one at a time asks AWS
	first      singleflight.Group

	mu   sync.RWMutex // guards the field below
	list *List
}

// New makes an empty Store.
func New(api api) *Store { return &Store{api: api} }

// firstWithin bounds the first listing. It takes some twenty calls in a row, longer than those who want to know may
// wait.
const firstWithin = 2 * time.Minute

// List returns what the region sells, asking AWS if it has never been asked with success. That goes on when the caller
// gives up, so that the next one finds it done.
func (s *Store) List(ctx context.Context) (*List, error) {
	if list := s.known(); list != nil {
		return list, nil
	}
	asked := s.first.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstWithin)
		defer cancel()
		s.refreshing.Lock()
		defer s.refreshing.Unlock()
		if s.known() != nil {
			return nil, nil
		}
		return nil, s.refreshLocked(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for what the region sells: %w", ctx.Err())
	case answer := <-asked:
		if answer.Err != nil {
			return nil, answer.Err
		}
		return s.known(), nil
	}
}

// Refresh asks AWS.
func (s *Store) Refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	return s.refreshLocked(ctx)
}

func (s *Store) known() *List {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list
}

// refreshLocked asks AWS. s.refreshing is held.
func (s *Store) refreshLocked(ctx context.Context) error {
	types, err := s.types(ctx)
	if err != nil {
		return err
	}
	zones, err := s.zones(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &List{Types: types, Zones: zones, Revision: 1}
	if s.list != nil {
		next.Revision = s.list.Revision + 1
	}
	s.list = next
	return nil
}

func (s *Store) types(ctx context.Context) ([]ec2types.InstanceTypeInfo, error) {
	var out []ec2types.InstanceTypeInfo
	pages := ec2.NewDescribeInstanceTypesPaginator(s.api, &ec2.DescribeInstanceTypesInput{
		Filters: []ec2types.Filter{
			selector.One("supported-virtualization-type", "hvm"),
			selector.One("processor-info.supported-architecture", "x86_64", "arm64"),
		},
		MaxResults: awssdk.Int32(typesPage),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing instance types: %w", err)
		}
		out = append(out, page.InstanceTypes...)
	}
	if len(out) == 0 {
		return nil, errors.New("describing instance types: the answer is empty")
	}
	slices.SortFunc(
		out,
		func(a, b ec2types.InstanceTypeInfo) int { return cmp.Compare(a.InstanceType, b.InstanceType) },
	)
	return out, nil
}

func (s *Store) zones(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(s.api, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: ec2types.LocationTypeAvailabilityZone,
		MaxResults:   awssdk.Int32(offeringsPage),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing where instance types are offered: %w", err)
		}
		for _, o := range page.InstanceTypeOfferings {
			name := string(o.InstanceType)
			out[name] = append(out[name], awssdk.ToString(o.Location))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("describing where instance types are offered: the answer is empty")
	}
	for _, zones := range out {
		slices.Sort(zones)
	}
	return out, nil
}
