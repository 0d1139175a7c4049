package launchtemplate

import (
	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"k8s.io/apimachinery/pkg/api/resource"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// volume is an encrypted gp3 volume that goes with the instance.
func volume(device, size string) awsv1.BlockDeviceMapping {
	quantity := resource.MustParse(size)
	return awsv1.BlockDeviceMapping{
		DeviceName: awssdk.String(device),
		EBS: &awsv1.BlockDevice{
			DeleteOnTermination: awssdk.Bool(true),
			Encrypted:           awssdk.Bool(true),
			VolumeSize:          &quantity,
			VolumeType:          awssdk.String("gp3"),
		},
	}
}
