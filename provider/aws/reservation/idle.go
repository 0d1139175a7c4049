package reservation

import (
	"cmp"
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

// Idle is an active reservation of the account with room left, whether anybody selects it or not.
type Idle struct {
	awsv1.CapacityReservation
	Left int32 // instances that it still takes, as EC2 counts them; at least 1
}

// RefreshIdle asks EC2 for all active reservations of the account, once. After an error the last answer stays.
func (f *Finder) RefreshIdle(ctx context.Context) error {
	all := map[string]ec2types.CapacityReservation{}
	in := &ec2.DescribeCapacityReservationsInput{
		Filters:    []ec2types.Filter{selector.One("state", "active")},
		MaxResults: awssdk.Int32(pageSize),
	}
	if err := f.describe(ctx, in, all); err != nil {
		return err
	}
	var idle []Idle
	for _, r := range all {
		if left := awssdk.ToInt32(r.AvailableInstanceCount); left > 0 {
			idle = append(idle, Idle{read(r), left})
		}
	}
	slices.SortFunc(idle, func(a, b Idle) int { return cmp.Compare(a.ID, b.ID) })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = idle
	return nil
}

// Idle is what the last RefreshIdle found, ascending by ID. It must not be changed.
func (f *Finder) Idle() []Idle {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.idle
}
