// Package securitygroup finds the security groups that an EC2NodeClass selects.
package securitygroup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

// pageSize is what DescribeSecurityGroups is asked for at once; AWS allows 5 to 1000.
const pageSize = 500

type api interface {
	DescribeSecurityGroups(
		context.Context,
		*ec2.DescribeSecurityGroupsInput,
		...func(*ec2.Options),
	) (*ec2.DescribeSecurityGroupsOutput, error)
}

// Finder finds security groups. It is safe for use by many goroutines.
type Finder struct {
	api   api
	found *kept.Answers[string, []awsv1.SecurityGroup]
}

// New makes a Finder that uses AWS's answers for so long.
func New(api api, clock clock.PassiveClock, keep time.Duration) *Finder {
	return &Finder{api: api, found: kept.New[string, []awsv1.SecurityGroup](clock, keep)}
}

// Find lists the security groups that one of the terms matches, ascending by ID.
func (f *Finder) Find(ctx context.Context, terms []awsv1.SecurityGroupSelectorTerm) ([]awsv1.SecurityGroup, error) {
	groups, err := f.found.Get(selector.Key(terms), func() ([]awsv1.SecurityGroup, error) {
		byID := map[string]awsv1.SecurityGroup{}
		for _, filters := range filterSets(terms) {
			if err := f.describe(ctx, filters, byID); err != nil {
				return nil, err
			}
		}
		return slices.SortedFunc(
			maps.Values(byID),
			func(a, b awsv1.SecurityGroup) int { return cmp.Compare(a.ID, b.ID) },
		), nil
	})
	return slices.Clone(groups), err
}

func (f *Finder) describe(ctx context.Context, filters []ec2types.Filter, into map[string]awsv1.SecurityGroup) error {
	pages := ec2.NewDescribeSecurityGroupsPaginator(
		f.api,
		&ec2.DescribeSecurityGroupsInput{Filters: filters, MaxResults: awssdk.Int32(pageSize)},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("describing security groups: %w", err)
		}
		for _, g := range page.SecurityGroups {
			into[awssdk.ToString(g.GroupId)] = awsv1.SecurityGroup{
				ID:   awssdk.ToString(g.GroupId),
				Name: awssdk.ToString(g.GroupName),
			}
		}
	}
	return nil
}

// filterSets are the queries whose results together are the answer: one for all IDs, one for
// all names, one for each term with tags.
func filterSets(terms []awsv1.SecurityGroupSelectorTerm) [][]ec2types.Filter {
	var sets [][]ec2types.Filter
	var ids, names []string
	for _, term := range terms {
		switch {
		case term.ID != "":
			ids = append(ids, term.ID)
		case term.Name != "":
			names = append(names, term.Name)
		default:
			sets = append(sets, selector.Tags(term.Tags))
		}
	}
	if len(ids) > 0 {
		sets = append(sets, []ec2types.Filter{selector.One("group-id", ids...)})
	}
	if len(names) > 0 {
		sets = append(sets, []ec2types.Filter{selector.One("group-name", names...)})
	}
	return sets
}
