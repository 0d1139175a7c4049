package v1

import "k8s.io/apimachinery/pkg/api/resource"

// MetadataOptions says how pods and programs reach the instance metadata service.
type MetadataOptions struct {
	// HTTPEndpoint turns the service on or off.
	// +kubebuilder:default=enabled
	// +kubebuilder:validation:Enum=enabled;disabled
	// +optional
	HTTPEndpoint *string `json:"httpEndpoint,omitempty"`

	// HTTPProtocolIPv6 turns the service's IPv6 address on or off.
	// +kubebuilder:default=disabled
	// +kubebuilder:validation:Enum=enabled;disabled
	// +optional
	HTTPProtocolIPv6 *string `json:"httpProtocolIPv6,omitempty"`

	// HTTPPutResponseHopLimit is how many network hops a session token may
	// travel. Pods that are not on the host network need 2.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	// +optional
	HTTPPutResponseHopLimit *int64 `json:"httpPutResponseHopLimit,omitempty"`

	// HTTPTokens says whether requests need a session token.
	// +kubebuilder:default=required
	// +kubebuilder:validation:Enum=required;optional
	// +optional
	HTTPTokens *string `json:"httpTokens,omitempty"`
}

// CPUOptions says how an instance's processor is set up.
type CPUOptions struct {
	// NestedVirtualization turns virtual machines inside the instance on or off.
	// Enabled leaves only instance types that can.
	// +kubebuilder:validation:Enum=enabled;disabled
	// +optional
	NestedVirtualization *string `json:"nestedVirtualization,omitempty"`
}

// EnclaveOptions say whether the machine may start Nitro enclaves.
type EnclaveOptions struct {
	// Enabled turns Nitro enclaves on.
	// +required
	Enabled bool `json:"enabled"`
}

// ConnectionTracking says how long network interfaces remember idle
// connections. It leaves only instance types of the Nitro System, and does not
// apply to interfaces of type efa-only.
//
// +kubebuilder:validation:XValidation:rule="has(self.tcpEstablishedTimeout) || has(self.udpStreamTimeout) || has(self.udpTimeout)",message="connectionTracking needs tcpEstablishedTimeout, udpStreamTimeout or udpTimeout"
type ConnectionTracking struct {
	// TCPEstablishedTimeout is for established TCP connections, in seconds.
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=432000
	// +optional
	TCPEstablishedTimeout *int32 `json:"tcpEstablishedTimeout,omitempty"`

	// UDPStreamTimeout is for UDP flows with more than one request and
	// response, in seconds.
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=180
	// +optional
	UDPStreamTimeout *int32 `json:"udpStreamTimeout,omitempty"`

	// UDPTimeout is for other UDP flows, in seconds.
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=60
	// +optional
	UDPTimeout *int32 `json:"udpTimeout,omitempty"`
}

// BlockDeviceMapping is a disk of the instance.
type BlockDeviceMapping struct {
	// DeviceName as the instance sees it, for example /dev/xvda.
	// +optional
	DeviceName *string `json:"deviceName,omitempty"`

	// EBS is the volume behind the disk.
	// +kubebuilder:validation:XValidation:rule="has(self.snapshotID) || has(self.volumeSize)",message="ebs needs snapshotID or volumeSize"
	// +kubebuilder:validation:XValidation:rule="!has(self.volumeInitializationRate) || (has(self.snapshotID) && self.snapshotID != '')",message="volumeInitializationRate needs snapshotID"
	// +optional
	EBS *BlockDevice `json:"ebs,omitempty"`

	// RootVolume marks the disk that holds the kubelet's directory. At most one may.
	// +optional
	RootVolume bool `json:"rootVolume,omitempty"`
}

// BlockDevice is an EBS volume.
type BlockDevice struct {
	// DeleteOnTermination deletes the volume with the instance.
	// +optional
	DeleteOnTermination *bool `json:"deleteOnTermination,omitempty"`

	// Encrypted encrypts the volume.
	// +optional
	Encrypted *bool `json:"encrypted,omitempty"`

	// IOPS is for volumes of type gp3, io1 and io2.
	// +optional
	IOPS *int64 `json:"iops,omitempty"`

	// KMSKeyID is the key to encrypt with: its ID, alias or ARN.
	// +optional
	KMSKeyID *string `json:"kmsKeyID,omitempty"`

	// SnapshotID is the snapshot that the volume starts from.
	// +optional
	SnapshotID *string `json:"snapshotID,omitempty"`

	// Throughput of a gp3 volume, in MiB/s.
	// +optional
	Throughput *int64 `json:"throughput,omitempty"`

	// VolumeInitializationRate is how fast the snapshot is read, in MiB/s.
	// Needs snapshotID.
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=300
	// +optional
	VolumeInitializationRate *int32 `json:"volumeInitializationRate,omitempty"`

	// VolumeSize in Gi (up to 59000), G (64000), Ti (58) or T (64).
	// +kubebuilder:validation:Pattern=`^(([1-9][0-9]{0,3}|[1-4][0-9]{4}|5[0-8][0-9]{3}|59000)Gi|([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-3][0-9]{3}|64000)G|([1-9]|[1-4][0-9]|5[0-8])Ti|([1-9]|[1-5][0-9]|6[0-4])T)$`
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +optional
	VolumeSize *resource.Quantity `json:"volumeSize,omitempty" hash:"string"`

	// VolumeType of the volume.
	// +kubebuilder:validation:Enum=standard;io1;io2;gp2;sc1;st1;gp3
	// +optional
	VolumeType *string `json:"volumeType,omitempty"`
}

// InstanceStorePolicy says what to do with the disks inside the machine.
// +kubebuilder:validation:Enum=RAID0
type InstanceStorePolicy string

// InstanceStorePolicyRAID0 joins the disks inside the machine and puts the
// kubelet's and the container runtime's directories there.
const InstanceStorePolicyRAID0 InstanceStorePolicy = "RAID0"

// InterfaceType is the type of a network interface.
type InterfaceType string

const (
	// InterfaceTypeInterface is a usual network interface.
	InterfaceTypeInterface InterfaceType = "interface"
	// InterfaceTypeEFAOnly is an Elastic Fabric Adapter without IP.
	InterfaceTypeEFAOnly InterfaceType = "efa-only"
)

// NetworkInterface is a network interface that an instance is launched with.
type NetworkInterface struct {
	// NetworkCardIndex is the card that the interface is on.
	// +kubebuilder:validation:Minimum=0
	NetworkCardIndex int32 `json:"networkCardIndex"`

	// DeviceIndex is the interface's place on the card.
	// +kubebuilder:validation:Minimum=0
	DeviceIndex int32 `json:"deviceIndex"`

	// InterfaceType is interface or efa-only.
	// +kubebuilder:validation:Enum=interface;efa-only
	InterfaceType InterfaceType `json:"interfaceType"`
}
