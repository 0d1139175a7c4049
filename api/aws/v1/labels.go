package v1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// CompatibilityGroup is the domain of annotations that only serve migration.
const CompatibilityGroup = "compatibility." + Group

// Labels of instance types and offerings.
const (
	LabelInstanceCategory       = Group + "/instance-category"
	LabelInstanceFamily         = Group + "/instance-family"
	LabelInstanceGeneration     = Group + "/instance-generation"
	LabelInstanceSize           = Group + "/instance-size"
	LabelInstanceCapabilityFlex = Group + "/instance-capability-flex"
	LabelInstanceHypervisor     = Group + "/instance-hypervisor"
	LabelInstanceTenancy        = Group + "/instance-tenancy"

	LabelInstanceEncryptionInTransitSupported = Group + "/instance-encryption-in-transit-supported"

	// LabelInstanceCPU is in vCPUs.
	LabelInstanceCPU             = Group + "/instance-cpu"
	LabelInstanceCPUManufacturer = Group + "/instance-cpu-manufacturer"
	// LabelInstanceCPUSustainedClockSpeedMhz is in MHz.
	LabelInstanceCPUSustainedClockSpeedMhz = Group + "/instance-cpu-sustained-clock-speed-mhz"
	// LabelInstanceMemory is in MiB.
	LabelInstanceMemory = Group + "/instance-memory"
	// LabelInstanceEBSBandwidth is in Mbit/s.
	LabelInstanceEBSBandwidth = Group + "/instance-ebs-bandwidth"
	// LabelInstanceNetworkBandwidth is in Mbit/s.
	LabelInstanceNetworkBandwidth = Group + "/instance-network-bandwidth"
	// LabelInstanceLocalNVME is in GB, all disks together.
	LabelInstanceLocalNVME = Group + "/instance-local-nvme"

	LabelInstanceGPUName         = Group + "/instance-gpu-name"
	LabelInstanceGPUManufacturer = Group + "/instance-gpu-manufacturer"
	LabelInstanceGPUCount        = Group + "/instance-gpu-count"
	// LabelInstanceGPUMemory is in MiB per GPU.
	LabelInstanceGPUMemory               = Group + "/instance-gpu-memory"
	LabelInstanceAcceleratorName         = Group + "/instance-accelerator-name"
	LabelInstanceAcceleratorManufacturer = Group + "/instance-accelerator-manufacturer"
	LabelInstanceAcceleratorCount        = Group + "/instance-accelerator-count"

	LabelCapacityReservationID            = Group + "/capacity-reservation-id"
	LabelCapacityReservationType          = Group + "/capacity-reservation-type"
	LabelCapacityReservationInterruptible = Group + "/capacity-reservation-interruptible"
	LabelPlacementGroupID                 = Group + "/placement-group-id"
	LabelPlacementGroupPartition          = Group + "/placement-group-partition"

	// LabelTopologyZoneID is the zone's name that is the same in every account.
	LabelTopologyZoneID = "topology.k8s.aws/zone-id"
	// LabelEBSCSIZone is how the EBS CSI driver spells the zone label.
	LabelEBSCSIZone = "topology.ebs.csi.aws.com/zone"

	// LabelNodeClass names the EC2NodeClass of a node.
	LabelNodeClass = Group + "/ec2nodeclass"
)

// Values of LabelInstanceTenancy.
const (
	TenancyDefault   = "default"
	TenancyDedicated = "dedicated"
)

// Annotations.
const (
	// AnnotationEC2NodeClassHash carries EC2NodeClass.Hash on classes, and on
	// NodeClaims the hash they were made from.
	AnnotationEC2NodeClassHash = Group + "/ec2nodeclass-hash"
	// AnnotationEC2NodeClassHashVersion carries the EC2NodeClassHashVersion of the hash.
	AnnotationEC2NodeClassHashVersion = Group + "/ec2nodeclass-hash-version"
	// AnnotationInstanceTagged is "true" on NodeClaims whose instance carries its name tags.
	AnnotationInstanceTagged = Group + "/tagged"
	// AnnotationInstanceProfile names the instance profile a NodeClaim was launched with.
	AnnotationInstanceProfile = Group + "/instance-profile-name"
	// AnnotationClusterNameTagged is "true" on NodeClaims whose instance carries EKSClusterNameTagKey.
	AnnotationClusterNameTagged = CompatibilityGroup + "/cluster-name-tagged"
)

