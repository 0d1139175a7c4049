package launchtemplate

import (
	"encoding/base64"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/apimachinery/pkg/api/resource"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

func sample(change ...func(*Content)) Content {
	c := Content{
		ImageID: "ami-1", InstanceProfile: "profile", SecurityGroups: []string{"sg-1", "sg-2"}, UserData: "hello",
		BlockDevices: DefaultBlockDevices(awsv1.AMIFamilyBottlerocket), Tags: map[string]string{"team": "red"},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func TestNameFollowsFromContent(t *testing.T) {
	t.Parallel()
	name := func(c Content) string {
		n, err := Name(c)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if one, other := name(sample()), name(sample()); one != other {
		t.Error("equal content has two names")
	}
	if got, want := name(sample()), "karpenter.k8s.aws/"; len(got) <= len(want) || got[:len(want)] != want {
		t.Errorf("name %q does not begin as Karpenter's do", got)
	}
	for what, change := range map[string]func(*Content){
		"user data": func(c *Content) { c.UserData = "bye" },
		"image":     func(c *Content) { c.ImageID = "ami-2" },
		"volume size": func(c *Content) {
			q := resource.MustParse("21Gi")
			c.BlockDevices = []awsv1.BlockDeviceMapping{{EBS: &awsv1.BlockDevice{VolumeSize: &q}}}
		},
		"tag":         func(c *Content) { c.Tags = map[string]string{"team": "blue"} },
		"reservation": func(c *Content) { c.Reservations, c.Reservation = true, "cr-1" },
	} {
		if name(sample(change)) == name(sample()) {
			t.Errorf("another %s, the same name: nodes would start from the wrong template", what)
		}
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	data := sample().data()
	if got, _ := base64.StdEncoding.DecodeString(*data.UserData); string(got) != "hello" {
		t.Errorf("user data %q", got)
	}
	if n := len(data.NetworkInterfaces); n != 1 || len(data.SecurityGroupIds) != 0 || len(data.NetworkInterfaces[0].Groups) != 2 {
		t.Errorf("%d interfaces; security groups ride on the first and nowhere else", n)
	}
	if data.MetadataOptions.HttpTokens != "required" || *data.MetadataOptions.HttpPutResponseHopLimit != 1 || data.MetadataOptions.InstanceMetadataTags != "disabled" {
		t.Errorf("metadata options %+v", data.MetadataOptions)
	}
	if n := len(data.BlockDeviceMappings); n != 2 || *data.BlockDeviceMappings[1].Ebs.VolumeSize != 20 || !*data.BlockDeviceMappings[1].Ebs.Encrypted {
		t.Errorf("block devices %+v", data.BlockDeviceMappings)
	}
	if data.CapacityReservationSpecification != nil {
		t.Error("reservations are switched off and still spoken of")
	}
}

func TestInterfaces(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		c     Content
		check func([]ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool
	}{
		"Plain": {"the class's wishes ride on the primary interface",
			sample(func(c *Content) { c.PublicIP, c.IPPrefixes = awssdk.Bool(false), awssdk.Int32(2) }),
			func(n []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool {
				return !*n[0].AssociatePublicIpAddress && *n[0].Ipv4PrefixCount == 2 && n[0].InterfaceType == nil
			}},
		"IPv6": {"an IPv6 cluster's nodes have an IPv6 address",
			sample(func(c *Content) { c.IPv6, c.IPPrefixes = true, awssdk.Int32(1) }),
			func(n []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool {
				return *n[0].PrimaryIpv6 && *n[0].Ipv6AddressCount == 1 && *n[0].Ipv6PrefixCount == 1 && n[0].Ipv4PrefixCount == nil
			}},
		"EFA": {"one on each card, the first at device 0, the others at device 1",
			sample(func(c *Content) { c.EFAs = 4 }),
			func(n []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool {
				return len(n) == 4 && *n[0].DeviceIndex == 0 && *n[3].DeviceIndex == 1 && *n[3].NetworkCardIndex == 3 && *n[3].InterfaceType == "efa"
			}},
		"EFAOnly": {"what has no address gets none of what is about addresses",
			sample(func(c *Content) {
				c.ConnectionTracking = &awsv1.ConnectionTracking{UDPTimeout: awssdk.Int32(30)}
				c.NetworkInterfaces = []awsv1.NetworkInterface{{InterfaceType: "interface"}, {DeviceIndex: 1, InterfaceType: "efa-only"}}
			}),
			func(n []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool {
				return *n[0].ConnectionTrackingSpecification.UdpTimeout == 30 && n[1].ConnectionTrackingSpecification == nil
			}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.c.data().NetworkInterfaces; !tc.check(got) {
				t.Errorf("%s\n%+v", tc.why, got)
			}
		})
	}
}
