package aws

import (
	"context"
	"errors"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/userdata"
)

// validationPool is what templates made only to be validated are tagged with.
const validationPool = "validation"

// typicalPods stands in for the number of pods while no instance type is chosen.
const typicalPods = 110

// verdict is what ValidationSucceeded says.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

// validate checks what selectors cannot: tags, user data, and by dry runs the permissions.
func (c *Cloud) validate(ctx context.Context, class *awsv1.EC2NodeClass) error {
	v, err := c.judge(ctx, class)
	if err != nil {
		return c.unresolved(class, awsv1.ConditionValidationSucceeded, err)
	}
	condition.Set(class, c.clock.Now(), metav1.Condition{
		Type: awsv1.ConditionValidationSucceeded, Status: v.status, Reason: v.reason, Message: sentence(v.message),
	})
	return nil
}

func (c *Cloud) judge(ctx context.Context, class *awsv1.EC2NodeClass) (verdict, error) {
	if err := checkTags(class.Spec.Tags); err != nil {
		return refused(awsv1.ReasonTagValidationFailed, err.Error()), nil
	}
	claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{karpenterv1.NodePoolLabelKey: validationPool}}}
	if _, err := c.userData(ctx, class, claim, typicalPods); err != nil {
		return userDataVerdict(err)
	}
	for _, needed := range []string{awsv1.ConditionAMIsReady, awsv1.ConditionSubnetsReady, awsv1.ConditionSecurityGroupsReady, awsv1.ConditionInstanceProfileReady} {
		if !condition.IsTrue(class, needed) {
			return verdict{metav1.ConditionUnknown, awsv1.ReasonDependenciesNotReady, needed + " must be True first"}, nil
		}
	}
	if c.settings.DisableDryRun {
		return verdict{metav1.ConditionTrue, awsv1.ReasonDryRunDisabled, ""}, nil
	}
	instanceType, imageID, err := c.example(ctx, class)
	if err != nil {
		return verdict{}, err
	}
	content, err := c.content(ctx, class, claim, variant{imageID: imageID, maxPods: typicalPods})
	if err != nil {
		return verdict{}, err
	}
	name, err := launchtemplate.Name(content)
	if err != nil {
		return verdict{}, err
	}
	v, err := c.validated.Get(class.Name+name, func() (verdict, error) {
		v, err := c.dryRun(ctx, class, instanceType, content)
		if err == nil && v.status != metav1.ConditionTrue {
			return v, errRefused // not kept: the user is about to correct it
		}
		return v, err
	})
	if errors.Is(err, errRefused) {
		return v, nil
	}
	return v, err
}

// errRefused keeps a refusal out of the memory of verdicts.
var errRefused = errors.New("refused")

func refused(reason, message string) verdict {
	return verdict{metav1.ConditionFalse, reason, message}
}

func userDataVerdict(err error) (verdict, error) {
	var long userdata.TooLong
	var malformed *userdata.Malformed
	switch {
	case errors.As(err, &long):
		return refused(awsv1.ReasonUserDataSizeLimitExceeded, long.Error()), nil
	case errors.As(err, &malformed):
		return refused(reasonUserDataWrong, malformed.Error()), nil
	case isServiceCIDR(err):
		return refused(awsv1.ReasonClusterCIDRResolutionFailed,
			"AL2023 nodes need the cluster's service CIDR, and EKS does not tell it: "+awserror.Text(err)), nil
	}
	return verdict{}, err
}

// dryRun asks EC2 whether each call of a launch would be let through.
func (c *Cloud) dryRun(ctx context.Context, class *awsv1.EC2NodeClass, instanceType string, content launchtemplate.Content) (verdict, error) {
	template, err := c.templates.Ensure(ctx, content)
	if err != nil {
		return permission(err, "ec2:CreateLaunchTemplate", awsv1.ReasonCreateLaunchTemplateAuthCheckFailed)
	}
	where := class.Status.Subnets[0]
	tags := c.tags(class, validationPool)
	request := fleet.Input(fleet.Request{CapacityType: shape.OnDemand, Tags: tags, Offers: []fleet.Offer{{
		InstanceType: instanceType, Zone: where.Zone, Subnet: where.ID, ImageID: content.ImageID, Template: template,
	}}})
	request.DryRun = awssdk.Bool(true)
	if _, err := c.ec2.CreateFleet(ctx, request); err != nil && !awserror.IsDryRunPassed(err) {
		return permission(err, "ec2:CreateFleet", awsv1.ReasonCreateFleetAuthCheckFailed)
	}
	_, err = c.ec2.RunInstances(ctx, &ec2.RunInstancesInput{
		DryRun:         awssdk.Bool(true),
		MinCount:       awssdk.Int32(1),
		MaxCount:       awssdk.Int32(1),
		InstanceType:   ec2types.InstanceType(instanceType),
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{LaunchTemplateName: awssdk.String(template), Version: awssdk.String("$Latest")},
		NetworkInterfaces: []ec2types.InstanceNetworkInterfaceSpecification{
			{DeviceIndex: awssdk.Int32(0), SubnetId: awssdk.String(where.ID), Groups: content.SecurityGroups},
		},
		TagSpecifications: []ec2types.TagSpecification{
			{ResourceType: ec2types.ResourceTypeInstance, Tags: launchtemplate.Tags(tags)},
			{ResourceType: ec2types.ResourceTypeVolume, Tags: launchtemplate.Tags(tags)},
		},
	})
	if err != nil && !awserror.IsDryRunPassed(err) {
		return permission(err, "ec2:RunInstances", awsv1.ReasonRunInstancesAuthCheckFailed)
	}
	return verdict{metav1.ConditionTrue, awsv1.ConditionValidationSucceeded, ""}, nil
}

// permission turns a refusal into a verdict. Throttling and outages are errors.
func permission(err error, action, reason string) (verdict, error) {
	if awserror.IsUnauthorized(err) {
		return refused(reason, fmt.Sprintf("The controller's IAM role does not allow %s: %s", action, awserror.Text(err))), nil
	}
	if awserror.IsDefinite(err) && !awserror.IsThrottled(err) {
		return refused(reason, fmt.Sprintf("EC2 refuses %s for this class: %s", action, awserror.Text(err))), nil
	}
	return verdict{}, err
}

// example is a type that one of the class's images runs on, and that image: a common type if it is sold here.
func (c *Cloud) example(ctx context.Context, class *awsv1.EC2NodeClass) (instanceType, imageID string, err error) {
	sold, err := c.inventory.List(ctx)
	if err != nil {
		return "", "", err
	}
	setup := c.setup(class)
	for _, name := range []string{"m5.large", "m6g.large"} {
		if info, ok := infoOf(sold, name); ok {
			if ami, ok := image.For(class.Status.AMIs, instancetype.New(info, setup)); ok {
				return name, ami.ID, nil
			}
		}
	}
	for _, info := range sold.Types {
		if ami, ok := image.For(class.Status.AMIs, instancetype.New(info, setup)); ok {
			return string(info.InstanceType), ami.ID, nil
		}
	}
	return "", "", fmt.Errorf("no instance type sold in %s can run any of the class's AMIs", c.region)
}
