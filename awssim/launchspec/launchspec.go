// Package launchspec holds what an EC2 launch is asked to be, in EC2's own
// fields: the data of a launch template, and of a RunInstances call.
//
// One struct serves the request (query tags) and the answer (xml tags), so a
// template is given back as it was put in. Nothing here decides whether a
// launch can work.
package launchspec

import (
	"cmp"
	"reflect"
	"slices"
)

// Tag is an EC2 tag.
type Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// SetTags returns tags with more laid over them, ascending by key.
func SetTags(tags, more []Tag) []Tag {
	out := slices.Clone(tags)
	for _, tag := range more {
		i, found := slices.BinarySearchFunc(
			out,
			tag.Key,
			func(t Tag, key string) int { return cmp.Compare(t.Key, key) },
		)
		if found {
			out[i] = tag
		} else {
			out = slices.Insert(out, i, tag)
		}
	}
	return out
}

// TagSpecification puts tags on what a call creates, by kind.
type TagSpecification struct {
	ResourceType string `xml:"resourceType,omitempty"`
	Tags         []Tag  `query:"Tag" xml:"tagSet>item,omitempty"`
}

// TagsFor returns the tags that specs put on one kind of resource.
func TagsFor(specs []TagSpecification, kind string) []Tag {
	var out []Tag
	for _, s := range specs {
		if s.ResourceType == kind {
			out = SetTags(out, s.Tags)
		}
	}
	return out
}

// Data is a launch template's content. Pointers and empty strings are "not
// said"; UserData is base64, as it travels.
type Data struct {
	ImageID                          string             `query:"ImageId" xml:"imageId,omitempty"`
	InstanceType                     string             `xml:"instanceType,omitempty"`
	KeyName                          string             `xml:"keyName,omitempty"`
	UserData                         string             `xml:"userData,omitempty"`
	EbsOptimized                     *bool              `xml:"ebsOptimized,omitempty"`
	DisableAPITermination            *bool              `query:"DisableApiTermination" xml:"disableApiTermination,omitempty"`
	DisableAPIStop                   *bool              `query:"DisableApiStop" xml:"disableApiStop,omitempty"`
	InstanceInitiatedShutdown        string             `query:"InstanceInitiatedShutdownBehavior" xml:"instanceInitiatedShutdownBehavior,omitempty"`
	IamInstanceProfile               *Profile           `xml:"iamInstanceProfile,omitempty"`
	Monitoring                       *Monitoring        `xml:"monitoring,omitempty"`
	Placement                        *Placement         `xml:"placement,omitempty"`
	MetadataOptions                  *Metadata          `xml:"metadataOptions,omitempty"`
	CPUOptions                       *CPUOptions        `query:"CpuOptions" xml:"cpuOptions,omitempty"`
	CreditSpecification              *Credits           `xml:"creditSpecification,omitempty"`
	EnclaveOptions                   *Enclave           `xml:"enclaveOptions,omitempty"`
	HibernationOptions               *Hibernation       `xml:"hibernationOptions,omitempty"`
	MaintenanceOptions               *Maintenance       `xml:"maintenanceOptions,omitempty"`
	PrivateDNSNameOptions            *PrivateDNS        `query:"PrivateDnsNameOptions" xml:"privateDnsNameOptions,omitempty"`
	InstanceMarketOptions            *Market            `xml:"instanceMarketOptions,omitempty"`
	CapacityReservationSpecification *ReservationChoice `xml:"capacityReservationSpecification,omitempty"`
	BlockDevices                     []BlockDevice      `query:"BlockDeviceMapping" xml:"blockDeviceMappingSet>item,omitempty"`
	NetworkInterfaces                []NetworkInterface `query:"NetworkInterface" xml:"networkInterfaceSet>item,omitempty"`
	SecurityGroupIDs                 []string           `query:"SecurityGroupId" xml:"securityGroupIdSet>item,omitempty"`
	SecurityGroups                   []string           `query:"SecurityGroup" xml:"securityGroupSet>item,omitempty"`
	TagSpecifications                []TagSpecification `query:"TagSpecification" xml:"tagSpecificationSet>item,omitempty"`
}

// Profile names an instance profile, by name or ARN.
type Profile struct {
	Arn  string `xml:"arn,omitempty"`
	Name string `xml:"name,omitempty"`
}

// Monitoring asks for one-minute metrics.
type Monitoring struct {
	Enabled *bool `xml:"enabled,omitempty"`
}

