package launchtemplate

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// Content is all that a template says. Two Contents that are equal have the same template.
type Content struct {
	ImageID         string
	InstanceProfile string
	SecurityGroups  []string // IDs, ascending
	UserData        string   // plain text

	BlockDevices       []awsv1.BlockDeviceMapping
	Metadata           *awsv1.MetadataOptions
	Monitoring         bool
	CPUOptions         *awsv1.CPUOptions
	NetworkInterfaces  []awsv1.NetworkInterface
	EFAs               int // one on each network card; 0 for ordinary interfaces
	PublicIP           *bool
	IPPrefixes         *int32
	ConnectionTracking *awsv1.ConnectionTracking
	IPv6               bool

	// NoMetadataIPv6 leaves httpProtocolIPv6 out, for partitions that do not know it.
	NoMetadataIPv6 bool

	// Reservations says that instances run in the one that is named, or in none.
	Reservations bool
	Reservation  string
	Market       ec2types.MarketType // of the reservation; empty for an ordinary one

	// PlacementGroup is the ID of the group that instances are in, and Partition which of its partitions, from 1; both
	// may be absent.
	PlacementGroup string `json:",omitempty"`
	Partition      int    `json:",omitempty"`

	// Dedicated instances run on hardware of the account's own.
	Dedicated bool `json:",omitempty"`

	// Spot says that the request for a spot instance is tagged too: policies ask for tags on all that is made.
	Spot bool `json:",omitempty"`

	// Enclaves lets instances start Nitro enclaves.
	Enclaves bool `json:",omitempty"`

	// Tags of the template, and of network interfaces made from it.
	Tags map[string]string
}

func (c Content) data() *ec2types.RequestLaunchTemplateData {
	data := &ec2types.RequestLaunchTemplateData{
		ImageId:             awssdk.String(c.ImageID),
		UserData:            awssdk.String(base64.StdEncoding.EncodeToString([]byte(c.UserData))),
		BlockDeviceMappings: c.blockDevices(),
		MetadataOptions:     c.metadata(),
		Monitoring:          &ec2types.LaunchTemplatesMonitoringRequest{Enabled: awssdk.Bool(c.Monitoring)},
		NetworkInterfaces:   c.interfaces(),
		TagSpecifications: []ec2types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: ec2types.ResourceTypeNetworkInterface, Tags: Tags(c.Tags)},
		},
	}
	if c.Spot {
		data.TagSpecifications = append(
			data.TagSpecifications,
			ec2types.LaunchTemplateTagSpecificationRequest{
				ResourceType: ec2types.ResourceTypeSpotInstancesRequest,
				Tags:         Tags(c.Tags),
			},
		)
	}
	if c.Reservations {
		data.CapacityReservationSpecification = c.reservation()
	}
	if c.Market != "" {
		data.InstanceMarketOptions = &ec2types.LaunchTemplateInstanceMarketOptionsRequest{MarketType: c.Market}
	}
	data.Placement = c.placement()
	if c.Enclaves {
		data.EnclaveOptions = &ec2types.LaunchTemplateEnclaveOptionsRequest{Enabled: awssdk.Bool(true)}
	}
	if c.InstanceProfile != "" {
		data.IamInstanceProfile = &ec2types.LaunchTemplateIamInstanceProfileSpecificationRequest{
			Name: awssdk.String(c.InstanceProfile),
		}
	}
	if c.CPUOptions != nil && c.CPUOptions.NestedVirtualization != nil {
		data.CpuOptions = &ec2types.LaunchTemplateCpuOptionsRequest{
			NestedVirtualization: ec2types.NestedVirtualizationSpecification(*c.CPUOptions.NestedVirtualization),
		}
	}
	return data
}

// placement says where on EC2's hosts instances go; nil for anywhere.
func (c Content) placement() *ec2types.LaunchTemplatePlacementRequest {
	if c.PlacementGroup == "" && !c.Dedicated {
		return nil
	}
	out := &ec2types.LaunchTemplatePlacementRequest{}
	if c.PlacementGroup != "" {
		out.GroupId = awssdk.String(c.PlacementGroup)
	}
	if c.Partition > 0 {
		out.PartitionNumber = awssdk.Int32(int32(c.Partition))
	}
	if c.Dedicated {
		out.Tenancy = ec2types.TenancyDedicated
	}
	return out
}

// reservation keeps instances out of reservations that nobody chose for them: those would be
// used up without a trace.
func (c Content) reservation() *ec2types.LaunchTemplateCapacityReservationSpecificationRequest {
	if c.Reservation == "" {
		return &ec2types.LaunchTemplateCapacityReservationSpecificationRequest{
			CapacityReservationPreference: ec2types.CapacityReservationPreferenceNone,
		}
	}
	return &ec2types.LaunchTemplateCapacityReservationSpecificationRequest{
		CapacityReservationPreference: ec2types.CapacityReservationPreferenceCapacityReservationsOnly,
		CapacityReservationTarget: &ec2types.CapacityReservationTarget{
			CapacityReservationId: awssdk.String(c.Reservation),
		},
	}
}

