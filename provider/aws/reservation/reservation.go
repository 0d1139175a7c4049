// Package reservation finds the capacity reservations that an EC2NodeClass selects, and
// counts how much is left in each.
//
// EC2's own count is asked for once a minute and lags behind launches, so launches are
// counted here in between, and the places of machines that were ended here and are gone.
// A reservation that takes nothing although EC2 counts some as left is believed full for
// a while, and longer each time; then one launch tries it.
package reservation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

const (
	// pageSize is what DescribeCapacityReservations is asked for at once; AWS's upper limit.
	pageSize = 1000
	// keep is how long EC2's answer is used.
	keep = time.Minute
	// expiringBefore is how long before the end of a capacity block its instances are taken.
	expiringBefore = 40 * time.Minute
	// windowsPlatform is how EC2's names of platforms with Windows begin.
	windowsPlatform = "Windows"

	// firstRest is how long a reservation that EC2 found full is believed to be, whatever EC2 counts; as long as its
	// count may be old. Each time that it is found full again the rest doubles, up to longestRest.
	firstRest   = keep
	longestRest = 24 * time.Minute
	// forgiveAfter is how long after a rest the next one counts as the first.
	forgiveAfter = 30 * time.Minute
	// refusedFor is how long a reservation that EC2 did not launch into, for a reason other than that it is full, is
	// not tried again. Karpenter's figure.
	refusedFor = 3 * time.Minute
)

// Finder finds reservations. It is safe for use by many goroutines.
type Finder struct {
	api   ec2.DescribeCapacityReservationsAPIClient
	clock clock.PassiveClock
	found *kept.Answers[string, []awsv1.CapacityReservation]

	mu       sync.Mutex           // guards the fields below
	left     map[string]int32     // by ID
	own      map[string]bool      // by ID: of dedicated machines; never changes for one ID
	windows  map[string]bool      // by ID: of machines with Windows; never changes either
	rests    map[string]rest      // by ID: of those that EC2 found full, until a launch goes well
	refused  map[string]time.Time // by ID: until when those rest that EC2 did not launch into, full or not
	idle     []Idle
	revision uint64 // +1 on every change of left or refused
}

// rest is how long a reservation is believed full.
type rest struct {
	until  time.Time
	length time.Duration
}

// New makes a Finder.
func New(api ec2.DescribeCapacityReservationsAPIClient, clock clock.PassiveClock) *Finder {
	return &Finder{
		api:     api,
		clock:   clock,
		found:   kept.New[string, []awsv1.CapacityReservation](clock, keep),
		left:    map[string]int32{},
		own:     map[string]bool{},
		windows: map[string]bool{},
		rests:   map[string]rest{},
		refused: map[string]time.Time{},
	}
}

// Find lists the active reservations that one of the terms matches, ascending by ID.
func (f *Finder) Find(
	ctx context.Context,
	terms []awsv1.CapacityReservationSelectorTerm,
) ([]awsv1.CapacityReservation, error) {
	if len(terms) == 0 {
		return nil, nil
	}
	found, err := f.found.Get(selector.Key(terms), func() ([]awsv1.CapacityReservation, error) {
		byID := map[string]ec2types.CapacityReservation{}
		for _, in := range queries(terms) {
			if err := f.describe(ctx, in, byID); err != nil {
				return nil, err
			}
		}
		f.count(byID)
		out := make([]awsv1.CapacityReservation, 0, len(byID))
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			out = append(out, read(byID[id]))
		}
		return out, nil
	})
	return WithState(found, f.clock.Now()), err
}

// WithState are reservations with the state that each has at a time: capacity blocks are about to end, or active.
func WithState(found []awsv1.CapacityReservation, now time.Time) []awsv1.CapacityReservation {
	out := slices.Clone(found)
	for i := range out {
		out[i].State = awsv1.CapacityReservationStateActive
		if out[i].ReservationType == awsv1.CapacityReservationTypeCapacityBlock && out[i].EndTime != nil &&
			!now.Before(out[i].EndTime.Add(-expiringBefore)) {
			out[i].State = awsv1.CapacityReservationStateExpiring
		}
	}
	return out
}

func (f *Finder) describe(
	ctx context.Context,
	in *ec2.DescribeCapacityReservationsInput,
	into map[string]ec2types.CapacityReservation,
) error {
	pages := ec2.NewDescribeCapacityReservationsPaginator(f.api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awserror.IsNotFound(err) {
			return nil // an ID that is gone selects nothing
		}
		if err != nil {
			return fmt.Errorf("describing capacity reservations: %w", err)
		}
		for _, r := range page.CapacityReservations {
			if r.State == ec2types.CapacityReservationStateActive {
				into[awssdk.ToString(r.CapacityReservationId)] = r
			}
		}
	}
	return nil
}