// Placement says where on EC2's hosts an instance goes.
type Placement struct {
	Affinity             string `xml:"affinity,omitempty"`
	AvailabilityZone     string `xml:"availabilityZone,omitempty"`
	AvailabilityZoneID   string `query:"AvailabilityZoneId" xml:"availabilityZoneId,omitempty"`
	GroupID              string `query:"GroupId" xml:"groupId,omitempty"`
	GroupName            string `xml:"groupName,omitempty"`
	HostID               string `query:"HostId" xml:"hostId,omitempty"`
	HostResourceGroupArn string `xml:"hostResourceGroupArn,omitempty"`
	PartitionNumber      *int   `xml:"partitionNumber,omitempty"`
	SpreadDomain         string `xml:"spreadDomain,omitempty"`
	Tenancy              string `xml:"tenancy,omitempty"`
}

// Metadata configures the instance metadata service.
type Metadata struct {
	HTTPEndpoint            string `query:"HttpEndpoint" xml:"httpEndpoint,omitempty"`
	HTTPProtocolIPv6        string `query:"HttpProtocolIpv6" xml:"httpProtocolIpv6,omitempty"`
	HTTPPutResponseHopLimit *int   `query:"HttpPutResponseHopLimit" xml:"httpPutResponseHopLimit,omitempty"`
	HTTPTokens              string `query:"HttpTokens" xml:"httpTokens,omitempty"`
	InstanceMetadataTags    string `xml:"instanceMetadataTags,omitempty"`
}

// CPUOptions changes what the processor offers.
type CPUOptions struct {
	AmdSevSnp            string `xml:"amdSevSnp,omitempty"`
	CoreCount            *int   `xml:"coreCount,omitempty"`
	ThreadsPerCore       *int   `xml:"threadsPerCore,omitempty"`
	NestedVirtualization string `xml:"nestedVirtualization,omitempty"`
}

// Credits is the CPU credit mode of burstable types.
type Credits struct {
	CPUCredits string `query:"CpuCredits" xml:"cpuCredits,omitempty"`
}

// Enclave asks for Nitro enclaves.
type Enclave struct {
	Enabled *bool `xml:"enabled,omitempty"`
}

// Hibernation asks for an instance that can hibernate.
type Hibernation struct {
	Configured *bool `xml:"configured,omitempty"`
}

// Maintenance configures automatic recovery.
type Maintenance struct {
	AutoRecovery string `xml:"autoRecovery,omitempty"`
}

// PrivateDNS chooses the form of the instance's name.
type PrivateDNS struct {
	HostnameType                    string `xml:"hostnameType,omitempty"`
	EnableResourceNameDNSARecord    *bool  `query:"EnableResourceNameDnsARecord" xml:"enableResourceNameDnsARecord,omitempty"`
	EnableResourceNameDNSAAAARecord *bool  `query:"EnableResourceNameDnsAAAARecord" xml:"enableResourceNameDnsAAAARecord,omitempty"`
}

// Market chooses spot or a capacity block.
type Market struct {
	MarketType  string       `xml:"marketType,omitempty"`
	SpotOptions *SpotRequest `xml:"spotOptions,omitempty"`
}

// SpotRequest is the spot part of Market.
type SpotRequest struct {
	BlockDurationMinutes         *int   `xml:"blockDurationMinutes,omitempty"`
	InstanceInterruptionBehavior string `xml:"instanceInterruptionBehavior,omitempty"`
	MaxPrice                     string `xml:"maxPrice,omitempty"`
	SpotInstanceType             string `xml:"spotInstanceType,omitempty"`
	ValidUntil                   string `xml:"validUntil,omitempty"`
}

// ReservationChoice says which capacity reservation a launch may use.
type ReservationChoice struct {
	Preference string             `query:"CapacityReservationPreference" xml:"capacityReservationPreference,omitempty"`
	Target     *ReservationTarget `query:"CapacityReservationTarget" xml:"capacityReservationTarget,omitempty"`
}

// ReservationTarget names one reservation or a group of them.
type ReservationTarget struct {
	ID       string `query:"CapacityReservationId" xml:"capacityReservationId,omitempty"`
	GroupArn string `query:"CapacityReservationResourceGroupArn" xml:"capacityReservationResourceGroupArn,omitempty"`
}

// BlockDevice is one disk of the launch.
type BlockDevice struct {
	DeviceName  string `xml:"deviceName,omitempty"`
	NoDevice    string `xml:"noDevice,omitempty"`
	VirtualName string `xml:"virtualName,omitempty"`
	Ebs         *EBS   `xml:"ebs,omitempty"`
}

