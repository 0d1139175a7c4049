package awssim_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim"
)

// launched counts a fleet's instances by type and zone.
func launched(out *ec2.CreateFleetOutput) map[string]int {
	got := map[string]int{}
	for _, group := range out.Instances {
		zone := aws.ToString(group.LaunchTemplateAndOverrides.Overrides.AvailabilityZone)
		got[string(group.InstanceType)+" "+zone] += len(group.InstanceIds)
	}
	return got
}

func TestFleetOptions(t *testing.T) {
	t.Parallel()
	two := []ec2types.InstanceType{"m5.large", "c5.large"} // c5.large is cheaper
	zones := []string{"us-east-1a", "us-east-1b"}
	cases := map[string]struct {
		why    string
		fleet  fleet
		change func(*ec2.CreateFleetInput)
		few    map[string]int // what pools have left, by type and zone
		want   map[string]int
		code   string // of the call
	}{
		"MinimumReached": {
			"A fleet may fall short of its target, not of its minimum.",
			fleet{types: two[:1], zones: zones[:1], count: 4},
			func(in *ec2.CreateFleetInput) {
				in.OnDemandOptions.MinTargetCapacity, in.OnDemandOptions.SingleInstanceType = aws.Int32(
					2,
				), aws.Bool(
					true,
				)
			},
			map[string]int{"m5.large us-east-1a": 3}, map[string]int{"m5.large us-east-1a": 3}, "",
		},
		"MinimumMissed": {
			"Below its minimum a fleet launches nothing.",
			fleet{types: two[:1], zones: zones[:1], count: 4},
			func(in *ec2.CreateFleetInput) {
				in.OnDemandOptions.MinTargetCapacity, in.OnDemandOptions.SingleInstanceType = aws.Int32(
					4,
				), aws.Bool(
					true,
				)
			},
			map[string]int{"m5.large us-east-1a": 3}, map[string]int{}, "",
		},
		"MinimumAlone": {
			"A minimum is for fleets of one type or zone.",
			fleet{types: two, zones: zones, count: 4},
			func(in *ec2.CreateFleetInput) { in.OnDemandOptions.MinTargetCapacity = aws.Int32(4) },
			nil, nil, "InvalidFleetConfig",
		},
		"SingleType": {
			"The cheapest type that gives anything is the only one.",
			fleet{types: two, zones: zones, count: 4},
			func(in *ec2.CreateFleetInput) { in.OnDemandOptions.SingleInstanceType = aws.Bool(true) },
			map[string]int{"c5.large us-east-1a": 1, "c5.large us-east-1b": 1},
			map[string]int{"c5.large us-east-1a": 1, "c5.large us-east-1b": 1}, "",
		},
		"SingleZone": {
			"With a minimum, a zone that can not reach it is passed over.",
			fleet{types: two, zones: zones, count: 4},
			func(in *ec2.CreateFleetInput) {
				in.OnDemandOptions.SingleAvailabilityZone, in.OnDemandOptions.MinTargetCapacity = aws.Bool(
					true,
				), aws.Int32(
					4,
				)
			},
			map[string]int{"c5.large us-east-1a": 1, "m5.large us-east-1a": 1},
			map[string]int{"c5.large us-east-1b": 4}, "",
		},
		"Weights": {
			"Capacity counts in units, and price for each of them.",
			fleet{types: two, zones: zones[:1], count: 4},
			func(in *ec2.CreateFleetInput) {
				in.LaunchTemplateConfigs[0].Overrides[0].WeightedCapacity = aws.Float64(2)
			},
			nil, map[string]int{"m5.large us-east-1a": 2}, "",
		},
		"MaxTotalPrice": {
			"A fleet stops where its price would.",
			fleet{types: two[1:], zones: zones[:1], count: 4},
			func(in *ec2.CreateFleetInput) { in.OnDemandOptions.MaxTotalPrice = aws.String("0.2") }, // 0.085 each
			nil, map[string]int{"c5.large us-east-1a": 2}, "",
		},
		"Diversified": {
			"Spot instances spread over all pools.",
			fleet{types: two, zones: zones, count: 4, spot: true, strategy: "diversified"},
			nil,
			nil,
			map[string]int{
				"c5.large us-east-1a": 1,
				"c5.large us-east-1b": 1,
				"m5.large us-east-1a": 1,
				"m5.large us-east-1b": 1,
			},
			"",
		},
		"MaxPrice": {
			"A pool that costs more than its override allows gives nothing.",
			fleet{types: two[:1], zones: zones[:1], count: 1, spot: true},
			func(in *ec2.CreateFleetInput) {
				in.LaunchTemplateConfigs[0].Overrides[0].MaxPrice = aws.String("0.001")
			},
			nil, map[string]int{}, "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := impatient(newAccount(t))
			a.template(t, "lt-a")
			for pool, left := range tc.few {
				kind, zone, _ := strings.Cut(pool, " ")
				if err := a.SetCapacity(
					awssim.Capacity{Type: kind, Zone: zone, Capacity: "on-demand", Available: &left},
				); err != nil {
					t.Fatal(err)
				}
			}
			tc.fleet.template = "lt-a"
			in := a.input(t, tc.fleet)
			if tc.change != nil {
				tc.change(in)
			}
			out, err := a.ec2.CreateFleet(t.Context(), in)
			if tc.code != "" {
				wantCode(t, err, tc.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, launched(out)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
			total := 0
			for _, n := range tc.want {
				total += n
			}
			if got := len(a.Status().Instances); got != total {
				t.Errorf("%d instances exist, want the %d that were answered", got, total)
			}
		})
	}
}

func TestLimitsOfWhatFleetsAreMadeFrom(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	a.template(t, "lt-a")
	tags := func(n int) []ec2types.Tag {
		out := []ec2types.Tag{{Key: aws.String("first"), Value: aws.String("x")}}
		for len(out) < n {
			out = append(
				out,
				ec2types.Tag{Key: aws.String("tag-" + strings.Repeat("x", len(out))), Value: aws.String("x")},
			)
		}
		return out
	}
	tagged := func(tags []ec2types.Tag) func(*ec2.CreateFleetInput) {
		return func(in *ec2.CreateFleetInput) {
			in.TagSpecifications = []ec2types.TagSpecification{
				{ResourceType: ec2types.ResourceTypeInstance, Tags: tags},
			}
		}
	}
	many := func(n int) func(*ec2.CreateFleetInput) {
		return func(in *ec2.CreateFleetInput) {
			for len(in.LaunchTemplateConfigs) < n {
				in.LaunchTemplateConfigs = append(in.LaunchTemplateConfigs, in.LaunchTemplateConfigs[0])
			}
		}
	}
	for name, tc := range map[string]struct {
		change func(*ec2.CreateFleetInput)
		code   string
	}{
		"FiftyTags":        {tagged(tags(50)), "DryRunOperation"},
		"TooManyTags":      {tagged(tags(51)), "TagLimitExceeded"},
		"ReservedTag":      {tagged([]ec2types.Tag{{Key: aws.String("aws:mine"), Value: aws.String("x")}}), "InvalidParameterValue"},
		"TagTwice":         {tagged(append(tags(1), tags(1)...)), "InvalidParameterValue"},
		"FiftyTemplates":   {many(50), "DryRunOperation"},
		"TooManyTemplates": {many(51), "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			in := a.input(
				t,
				fleet{
					template: "lt-a",
					types:    []ec2types.InstanceType{"m5.large"},
					zones:    []string{"us-east-1a"},
					count:    1,
				},
			)
			in.DryRun = aws.Bool(true)
			tc.change(in)
			_, err := a.ec2.CreateFleet(t.Context(), in)
			wantCode(t, err, tc.code)
		})
	}
	_, err := a.ec2.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String(
			"lt-b",
		),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{KeyName: aws.String("k")},
		TagSpecifications: []ec2types.TagSpecification{
			{ResourceType: ec2types.ResourceTypeLaunchTemplate, Tags: tags(51)},
		},
	})
	wantCode(t, err, "TagLimitExceeded")
}
