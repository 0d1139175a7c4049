package subnet

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// account answers every query with the same subnets and counts the calls.
type account struct {
	subnets []ec2types.Subnet
	asked   [][]ec2types.Filter
}

func (a *account) DescribeSubnets(
	_ context.Context,
	in *ec2.DescribeSubnetsInput,
	_ ...func(*ec2.Options),
) (*ec2.DescribeSubnetsOutput, error) {
	a.asked = append(a.asked, in.Filters)
	return &ec2.DescribeSubnetsOutput{Subnets: a.subnets}, nil
}

func one(id, zone string, free int32) ec2types.Subnet {
	return ec2types.Subnet{
		SubnetId:                &id,
		AvailabilityZone:        &zone,
		AvailabilityZoneId:      awssdk.String("id-" + zone),
		AvailableIpAddressCount: &free,
	}
}

var anyTerm = []awsv1.SubnetSelectorTerm{{Tags: map[string]string{"discovery": "*"}}}

func open(subnets ...ec2types.Subnet) (*Finder, *account, *testclock.FakeClock) {
	a, clock := &account{subnets: subnets}, testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	return New(a, clock, time.Minute), a, clock
}

func TestFindAsksOncePerKindOfTermAndRemembers(t *testing.T) {
	t.Parallel()
	f, a, clock := open(one("subnet-a", "a", 5), one("subnet-b", "b", 9))
	terms := []awsv1.SubnetSelectorTerm{
		{ID: "subnet-1"},
		{ID: "subnet-2"},
		{Tags: map[string]string{"env": "prod", "discovery": "*"}},
	}
	for range 2 {
		got, err := f.Find(t.Context(), terms)
		if err != nil || len(got) != 2 || got[0].ID != "subnet-b" {
			t.Fatalf("%v, %v; want the one with more addresses first", got, err)
		}
	}
	var asked [][]string
	for _, filters := range a.asked {
		var names []string
		for _, filter := range filters {
			names = append(names, *filter.Name+"="+filter.Values[len(filter.Values)-1])
		}
		asked = append(asked, names)
	}
	if diff := cmp.Diff(
		[][]string{{"tag-key=discovery", "tag:env=prod"}, {"subnet-id=subnet-2"}},
		asked,
	); diff != "" {
		t.Errorf("-want +asked\n%s", diff)
	}
	clock.Step(time.Minute)
	if _, err := f.Find(t.Context(), terms); err != nil || len(a.asked) != 4 {
		t.Errorf("after a minute %d calls, %v; want two more", len(a.asked), err)
	}
}

func TestByZone(t *testing.T) {
	t.Parallel()
	f, _, clock := open(one("subnet-1", "a", 100), one("subnet-2", "a", 90), one("subnet-3", "b", 0))
	all, err := f.Find(t.Context(), anyTerm)
	if err != nil {
		t.Fatal(err)
	}
	pick := func() string { return f.ByZone(all)["a"].ID }
	if _, ok := f.ByZone(all)["b"]; ok || pick() != "subnet-1" {
		t.Errorf("picked %v; want subnet-1, and nothing in b, whose subnet is full", f.ByZone(all))
	}
	f.Take("subnet-1", 29)
	if pick() != "subnet-2" {
		t.Error("a launch in flight takes 29 of 100 addresses, which leaves less than 90")
	}
	clock.Step(inFlightFor)
	if pick() != "subnet-1" {
		t.Error("after five minutes EC2's own figure counts again")
	}
	f.RanOut("subnet-1")
	if pick() != "subnet-2" {
		t.Error("EC2 says that subnet-1 is full, whatever its figure says")
	}
	clock.Step(fullFor)
	if pick() != "subnet-1" {
		t.Error("after three minutes subnet-1 is worth another try")
	}
}
