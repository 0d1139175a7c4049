package securitygroup

import (
	"context"
	"errors"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// region answers each query in two pages, and notes what was asked.
type region struct {
	asked []string
	err   error
}

func (r *region) DescribeSecurityGroups(
	_ context.Context, in *ec2.DescribeSecurityGroupsInput, _ ...func(*ec2.Options),
) (*ec2.DescribeSecurityGroupsOutput, error) {
	if r.err != nil {
		return nil, r.err
	}
	query := awssdk.ToString(in.Filters[0].Name)
	for _, v := range in.Filters[0].Values {
		query += " " + v
	}
	if in.NextToken != nil {
		return page("sg-2", "two", nil), nil
	}
	r.asked = append(r.asked, query)
	return page("sg-9", "nine", awssdk.String("more")), nil
}

func page(id, name string, next *string) *ec2.DescribeSecurityGroupsOutput {
	return &ec2.DescribeSecurityGroupsOutput{
		SecurityGroups: []ec2types.SecurityGroup{{GroupId: &id, GroupName: &name}}, NextToken: next,
	}
}

// All terms together are few queries, every page of each counts, and a group that several find is listed once.
func TestTermsAreAskedForTogether(t *testing.T) {
	t.Parallel()
	r, clock := &region{}, testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	f := New(r, clock, time.Minute)
	terms := []awsv1.SecurityGroupSelectorTerm{
		{ID: "sg-2"}, {Name: "web"}, {ID: "sg-9"}, {Tags: map[string]string{"team": "a"}}, {Name: "db"},
	}
	want := []awsv1.SecurityGroup{{ID: "sg-2", Name: "two"}, {ID: "sg-9", Name: "nine"}}
	find := func() {
		t.Helper()
		got, err := f.Find(t.Context(), terms)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		got[0].ID = "changed by who asked"
	}
	find()
	find()
	queries := []string{"tag:team a", "group-id sg-2 sg-9", "group-name web db"}
	if diff := cmp.Diff(queries, r.asked); diff != "" {
		t.Errorf("within a minute: -want +asked\n%s", diff)
	}
	clock.Step(time.Minute)
	find()
	if len(r.asked) != 2*len(queries) {
		t.Errorf("after a minute %d queries in all, want %d", len(r.asked), 2*len(queries))
	}
}

// A failure is told and not remembered.
func TestAFailureIsNotRemembered(t *testing.T) {
	t.Parallel()
	r := &region{err: errors.New("throttled")}
	f := New(r, testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)), time.Minute)
	terms := []awsv1.SecurityGroupSelectorTerm{{ID: "sg-2"}}
	if _, err := f.Find(t.Context(), terms); !errors.Is(err, r.err) {
		t.Errorf("got %v", err)
	}
	r.err = nil
	if got, err := f.Find(t.Context(), terms); err != nil || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}