func (c Content) metadata() *ec2types.LaunchTemplateInstanceMetadataOptionsRequest {
	out := &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{
		// Keys of our tags hold slashes, which the metadata service refuses.
		InstanceMetadataTags: ec2types.LaunchTemplateInstanceMetadataTagsStateDisabled,
	}
	m := c.Metadata
	if m == nil {
		m = &awsv1.MetadataOptions{HTTPTokens: awssdk.String("required"), HTTPPutResponseHopLimit: awssdk.Int64(1)}
	}
	out.HttpEndpoint = ec2types.LaunchTemplateInstanceMetadataEndpointState(awssdk.ToString(m.HTTPEndpoint))
	out.HttpTokens = ec2types.LaunchTemplateHttpTokensState(awssdk.ToString(m.HTTPTokens))
	if m.HTTPPutResponseHopLimit != nil {
		out.HttpPutResponseHopLimit = awssdk.Int32(int32(*m.HTTPPutResponseHopLimit))
	}
	if !c.NoMetadataIPv6 {
		out.HttpProtocolIpv6 = ec2types.LaunchTemplateInstanceMetadataProtocolIpv6(
			awssdk.ToString(m.HTTPProtocolIPv6),
		)
	}
	return out
}

func (c Content) blockDevices() []ec2types.LaunchTemplateBlockDeviceMappingRequest {
	var out []ec2types.LaunchTemplateBlockDeviceMappingRequest
	for _, m := range c.BlockDevices {
		next := ec2types.LaunchTemplateBlockDeviceMappingRequest{DeviceName: m.DeviceName}
		if e := m.EBS; e != nil {
			next.Ebs = &ec2types.LaunchTemplateEbsBlockDeviceRequest{
				DeleteOnTermination:      e.DeleteOnTermination,
				Encrypted:                e.Encrypted,
				KmsKeyId:                 e.KMSKeyID,
				SnapshotId:               e.SnapshotID,
				VolumeInitializationRate: e.VolumeInitializationRate,
				VolumeType:               ec2types.VolumeType(awssdk.ToString(e.VolumeType)),
			}
			if e.IOPS != nil {
				next.Ebs.Iops = awssdk.Int32(int32(*e.IOPS))
			}
			if e.Throughput != nil {
				next.Ebs.Throughput = awssdk.Int32(int32(*e.Throughput))
			}
			if e.VolumeSize != nil {
				// EC2 counts in GiB; round up, so that the volume is no smaller than asked for.
				next.Ebs.VolumeSize = awssdk.Int32(int32(math.Ceil(float64(e.VolumeSize.Value()) / (1 << 30))))
			}
		}
		out = append(out, next)
	}
	return out
}

// interfaces are the network interfaces. There is always one: what the class says of public
// addresses, prefixes and connection tracking rides on it, and security groups with them.
func (c Content) interfaces() []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
	var out []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest
	switch {
	case len(c.NetworkInterfaces) > 0:
		for _, n := range c.NetworkInterfaces {
			out = append(out, c.oneInterface(n.NetworkCardIndex, n.DeviceIndex, string(n.InterfaceType)))
		}
	case c.EFAs > 0:
		for card := range c.EFAs {
			// The first card's first device is the one that the host uses.
			out = append(out, c.oneInterface(int32(card), int32(min(card, 1)), "efa"))
		}
	default:
		out = append(out, c.oneInterface(0, 0, ""))
	}
	return out
}

func (c Content) oneInterface(
	card, device int32,
	kind string,
) ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
	n := ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{
		NetworkCardIndex: awssdk.Int32(card),
		DeviceIndex:      awssdk.Int32(device),
		Groups:           slices.Clone(c.SecurityGroups),
	}
	if kind != "" {
		n.InterfaceType = awssdk.String(kind)
	}
	if kind == string(awsv1.InterfaceTypeEFAOnly) {
		return n // has no address
	}
	if t := c.ConnectionTracking; t != nil {
		n.ConnectionTrackingSpecification = &ec2types.ConnectionTrackingSpecificationRequest{
			TcpEstablishedTimeout: t.TCPEstablishedTimeout,
			UdpStreamTimeout:      t.UDPStreamTimeout,
			UdpTimeout:            t.UDPTimeout,
		}
	}
	primary := card == 0 && device == 0
	if !primary {
		return n
	}
	n.AssociatePublicIpAddress = c.PublicIP
	if c.IPv6 {
		n.PrimaryIpv6, n.Ipv6AddressCount, n.Ipv6PrefixCount = awssdk.Bool(true), awssdk.Int32(1), c.IPPrefixes
	} else {
		n.Ipv4PrefixCount = c.IPPrefixes
	}
	return n
}

// DefaultBlockDevices are the disks that the images of a family need.
func DefaultBlockDevices(family string) []awsv1.BlockDeviceMapping {
	switch {
	case family == awsv1.AMIFamilyAL2 || family == awsv1.AMIFamilyAL2023:
		return []awsv1.BlockDeviceMapping{volume("/dev/xvda", "20Gi")}
	case family == awsv1.AMIFamilyBottlerocket:
		return []awsv1.BlockDeviceMapping{volume("/dev/xvda", "6Gi"), volume("/dev/xvdb", "20Gi")}
	case strings.HasPrefix(family, "Windows"):
		return []awsv1.BlockDeviceMapping{volume("/dev/sda1", "50Gi")}
	}
	return nil
}
