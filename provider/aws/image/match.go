package image

import (
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// For is the first of the AMIs that an instance type can start from.
func For(amis []awsv1.AMI, it *shape.InstanceType) (awsv1.AMI, bool) {
	has := require.New(it.Requirements)
	for _, ami := range amis {
		if suits(ami, has) {
			return ami, true
		}
	}
	return awsv1.AMI{}, false
}

// Serves reports whether one of the images that a family publishes starts an instance type, whatever the version of
// Kubernetes. It does for families that publish none: their images are the user's.
func Serves(family string, it *shape.InstanceType) bool {
	published, err := parameters(awsv1.Alias{Family: family, Version: awsv1.AliasVersionLatest}, "")
	if err != nil {
		return true
	}
	has := require.New(it.Requirements)
	return slices.ContainsFunc(
		published,
		func(p parameter) bool { return suits(awsv1.AMI{Requirements: p.requirements}, has) },
	)
}

func suits(ami awsv1.AMI, has require.Set) bool {
	for _, r := range ami.Requirements {
		op, ok := shape.OperatorOf(string(r.Operator))
		if !ok ||
			!require.Of(shape.Requirement{Key: r.Key, Operator: op, Values: r.Values}).Overlaps(has.Get(r.Key)) {
			return false
		}
	}
	return true
}

// read takes what counts out of EC2's description.
func read(image ec2types.Image, now time.Time) found {
	deprecated := false
	if at, err := time.Parse(time.RFC3339, awssdk.ToString(image.DeprecationTime)); err == nil {
		deprecated = !at.After(now)
	}
	return found{
		id:         awssdk.ToString(image.ImageId),
		name:       awssdk.ToString(image.Name),
		arch:       string(image.Architecture),
		created:    awssdk.ToString(image.CreationDate),
		deprecated: deprecated,
	}
}
