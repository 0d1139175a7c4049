package launchtemplate

import (
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Metadata is what the template says of the metadata service, in the words of RunInstances. Policies that ask for
// tokens look at the request, not at the template that it names.
func Metadata(c Content) *ec2types.InstanceMetadataOptionsRequest {
	m := c.metadata()
	return &ec2types.InstanceMetadataOptionsRequest{
		HttpEndpoint:            ec2types.InstanceMetadataEndpointState(m.HttpEndpoint),
		HttpProtocolIpv6:        ec2types.InstanceMetadataProtocolState(m.HttpProtocolIpv6),
		HttpPutResponseHopLimit: m.HttpPutResponseHopLimit,
		HttpTokens:              ec2types.HttpTokensState(m.HttpTokens),
		InstanceMetadataTags:    ec2types.InstanceMetadataTagsState(m.InstanceMetadataTags),
	}
}

// BlockDevices are the template's disks in the words of RunInstances, for policies that ask for encryption.
func BlockDevices(c Content) []ec2types.BlockDeviceMapping {
	var out []ec2types.BlockDeviceMapping
	for _, m := range c.blockDevices() {
		next := ec2types.BlockDeviceMapping{DeviceName: m.DeviceName}
		if e := m.Ebs; e != nil {
			next.Ebs = &ec2types.EbsBlockDevice{
				DeleteOnTermination:      e.DeleteOnTermination,
				Encrypted:                e.Encrypted,
				Iops:                     e.Iops,
				KmsKeyId:                 e.KmsKeyId,
				SnapshotId:               e.SnapshotId,
				Throughput:               e.Throughput,
				VolumeInitializationRate: e.VolumeInitializationRate,
				VolumeSize:               e.VolumeSize,
				VolumeType:               e.VolumeType,
			}
		}
		out = append(out, next)
	}
	return out
}
