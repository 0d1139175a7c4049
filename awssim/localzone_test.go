package awssim_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/awssim"
)

// An account that opted in to a Local Zone sees it as EC2 shows it: a zone with a parent, few types, and no spot
// market.
func TestLocalZone(t *testing.T) {
	t.Parallel()
	const boston = "us-east-1-bos-1a"
	a := newAccount(t, func(o *awssim.Options) { o.LocalZones = []string{"us-east-1-bos-1"} })
	zones := must[*ec2.DescribeAvailabilityZonesOutput](
		t,
	)(
		a.ec2.DescribeAvailabilityZones(t.Context(), &ec2.DescribeAvailabilityZonesInput{
			Filters: []ec2types.Filter{filterBy("zone-type", "local-zone")},
		}),
	).AvailabilityZones
	if len(zones) != 1 || *zones[0].ZoneName != boston || *zones[0].ZoneId != "use1-bos1-az1" ||
		*zones[0].GroupName != "us-east-1-bos-1" ||
		*zones[0].ParentZoneName != "us-east-1a" {
		t.Fatalf("Local Zones: %+v", zones)
	}
	sold := must[*ec2.DescribeInstanceTypeOfferingsOutput](
		t,
	)(
		a.ec2.DescribeInstanceTypeOfferings(t.Context(), &ec2.DescribeInstanceTypeOfferingsInput{
			LocationType: ec2types.LocationTypeAvailabilityZone,
			Filters:      []ec2types.Filter{filterBy("location", boston)},
		}),
	).InstanceTypeOfferings
	has := func(name ec2types.InstanceType) bool {
		return slices.ContainsFunc(sold, func(o ec2types.InstanceTypeOffering) bool { return o.InstanceType == name })
	}
	if !has("t3.medium") || has("m7i.large") {
		t.Errorf("Boston sells %d types; want t3.medium among them, and not m7i.large", len(sold))
	}
	if history := must[*ec2.DescribeSpotPriceHistoryOutput](
		t,
	)(
		a.ec2.DescribeSpotPriceHistory(t.Context(), &ec2.DescribeSpotPriceHistoryInput{
			AvailabilityZone: aws.String(boston),
		}),
	).SpotPriceHistory; len(
		history,
	) > 0 {
		t.Errorf("%d spot prices in Boston", len(history))
	}
	a.template(t, "lt-a")
	for spot, want := range map[bool]string{false: "", true: "Unsupported"} {
		out := a.launch(
			t,
			fleet{
				template: "lt-a",
				types:    []ec2types.InstanceType{"t3.medium"},
				zones:    []string{boston},
				count:    1,
				spot:     spot,
			},
		)
		if code := firstCode(out); code != want || (len(out.Instances) == 0) != spot {
			t.Errorf(
				"a launch in Boston, on spot %v: %d instances, error %q; want it on demand only",
				spot,
				len(out.Instances),
				code,
			)
		}
	}
	subnet := must[*ec2.DescribeSubnetsOutput](
		t,
	)(
		a.ec2.DescribeSubnets(
			t.Context(),
			&ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{filterBy("availability-zone", boston)}},
		),
	).Subnets
	if len(subnet) != 1 || *subnet[0].AvailableIpAddressCount != 122 {
		t.Errorf("subnets in Boston: %+v", subnet)
	}
}

func TestAnUnknownLocalZoneIsRefused(t *testing.T) {
	t.Parallel()
	if server, err := awssim.New(awssim.Options{LocalZones: []string{"us-west-2-lax-1"}}); err == nil {
		_ = server.Close()
		t.Error("us-east-1 has no Local Zone in Los Angeles")
	}
}

// firstCode is the code of a fleet's first error; empty without one.
func firstCode(out *ec2.CreateFleetOutput) string {
	if len(out.Errors) == 0 {
		return ""
	}
	return aws.ToString(out.Errors[0].ErrorCode)
}
