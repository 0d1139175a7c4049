// Package subnet finds the subnets that an EC2NodeClass selects, and says which of them a
// machine should go to.
//
// Answers of AWS are kept for a while, by what was asked. Addresses that launches in flight
// are about to take are counted here, since AWS reports them late.
package subnet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

// pageSize is what DescribeSubnets is asked for at once; AWS allows 5 to 1000.
const pageSize = 500

// inFlightFor is how long a launch's addresses are counted against its subnet. AWS's figure
// is older than a launch for at most this long.
const inFlightFor = 5 * time.Minute

// knownFor is how long plans are made with what AWS said of the subnets while it does not answer.
const knownFor = time.Hour

// fullFor is how long a subnet that EC2 found full is left alone.
const fullFor = 3 * time.Minute

// Subnet is one that can be launched into.
type Subnet struct {
	ID, Zone, ZoneID, VPC string

	// Free is how many addresses AWS last reported free.
	Free int32
}

type api interface {
	DescribeSubnets(
		context.Context,
		*ec2.DescribeSubnetsInput,
		...func(*ec2.Options),
	) (*ec2.DescribeSubnetsOutput, error)
}

// Finder finds subnets. It is safe for use by many goroutines.
type Finder struct {
	api   api
	clock clock.PassiveClock
	found *kept.Answers[string, []Subnet]
	known *kept.Answers[string, []Subnet] // the same, for longer

	mu     sync.Mutex           // guards the fields below
	taking map[string][]taken   // by subnet, in order of time
	full   map[string]time.Time // when EC2 found no free address
}

type taken struct {
	at    time.Time
	count int32
}

// New makes a Finder that asks AWS again after keep.
func New(api api, clock clock.PassiveClock, keep time.Duration) *Finder {
	return &Finder{
		api:    api,
		clock:  clock,
		found:  kept.New[string, []Subnet](clock, keep),
		known:  kept.New[string, []Subnet](clock, knownFor),
		taking: map[string][]taken{},
		full:   map[string]time.Time{},
	}
}

// Find lists the subnets that one of the terms matches, the one with the most free addresses
// first, then by ID.
func (f *Finder) Find(ctx context.Context, terms []awsv1.SubnetSelectorTerm) ([]Subnet, error) {
	subnets, err := f.found.Get(selector.Key(terms), func() ([]Subnet, error) {
		byID := map[string]Subnet{}
		for _, filters := range filterSets(terms) {
			if err := f.describe(ctx, filters, byID); err != nil {
				return nil, err
			}
		}
		return slices.SortedFunc(maps.Values(byID), func(a, b Subnet) int {
			return cmp.Or(cmp.Compare(b.Free, a.Free), cmp.Compare(a.ID, b.ID))
		}), nil
	})
	if err != nil {
		return nil, err
	}
	f.known.Put(selector.Key(terms), subnets)
	return slices.Clone(subnets), nil
}

// Known is what Find last found, without asking AWS. It is false if that is long ago.
func (f *Finder) Known(terms []awsv1.SubnetSelectorTerm) ([]Subnet, bool) {
	subnets, ok := f.known.Peek(selector.Key(terms))
	return slices.Clone(subnets), ok
}

func (f *Finder) describe(ctx context.Context, filters []ec2types.Filter, into map[string]Subnet) error {
	pages := ec2.NewDescribeSubnetsPaginator(
		f.api,
		&ec2.DescribeSubnetsInput{Filters: filters, MaxResults: awssdk.Int32(pageSize)},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("describing subnets: %w", err)
		}
		for _, s := range page.Subnets {
			into[awssdk.ToString(s.SubnetId)] = Subnet{
				ID:     awssdk.ToString(s.SubnetId),
				Zone:   awssdk.ToString(s.AvailabilityZone),
				ZoneID: awssdk.ToString(s.AvailabilityZoneId),
				VPC:    awssdk.ToString(s.VpcId),
				Free:   awssdk.ToInt32(s.AvailableIpAddressCount),
			}
		}
	}
	return nil
}

// ByZone picks for each zone the subnet with the most addresses left after launches in
// flight. Subnets without a free address, and those that EC2 found full a moment ago, are
// not picked.
func (f *Finder) ByZone(subnets []Subnet) map[string]Subnet {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := func(s Subnet) int32 { return s.Free - f.takingLocked(s.ID) }
	best := map[string]Subnet{}
	for _, s := range subnets {
		if full, ok := f.full[s.ID]; s.Free <= 0 || ok && f.clock.Since(full) < fullFor {
			continue
		}
		old, ok := best[s.Zone]
		if !ok || cmp.Or(cmp.Compare(left(s), left(old)), cmp.Compare(old.ID, s.ID)) > 0 {
			best[s.Zone] = s
		}
	}
	return best
}

// Take counts addresses that a launch is about to use.
func (f *Finder) Take(id string, count int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taking[id] = append(f.taking[id], taken{f.clock.Now(), count})
}

// RanOut notes that EC2 found no free address in the subnet.
func (f *Finder) RanOut(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full[id] = f.clock.Now()
}

// takingLocked is how many addresses of a subnet are spoken for. f.mu is held.
func (f *Finder) takingLocked(id string) int32 {
	recent := slices.DeleteFunc(f.taking[id], func(t taken) bool { return f.clock.Since(t.at) >= inFlightFor })
	if len(recent) == 0 {
		delete(f.taking, id)
		return 0
	}
	f.taking[id] = recent
	var sum int32
	for _, t := range recent {
		sum += t.count
	}
	return sum
}

// filterSets are the queries whose results together are the answer: one for all IDs, one for
// each term with tags.
func filterSets(terms []awsv1.SubnetSelectorTerm) [][]ec2types.Filter {
	var sets [][]ec2types.Filter
	var ids []string
	for _, term := range terms {
		if term.ID != "" {
			ids = append(ids, term.ID)
			continue
		}
		sets = append(sets, selector.Tags(term.Tags))
	}
	if len(ids) > 0 {
		sets = append(sets, []ec2types.Filter{selector.One("subnet-id", ids...)})
	}
	return sets
}
