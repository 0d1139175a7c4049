package instancetype

import (
	"testing"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

func TestAttachable(t *testing.T) {
	t.Parallel()
	limited := func(n int32, kind ec2types.AttachmentLimitType) func(*ec2types.InstanceTypeInfo) {
		return func(i *ec2types.InstanceTypeInfo) {
			i.EbsInfo.MaximumEbsAttachments, i.EbsInfo.AttachmentLimitType = &n, kind
		}
	}
	disks := func(n int32) func(*ec2types.InstanceTypeInfo) {
		return func(i *ec2types.InstanceTypeInfo) {
			i.InstanceStorageInfo = &ec2types.InstanceStorageInfo{
				NvmeSupport: ec2types.EphemeralNvmeSupportRequired,
				Disks:       []ec2types.DiskInfo{{Count: &n}},
			}
		}
	}
	xen := func(i *ec2types.InstanceTypeInfo) { i.Hypervisor = ec2types.InstanceTypeHypervisorXen }
	of := func(change ...func(*ec2types.InstanceTypeInfo)) ec2types.InstanceTypeInfo {
		return sized("m5.large", "x86_64", 2, 8192, 3, 10, change...)
	}
	two := setup(awsv1.AMIFamilyBottlerocket, func(s *Setup) { s.BlockDevices = make([]awsv1.BlockDeviceMapping, 2) })
	cases := map[string]struct {
		why   string
		info  ec2types.InstanceTypeInfo
		setup Setup
		want  int64
	}{
		"Nitro": {"28 less the root volume and the interface", of(), setup(awsv1.AMIFamilyAL2023), 26},
		"Disks": {"the disks inside take places of volumes", of(disks(4)), setup(awsv1.AMIFamilyAL2023), 22},
		"Two":   {"Bottlerocket has two volumes of its own", of(), two, 25},
		"Dedicated": {
			"newer types keep interfaces and disks apart from volumes",
			of(limited(64, ec2types.AttachmentLimitTypeDedicated), disks(4)),
			setup(awsv1.AMIFamilyAL2023),
			63,
		},
		"Shared": {
			"what EC2 tells counts",
			of(limited(20, ec2types.AttachmentLimitTypeShared)),
			setup(awsv1.AMIFamilyAL2023),
			18,
		},
		"Xen": {"39 less the root volume", of(xen), setup(awsv1.AMIFamilyAL2), 38},
		"Least": {
			"a node takes one volume at least",
			of(limited(2, ec2types.AttachmentLimitTypeShared)),
			setup(awsv1.AMIFamilyAL2023),
			1,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := New(tc.info, tc.setup).Attachable
			if len(got) != 1 || got[0].Resource != "ebs.csi.aws.com" || got[0].Value != tc.want {
				t.Errorf("%s: %v, want %d", tc.why, got, tc.want)
			}
		})
	}
}

// The figures are those of AWS's own calculator of maximum pods.
func TestPodsWithPrefixDelegation(t *testing.T) {
	t.Parallel()
	on := func(s *Setup) { s.PrefixDelegation = true }
	cases := map[string]struct {
		info  ec2types.InstanceTypeInfo
		setup Setup
		want  int64
	}{
		"Few cores":     {m5Large(), setup(awsv1.AMIFamilyAL2023, on), 110},
		"Few addresses": {sized("t3.nano", "x86_64", 2, 512, 2, 2), setup(awsv1.AMIFamilyAL2023, on), 34},
		"Many cores":    {p4d(), setup(awsv1.AMIFamilyAL2023, on), 250},
		"Off":           {m5Large(), setup(awsv1.AMIFamilyAL2023), 29},
		"The class's word": {
			m5Large(),
			setup(awsv1.AMIFamilyAL2023, on, func(s *Setup) { s.Kubelet.MaxPods = fixed(40) }),
			40,
		},
		"Xen": {
			sized(
				"m4.large",
				"x86_64",
				2,
				8192,
				2,
				10,
				func(i *ec2types.InstanceTypeInfo) { i.Hypervisor = ec2types.InstanceTypeHypervisorXen },
			),
			setup(awsv1.AMIFamilyAL2, on),
			20,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := New(tc.info, tc.setup).Capacity.Pods; got != tc.want {
				t.Errorf("%d pods, want %d", got, tc.want)
			}
		})
	}
}