// EBS is a volume. VolumeSize is in GiB, Throughput in MiB/s.
type EBS struct {
	DeleteOnTermination      *bool  `xml:"deleteOnTermination,omitempty"`
	EbsCardIndex             *int   `xml:"ebsCardIndex,omitempty"`
	Encrypted                *bool  `xml:"encrypted,omitempty"`
	Iops                     *int   `xml:"iops,omitempty"`
	KmsKeyID                 string `query:"KmsKeyId" xml:"kmsKeyId,omitempty"`
	SnapshotID               string `query:"SnapshotId" xml:"snapshotId,omitempty"`
	Throughput               *int   `xml:"throughput,omitempty"`
	VolumeInitializationRate *int   `xml:"volumeInitializationRate,omitempty"`
	VolumeSize               *int   `xml:"volumeSize,omitempty"`
	VolumeType               string `xml:"volumeType,omitempty"`
}

// NetworkInterface is one interface of the launch.
type NetworkInterface struct {
	AssociatePublicIPAddress  *bool     `query:"AssociatePublicIpAddress" xml:"associatePublicIpAddress,omitempty"`
	ConnectionTracking        *Tracking `query:"ConnectionTrackingSpecification" xml:"connectionTrackingSpecification,omitempty"`
	DeleteOnTermination       *bool     `xml:"deleteOnTermination,omitempty"`
	Description               string    `xml:"description,omitempty"`
	DeviceIndex               *int      `xml:"deviceIndex,omitempty"`
	SecurityGroupIDs          []string  `query:"SecurityGroupId" xml:"groupSet>groupId,omitempty"`
	InterfaceType             string    `xml:"interfaceType,omitempty"`
	IPv4PrefixCount           *int      `query:"Ipv4PrefixCount" xml:"ipv4PrefixCount,omitempty"`
	IPv6AddressCount          *int      `query:"Ipv6AddressCount" xml:"ipv6AddressCount,omitempty"`
	IPv6PrefixCount           *int      `query:"Ipv6PrefixCount" xml:"ipv6PrefixCount,omitempty"`
	NetworkCardIndex          *int      `xml:"networkCardIndex,omitempty"`
	PrimaryIPv6               *bool     `query:"PrimaryIpv6" xml:"primaryIpv6,omitempty"`
	PrivateIPAddress          string    `query:"PrivateIpAddress" xml:"privateIpAddress,omitempty"`
	SecondaryPrivateIPAddress *int      `query:"SecondaryPrivateIpAddressCount" xml:"secondaryPrivateIpAddressCount,omitempty"`
	SubnetID                  string    `query:"SubnetId" xml:"subnetId,omitempty"`
}

// Tracking sets the idle timeouts of tracked connections, in seconds.
type Tracking struct {
	TCPEstablishedTimeout *int `query:"TcpEstablishedTimeout" xml:"tcpEstablishedTimeout,omitempty"`
	UDPStreamTimeout      *int `query:"UdpStreamTimeout" xml:"udpStreamTimeout,omitempty"`
	UDPTimeout            *int `query:"UdpTimeout" xml:"udpTimeout,omitempty"`
}

// Groups returns all security groups, of the launch and of its interfaces.
func (d *Data) Groups() []string {
	out := slices.Clone(d.SecurityGroupIDs)
	for _, ni := range d.NetworkInterfaces {
		for _, g := range ni.SecurityGroupIDs {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}

// Market is the market type that the launch names; empty is on demand.
func (d *Data) Market() string {
	if d.InstanceMarketOptions == nil {
		return ""
	}
	return d.InstanceMarketOptions.MarketType
}

// Subnet returns the subnet that the primary interface names; empty when the
// launch leaves it to its caller.
func (d *Data) Subnet() string {
	for _, ni := range d.NetworkInterfaces {
		if ni.SubnetID != "" {
			return ni.SubnetID
		}
	}
	return ""
}

// prefixSize is how many addresses an IPv4 prefix (/28) takes from a subnet.
const prefixSize = 16

// Addresses is how many IPv4 addresses a launch takes from its subnet: one for
// each interface, and those that interfaces ask for beside.
func (d *Data) Addresses() int {
	count := max(1, len(d.NetworkInterfaces))
	for _, ni := range d.NetworkInterfaces {
		if ni.InterfaceType == "efa-only" {
			count-- // it has no address
		}
		if ni.SecondaryPrivateIPAddress != nil {
			count += *ni.SecondaryPrivateIPAddress
		}
		if ni.IPv4PrefixCount != nil {
			count += prefixSize * *ni.IPv4PrefixCount
		}
	}
	return max(1, count)
}

// Overlay replaces each field of d that more says.
func (d *Data) Overlay(more Data) {
	to, from := reflect.ValueOf(d).Elem(), reflect.ValueOf(more)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}
