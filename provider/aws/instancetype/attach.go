package instancetype

import (
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// ebsDriver is the CSI driver of EBS volumes.
const ebsDriver = "ebs.csi.aws.com"

// How many attachments instances have where EC2 does not tell, as the EBS CSI driver assumes: Nitro shares its 28
// between volumes, network interfaces and the disks inside; Xen has 39 for volumes.
const (
	nitroAttachments = 28
	xenAttachments   = 39
)

// attachable is how many EBS volumes of pods a node takes. The driver tells the same of a node that has joined; this is
// for nodes that are still planned. At least one is left, as the driver does.
func attachable(info ec2types.InstanceTypeInfo, s Setup) []shape.Amount {
	limit, shared := int64(nitroAttachments), true
	switch e := info.EbsInfo; {
	case e != nil && deref(e.MaximumEbsAttachments) > 0:
		limit, shared = int64(*e.MaximumEbsAttachments), e.AttachmentLimitType != ec2types.AttachmentLimitTypeDedicated
	case info.Hypervisor == ec2types.InstanceTypeHypervisorXen:
		limit, shared = xenAttachments, false
	}
	limit -= max(int64(len(s.BlockDevices)), 1)
	if shared {
		limit -= max(int64(len(s.NetworkInterfaces)), 1) + nvmeDisks(info)
	}
	if strings.HasPrefix(s.Family, "Windows") && limit > windowsAttachments {
		limit = windowsAttachments
	}
	return []shape.Amount{{Resource: ebsDriver, Value: max(limit, 1)}}
}

// windowsAttachments is how many volumes Windows takes besides its own.
const windowsAttachments = 25

func nvmeDisks(info ec2types.InstanceTypeInfo) int64 {
	s := info.InstanceStorageInfo
	if s == nil || s.NvmeSupport == ec2types.EphemeralNvmeSupportUnsupported {
		return 0
	}
	var n int64
	for _, d := range s.Disks {
		n += int64(deref(d.Count))
	}
	return n
}
