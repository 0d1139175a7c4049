// Package placement finds the placement group that an EC2NodeClass selects.
//
// Answers are kept for a minute, and for a day when EC2 fails meanwhile: groups hardly ever change, and to launch
// outside of the group that a user chose is never right.
package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

const (
	keep      = time.Minute
	keepStale = 24 * time.Hour
)

// Group is a placement group that can be launched into.
type Group struct {
	ID, Name string
	Strategy ec2types.PlacementStrategy

	// Partitions is how many there are, 1 to 7; 0 with other strategies than partition.
	Partitions int
}

// ErrNotFound means that no available group matches.
var ErrNotFound = errors.New("no placement group")

type api interface {
	DescribePlacementGroups(
		context.Context,
		*ec2.DescribePlacementGroupsInput,
		...func(*ec2.Options),
	) (*ec2.DescribePlacementGroupsOutput, error)
}

// Finder finds groups. It is safe for use by many goroutines.
type Finder struct {
	api   api
	fresh *kept.Answers[string, Group]
	stale *kept.Answers[string, Group]
}

// New makes a Finder.
func New(api api, clock clock.PassiveClock) *Finder {
	return &Finder{
		api:   api,
		fresh: kept.New[string, Group](clock, keep),
		stale: kept.New[string, Group](clock, keepStale),
	}
}

// Find looks a group up. The zero Group is for a nil selector; ErrNotFound if there is none.
func (f *Finder) Find(ctx context.Context, s *awsv1.PlacementGroupSelector) (Group, error) {
	if s == nil {
		return Group{}, nil
	}
	key := selector.Key(s)
	group, err := f.fresh.Get(key, func() (Group, error) { return f.describe(ctx, s) })
	switch {
	case err == nil:
		f.stale.Put(key, group)
		return group, nil
	case errors.Is(err, ErrNotFound):
		f.stale.Forget(key)
		return Group{}, err
	}
	if old, ok := f.stale.Peek(key); ok {
		return old, nil
	}
	return Group{}, err
}

// Known is the group as it was last found, without asking. The zero Group is for a nil selector, and false says that
// the group has not been found.
func (f *Finder) Known(s *awsv1.PlacementGroupSelector) (Group, bool) {
	if s == nil {
		return Group{}, true
	}
	return f.stale.Peek(selector.Key(s))
}

func (f *Finder) describe(ctx context.Context, s *awsv1.PlacementGroupSelector) (Group, error) {
	in := &ec2.DescribePlacementGroupsInput{
		Filters: []ec2types.Filter{selector.One("state", string(ec2types.PlacementGroupStateAvailable))},
	}
	if s.ID != nil {
		in.GroupIds = []string{*s.ID}
	} else {
		in.GroupNames = []string{awssdk.ToString(s.Name)}
	}
	out, err := f.api.DescribePlacementGroups(ctx, in)
	if awserror.IsNotFound(err) {
		return Group{}, ErrNotFound
	}
	if err != nil {
		return Group{}, fmt.Errorf("describing placement groups: %w", err)
	}
	if len(out.PlacementGroups) == 0 {
		return Group{}, ErrNotFound
	}
	found := out.PlacementGroups[0]
	return Group{
		ID: awssdk.ToString(found.GroupId), Name: awssdk.ToString(found.GroupName), Strategy: found.Strategy,
		Partitions: int(awssdk.ToInt32(found.PartitionCount)),
	}, nil
}

// Takes reports whether instances of a type can be in the group.
func (g Group) Takes(info ec2types.InstanceTypeInfo) bool {
	if g.ID == "" {
		return true
	}
	return info.PlacementGroupInfo != nil &&
		slices.Contains(info.PlacementGroupInfo.SupportedStrategies, ec2types.PlacementGroupStrategy(g.Strategy))
}

// Labels are the sets of labels that nodes in the group have: one, or one for each partition.
func (g Group) Labels() []map[string]string {
	if g.ID == "" {
		return []map[string]string{nil}
	}
	if g.Strategy != ec2types.PlacementStrategyPartition {
		return []map[string]string{{awsv1.LabelPlacementGroupID: g.ID}}
	}
	out := make([]map[string]string, g.Partitions)
	for i := range out {
		out[i] = map[string]string{
			awsv1.LabelPlacementGroupID:        g.ID,
			awsv1.LabelPlacementGroupPartition: strconv.Itoa(i + 1),
		}
	}
	return out
}
