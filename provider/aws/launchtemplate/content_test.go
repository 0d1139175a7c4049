package launchtemplate

import (
	"encoding/base64"
	"reflect"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
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
		"enclaves":    func(c *Content) { c.Enclaves = true },
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
	if n := len(
		data.NetworkInterfaces,
	); n != 1 || len(data.SecurityGroupIds) != 0 ||
		len(data.NetworkInterfaces[0].Groups) != 2 {
		t.Errorf("%d interfaces; security groups ride on the first and nowhere else", n)
	}
	if data.MetadataOptions.HttpTokens != "required" || *data.MetadataOptions.HttpPutResponseHopLimit != 1 ||
		data.MetadataOptions.InstanceMetadataTags != "disabled" {
		t.Errorf("metadata options %+v", data.MetadataOptions)
	}
	if n := len(
		data.BlockDeviceMappings,
	); n != 2 || *data.BlockDeviceMappings[1].Ebs.VolumeSize != 20 ||
		!*data.BlockDeviceMappings[1].Ebs.Encrypted {
		t.Errorf("block devices %+v", data.BlockDeviceMappings)
	}
	if data.CapacityReservationSpecification != nil {
		t.Error("reservations are switched off and still spoken of")
	}
}

// Whatever a class says of its disks, its metadata service and its processor is in the template, word for word.
func TestDataSaysAllThatTheClassSays(t *testing.T) {
	t.Parallel()
	size := resource.MustParse("50G") // 46.6 GiB
	data := sample(func(c *Content) {
		c.BlockDevices = []awsv1.BlockDeviceMapping{{DeviceName: awssdk.String("/dev/xvdc"), EBS: &awsv1.BlockDevice{
			DeleteOnTermination: awssdk.Bool(
				false,
			),
			Encrypted:  awssdk.Bool(true),
			IOPS:       awssdk.Int64(4000),
			KMSKeyID:   awssdk.String("key"),
			SnapshotID: awssdk.String("snap-1"),
			Throughput: awssdk.Int64(
				300,
			),
			VolumeInitializationRate: awssdk.Int32(200),
			VolumeSize:               &size,
			VolumeType:               awssdk.String("gp3"),
		}}}
		c.Metadata = &awsv1.MetadataOptions{
			HTTPEndpoint: awssdk.String(
				"disabled",
			),
			HTTPProtocolIPv6:        awssdk.String("enabled"),
			HTTPPutResponseHopLimit: awssdk.Int64(2),
			HTTPTokens:              awssdk.String("optional"),
		}
		c.Monitoring = true
		c.CPUOptions = &awsv1.CPUOptions{NestedVirtualization: awssdk.String("enabled")}
		c.Reservations, c.Reservation, c.Market = true, "cr-1", ec2types.MarketTypeCapacityBlock
		c.PlacementGroup, c.Partition, c.Spot, c.Enclaves = "pg-1", 3, true, true
	}).data()
	own := Tags(map[string]string{"team": "red"})
	want := &ec2types.RequestLaunchTemplateData{
		ImageId:  awssdk.String("ami-1"),
		UserData: awssdk.String("aGVsbG8="),
		IamInstanceProfile: &ec2types.LaunchTemplateIamInstanceProfileSpecificationRequest{
			Name: awssdk.String("profile"),
		},
		BlockDeviceMappings: []ec2types.LaunchTemplateBlockDeviceMappingRequest{
			{DeviceName: awssdk.String("/dev/xvdc"), Ebs: &ec2types.LaunchTemplateEbsBlockDeviceRequest{
				DeleteOnTermination: awssdk.Bool(
					false,
				),
				Encrypted:  awssdk.Bool(true),
				Iops:       awssdk.Int32(4000),
				KmsKeyId:   awssdk.String("key"),
				SnapshotId: awssdk.String("snap-1"),
				Throughput: awssdk.Int32(
					300,
				),
				VolumeInitializationRate: awssdk.Int32(200),
				VolumeSize:               awssdk.Int32(47),
				VolumeType:               ec2types.VolumeTypeGp3,
			}},
		},
		MetadataOptions: &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpEndpoint:            "disabled",
			HttpProtocolIpv6:        "enabled",
			HttpPutResponseHopLimit: awssdk.Int32(2),
			HttpTokens:              "optional",
			InstanceMetadataTags:    "disabled",
		},
		Monitoring:     &ec2types.LaunchTemplatesMonitoringRequest{Enabled: awssdk.Bool(true)},
		CpuOptions:     &ec2types.LaunchTemplateCpuOptionsRequest{NestedVirtualization: "enabled"},
		EnclaveOptions: &ec2types.LaunchTemplateEnclaveOptionsRequest{Enabled: awssdk.Bool(true)},
		InstanceMarketOptions: &ec2types.LaunchTemplateInstanceMarketOptionsRequest{
			MarketType: ec2types.MarketTypeCapacityBlock,
		},
		CapacityReservationSpecification: &ec2types.LaunchTemplateCapacityReservationSpecificationRequest{
			CapacityReservationPreference: "capacity-reservations-only",
			CapacityReservationTarget: &ec2types.CapacityReservationTarget{
				CapacityReservationId: awssdk.String("cr-1"),
			},
		},
		Placement: &ec2types.LaunchTemplatePlacementRequest{
			GroupId:         awssdk.String("pg-1"),
			PartitionNumber: awssdk.Int32(3),
		},
		NetworkInterfaces: []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{
			{NetworkCardIndex: awssdk.Int32(0), DeviceIndex: awssdk.Int32(0), Groups: []string{"sg-1", "sg-2"}},
		},
		TagSpecifications: []ec2types.LaunchTemplateTagSpecificationRequest{
			{
				ResourceType: ec2types.ResourceTypeNetworkInterface,
				Tags:         own,
			},
			{ResourceType: ec2types.ResourceTypeSpotInstancesRequest, Tags: own},
		},
	}
	if diff := cmp.Diff(want, data, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	without := sample(func(c *Content) {
		c.Metadata, c.NoMetadataIPv6 = &awsv1.MetadataOptions{HTTPProtocolIPv6: awssdk.String("disabled")}, true
		c.Reservations = true
	}).data()
	if without.MetadataOptions.HttpProtocolIpv6 != "" {
		t.Error("partitions that do not know httpProtocolIPv6 refuse the template")
	}
	if without.CapacityReservationSpecification.CapacityReservationPreference != "none" {
		t.Error("an instance could use up somebody's open reservation")
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
				return *n[0].PrimaryIpv6 && *n[0].Ipv6AddressCount == 1 && *n[0].Ipv6PrefixCount == 1 &&
					n[0].Ipv4PrefixCount == nil
			}},
		"EFA": {"one on each card, the first at device 0, the others at device 1",
			sample(func(c *Content) { c.EFAs = 4 }),
			func(n []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool {
				return len(n) == 4 && *n[0].DeviceIndex == 0 && *n[3].DeviceIndex == 1 &&
					*n[3].NetworkCardIndex == 3 &&
					*n[3].InterfaceType == "efa"
			}},
		"EFAOnly": {"what has no address gets none of what is about addresses",
			sample(func(c *Content) {
				c.ConnectionTracking = &awsv1.ConnectionTracking{UDPTimeout: awssdk.Int32(30)}
				c.NetworkInterfaces = []awsv1.NetworkInterface{
					{InterfaceType: "interface"},
					{DeviceIndex: 1, InterfaceType: "efa-only"},
				}
			}),
			func(n []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) bool {
				return *n[0].ConnectionTrackingSpecification.UdpTimeout == 30 &&
					n[1].ConnectionTrackingSpecification == nil
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
