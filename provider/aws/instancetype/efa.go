package instancetype

import (
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// efaOnlyOnFirstCard is how many interfaces of the first card carry EFA traffic alone: they have no address for pods.
func efaOnlyOnFirstCard(s Setup) int {
	n := 0
	for _, i := range s.NetworkInterfaces {
		if i.InterfaceType == awsv1.InterfaceTypeEFAOnly && i.NetworkCardIndex == 0 {
			n++
		}
	}
	return n
}

// efas is how many EFA interfaces a node has: as many as its class says, else as many as its type can have.
func efas(info ec2types.InstanceTypeInfo, s Setup) int64 {
	if len(s.NetworkInterfaces) == 0 {
		return int64(maxEFAs(info))
	}
	var n int64
	for _, i := range s.NetworkInterfaces {
		if i.InterfaceType == awsv1.InterfaceTypeEFAOnly {
			n++
		}
	}
	return n
}

// maxEFAs is how many EFA interfaces a type can have.
func maxEFAs(info ec2types.InstanceTypeInfo) int32 {
	if info.NetworkInfo == nil || info.NetworkInfo.EfaInfo == nil {
		return 0
	}
	return deref(info.NetworkInfo.EfaInfo.MaximumEfaInterfaces)
}
