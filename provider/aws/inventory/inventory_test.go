package inventory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// slow answers each call after a second, in pages of one.
type slow struct{ calls int }

func (s *slow) DescribeInstanceTypes(
	ctx context.Context,
	in *ec2.DescribeInstanceTypesInput,
	_ ...func(*ec2.Options),
) (*ec2.DescribeInstanceTypesOutput, error) {
	s.calls++
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
	}
	out := &ec2.DescribeInstanceTypesOutput{
		InstanceTypes: []ec2types.InstanceTypeInfo{
			{InstanceType: ec2types.InstanceType("m" + awssdk.ToString(in.NextToken))},
		},
	}
	if len(awssdk.ToString(in.NextToken)) < 14 {
		out.NextToken = awssdk.String(awssdk.ToString(in.NextToken) + "x")
	}
	return out, nil
}

func (s *slow) DescribeInstanceTypeOfferings(
	context.Context,
	*ec2.DescribeInstanceTypeOfferingsInput,
	...func(*ec2.Options),
) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	return &ec2.DescribeInstanceTypeOfferingsOutput{
		InstanceTypeOfferings: []ec2types.InstanceTypeOffering{{InstanceType: "m", Location: awssdk.String("a")}},
	}, nil
}

// Plans wait ten seconds for what the region sells. Where the list takes longer it must not begin anew each time.
func TestTheFirstListingOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &slow{}
		s := New(api)
		ask := func() (*List, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			return s.List(ctx)
		}
		if _, err := ask(); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v after 10 s, want that the deadline has passed", err)
		}
		sold, err := ask()
		if err != nil || len(sold.Types) != 15 {
			t.Fatalf("got %v, %v the second time", sold, err)
		}
		if api.calls != 15 {
			t.Errorf("%d calls, want 15", api.calls)
		}
	})
}