// queries are the calls whose results together are the answer: one for each ID, since one
// that is gone fails its call, and one for each other term.
func queries(terms []awsv1.CapacityReservationSelectorTerm) []*ec2.DescribeCapacityReservationsInput {
	var out []*ec2.DescribeCapacityReservationsInput
	for _, term := range terms {
		filters := []ec2types.Filter{selector.One("state", "active")}
		if term.ID != "" {
			out = append(
				out,
				&ec2.DescribeCapacityReservationsInput{CapacityReservationIds: []string{term.ID}, Filters: filters},
			)
			continue
		}
		filters = append(filters, selector.Tags(term.Tags)...)
		if term.OwnerID != "" {
			filters = append(filters, selector.One("owner-id", term.OwnerID))
		}
		if term.InstanceMatchCriteria != "" {
			filters = append(filters, selector.One("instance-match-criteria", term.InstanceMatchCriteria))
		}
		out = append(
			out,
			&ec2.DescribeCapacityReservationsInput{Filters: filters, MaxResults: awssdk.Int32(pageSize)},
		)
	}
	return out
}

func read(r ec2types.CapacityReservation) awsv1.CapacityReservation {
	out := awsv1.CapacityReservation{
		ID:                    awssdk.ToString(r.CapacityReservationId),
		AvailabilityZone:      awssdk.ToString(r.AvailabilityZone),
		InstanceType:          awssdk.ToString(r.InstanceType),
		InstanceMatchCriteria: string(r.InstanceMatchCriteria),
		OwnerID:               awssdk.ToString(r.OwnerId),
		ReservationType: awsv1.CapacityReservationType(
			cmp.Or(string(r.ReservationType), string(awsv1.CapacityReservationTypeDefault)),
		),
		Interruptible: awssdk.ToBool(r.Interruptible),
	}
	if r.EndDate != nil {
		out.EndTime = &metav1.Time{Time: *r.EndDate}
	}
	return out
}

// count takes over what EC2 says is left.
func (f *Finder) count(found map[string]ec2types.CapacityReservation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, r := range found {
		f.windows[id] = strings.HasPrefix(string(r.InstancePlatform), windowsPlatform)
		f.own[id] = r.Tenancy == ec2types.CapacityReservationTenancyDedicated
		f.setLocked(id, f.believedLocked(id, awssdk.ToInt32(r.AvailableInstanceCount)))
	}
}

// believedLocked is what of EC2's count is believed: nothing while the reservation rests, and then one to try it with
// until a launch has gone well. Once EC2 counts none itself its word is good again. f.mu is held.
func (f *Finder) believedLocked(id string, counted int32) int32 {
	r, ok := f.rests[id]
	now := f.clock.Now()
	switch {
	case !ok:
		return counted
	case counted <= 0, !now.Before(r.until.Add(forgiveAfter)):
		delete(f.rests, id)
		return counted
	case now.Before(r.until):
		return 0
	}
	return min(counted, 1)
}

// setLocked sets what is left. f.mu is held.
func (f *Finder) setLocked(id string, left int32) {
	if old, ok := f.left[id]; !ok || old != left {
		f.left[id] = left
		f.revision++
	}
}

// Left is how many instances a reservation still takes.
func (f *Finder) Left(id string) int32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left[id]
}

// Usable reports whether EC2 launches into a reservation as far as is known. How many it still takes is another matter:
// see Left.
func (f *Finder) Usable(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.clock.Now().Before(f.refused[id])
}

// Refused notes that EC2 did not launch into a reservation for another reason than that it is full, or takes its
// machines back. Others of the same type and zone are as good as before.
func (f *Finder) Refused(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[id] = f.clock.Now().Add(refusedFor)
	f.revision++
}

// Own reports whether a reservation is of dedicated machines. Only those can be launched into it, and into no other.
func (f *Finder) Own(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.own[id]
}

// Windows reports whether a reservation is of machines with Windows. It takes no others.
func (f *Finder) Windows(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.windows[id]
}

// Launched counts an instance that a reservation has just taken.
func (f *Finder) Launched(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.rests, id)
	delete(f.refused, id)
	f.setLocked(id, max(f.left[id]-1, 0))
}

// Released notes that an instance of a reservation, which was ended here, is gone. At least its place is free,
// whatever EC2 counted before: whoever waits for it need not wait for the next count.
func (f *Finder) Released(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left, known := f.left[id]; known {
		f.setLocked(id, max(left, 1))
	}
}

// Exhausted notes that EC2 found a reservation full, whatever was counted.
func (f *Finder) Exhausted(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	next := rest{length: firstRest}
	if old, ok := f.rests[id]; ok {
		next.length = old.length
		if !now.Before(old.until) {
			next.length = min(2*old.length, longestRest)
		}
	}
	next.until = now.Add(next.length)
	f.rests[id] = next
	f.setLocked(id, 0)
}

// Revision changes whenever an answer of Left or Usable may have.
func (f *Finder) Revision() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgiveLocked()
	return f.revision
}

// forgiveLocked drops refusals whose time is over. f.mu is held.
func (f *Finder) forgiveLocked() {
	now := f.clock.Now()
	before := len(f.refused)
	maps.DeleteFunc(f.refused, func(_ string, until time.Time) bool { return !now.Before(until) })
	if len(f.refused) != before {
		f.revision++
	}
}