// TerminationFinalizer holds back the deletion of an EC2NodeClass until no
// NodeClaim uses it and what was made for it in AWS is gone.
const TerminationFinalizer = Group + "/termination"

// Keys of the tags on what the controller makes in AWS.
const (
	NameTagKey           = "Name"
	NodePoolTagKey       = karpenterv1.NodePoolLabelKey
	NodeClaimTagKey      = karpenterv1.Group + "/nodeclaim"
	NodeClassTagKey      = LabelNodeClass
	EKSClusterNameTagKey = "eks:eks-cluster-name"
	// ClusterTagKeyPrefix comes before the cluster's name; the value is "owned".
	ClusterTagKeyPrefix = "kubernetes.io/cluster/"
)

// LaunchTemplateNamePrefix starts the names of our launch templates.
const LaunchTemplateNamePrefix = Group

// Builds of Windows, as in the label node.kubernetes.io/windows-build.
const (
	Windows2019Build = "10.0.17763"
	Windows2022Build = "10.0.20348"
	Windows2025Build = "10.0.26100"
)

// Extended resources of instance types.
const (
	ResourceNVIDIAGPU          corev1.ResourceName = "nvidia.com/gpu"
	ResourceAMDGPU             corev1.ResourceName = "amd.com/gpu"
	ResourceAWSNeuron          corev1.ResourceName = "aws.amazon.com/neuron"
	ResourceAWSNeuronCore      corev1.ResourceName = "aws.amazon.com/neuroncore"
	ResourceHabanaGaudi        corev1.ResourceName = "habana.ai/gaudi"
	ResourceEFA                corev1.ResourceName = "vpc.amazonaws.com/efa"
	ResourcePodENI             corev1.ResourceName = "vpc.amazonaws.com/pod-eni"
	ResourcePrivateIPv4Address corev1.ResourceName = "vpc.amazonaws.com/PrivateIPv4Address"
)

// LabelAliases are the names that AWS's drivers use for well-known labels. The EBS driver puts its own on
// nodes, volumes and, by its documentation, into StorageClasses.
func LabelAliases() karpenterv1.LabelAliases {
	return karpenterv1.LabelAliases{LabelEBSCSIZone: corev1.LabelTopologyZone}
}

// LabelRules are the label rules that AWS adds to karpenterv1.CoreLabelRules.
func LabelRules() karpenterv1.LabelRules {
	return karpenterv1.LabelRules{
		WellKnown: sets.New(
			LabelInstanceCategory, LabelInstanceFamily, LabelInstanceGeneration, LabelInstanceSize,
			LabelInstanceCapabilityFlex, LabelInstanceHypervisor, LabelInstanceTenancy,
			LabelInstanceEncryptionInTransitSupported,
			LabelInstanceCPU, LabelInstanceCPUManufacturer, LabelInstanceCPUSustainedClockSpeedMhz,
			LabelInstanceMemory, LabelInstanceEBSBandwidth, LabelInstanceNetworkBandwidth, LabelInstanceLocalNVME,
			LabelInstanceGPUName, LabelInstanceGPUManufacturer, LabelInstanceGPUCount, LabelInstanceGPUMemory,
			LabelInstanceAcceleratorName, LabelInstanceAcceleratorManufacturer, LabelInstanceAcceleratorCount,
			LabelCapacityReservationID, LabelCapacityReservationType, LabelCapacityReservationInterruptible,
			LabelPlacementGroupID, LabelPlacementGroupPartition,
			LabelTopologyZoneID,
		),
		Reserved: sets.New(Group),
		Values: map[string]sets.Set[string]{
			LabelInstanceTenancy: sets.New(TenancyDefault, TenancyDedicated),
		},
		Aliases: LabelAliases(),
	}
}
