package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
)

// commonTypes are sold nearly everywhere, and few policies forbid them.
var commonTypes = []string{"m5.large", "m6g.large"}

// trial is a launch that is tried without being made.
type trial struct {
	instanceType, zone, subnet string
	content                    launchtemplate.Content
}

// validationKey is the same while a class's trials come to the same. Which subnet of a zone has the most free addresses does
// not count: that changes all the time.
func validationKey(class *awsv1.EC2NodeClass, trials []trial) (string, error) {
	var parts []string
	for _, s := range class.Status.Subnets {
		parts = append(parts, s.ID)
	}
	for _, t := range trials {
		name, err := launchtemplate.Name(t.content)
		if err != nil {
			return "", err
		}
		parts = append(parts, strings.Join([]string{t.zone, t.instanceType, name}, "/"))
	}
	slices.Sort(parts)
	return class.Name + "/" + strings.Join(parts, ","), nil
}

// trials are a launch in each zone of the class: in the subnet that a launch would take, of a type that is sold there, runs
// one of the class's images and may come from one of its NodePools. There is none for a zone without such a type.
func (c *Cloud) trials(ctx context.Context, class *awsv1.EC2NodeClass, claim *karpenterv1.NodeClaim) ([]trial, error) {
	sold, err := c.inventory.List(ctx)
	if err != nil {
		return nil, err
	}
	wishes, err := c.wishes(ctx, class)
	if err != nil {
		return nil, err
	}
	var out []trial
	seen := map[string]bool{}
	for _, where := range class.Status.Subnets { // that with the most free addresses first
		if seen[where.Zone] {
			continue
		}
		seen[where.Zone] = true
		name, ami, ok := c.example(class, sold, where.Zone, wishes)
		if !ok {
			continue
		}
		content, err := c.content(ctx, class, claim, variant{imageID: ami.ID, maxPods: typicalPods, dedicated: onlyDedicated(wishes)})
		if err != nil {
			return nil, err
		}
		out = append(out, trial{instanceType: name, zone: where.Zone, subnet: where.ID, content: content})
	}
	return out, nil
}

// wishes are what each NodePool of the class requires of its nodes. Policies may forbid everything else.
func (c *Cloud) wishes(ctx context.Context, class *awsv1.EC2NodeClass) ([]require.Set, error) {
	pools := &karpenterv1.NodePoolList{}
	if err := c.client.List(ctx, pools); err != nil {
		return nil, fmt.Errorf("listing the NodePools of EC2NodeClass %s: %w", class.Name, err)
	}
	var out []require.Set
	for i := range pools.Items {
		claim := pools.Items[i].Spec.Template.NodeClaim()
		ref := claim.Spec.NodeClassRef
		if ref == nil || ref.GroupKind() != c.ClassKinds()[0] || ref.Name != class.Name {
			continue
		}
		if reqs, err := provider.RequirementsOf(claim); err == nil { // the schema lets no other operator through
			out = append(out, require.New(reqs))
		}
	}
	return out, nil
}

// example is a type for a zone and the image that it starts from. A type that one of the NodePools may buy comes first.
func (c *Cloud) example(class *awsv1.EC2NodeClass, sold *inventory.List, zone string, wishes []require.Set) (string, awsv1.AMI, bool) {
	setup := c.setup(class)
	suits := func(info ec2types.InstanceTypeInfo, wishes []require.Set) (awsv1.AMI, bool) {
		if !slices.Contains(sold.Zones[string(info.InstanceType)], zone) || !instancetype.Supported(info, class) {
			return awsv1.AMI{}, false
		}
		it := instancetype.New(info, setup)
		if len(wishes) > 0 && !slices.ContainsFunc(wishes, func(w require.Set) bool { return meets(it, zone, w) }) {
			return awsv1.AMI{}, false
		}
		return image.For(class.Status.AMIs, it)
	}
	for _, wished := range [][]require.Set{wishes, nil} {
		for _, name := range commonTypes {
			if info, ok := infoOf(sold, name); ok {
				if ami, ok := suits(info, wished); ok {
					return name, ami, true
				}
			}
		}
		for _, info := range sold.Types {
			if ami, ok := suits(info, wished); ok {
				return string(info.InstanceType), ami, true
			}
		}
	}
	return "", awsv1.AMI{}, false
}

// meets reports whether a type without offerings has, in a zone, what is required.
func meets(it *shape.InstanceType, zone string, wanted require.Set) bool {
	if !wanted.Get(shape.LabelZone).Has(zone) {
		return false
	}
	return !slices.ContainsFunc(it.Requirements, func(r shape.Requirement) bool { return !wanted.Get(r.Key).Overlaps(require.Of(r)) })
}

// dryRun asks EC2 whether each call of a launch would be let through. One trial that is let through is enough: a type may be
// sold out or unknown in one zone, and a launch goes to another then.
func (c *Cloud) dryRun(ctx context.Context, class *awsv1.EC2NodeClass, trials []trial) (verdict, error) {
	template, err := c.templates.Ensure(ctx, trials[0].content)
	if err != nil {
		return permission(err, "ec2:CreateLaunchTemplate", awsv1.ReasonCreateLaunchTemplateAuthCheckFailed)
	}
	_, err = c.ec2.CreateFleet(ctx, c.tryFleet(class, trials[0], template))
	switch {
	case awserror.IsLaunchTemplateNotFound(err):
		return c.noTemplate(template, err)
	case err != nil && !awserror.IsDryRunPassed(err):
		return permission(err, "ec2:CreateFleet", awsv1.ReasonCreateFleetAuthCheckFailed)
	}
	passed := verdict{metav1.ConditionTrue, awsv1.ConditionValidationSucceeded, ""}
	var first *verdict
	for _, t := range trials {
		if template, err = c.templates.Ensure(ctx, t.content); err != nil {
			return permission(err, "ec2:CreateLaunchTemplate", awsv1.ReasonCreateLaunchTemplateAuthCheckFailed)
		}
		_, err := c.ec2.RunInstances(ctx, c.tryInstance(class, t, template))
		switch {
		case err == nil || awserror.IsDryRunPassed(err):
			return passed, nil
		case awserror.IsNoCapacity(awserror.Code(err)):
			continue // no fault of the class
		case awserror.IsLaunchTemplateNotFound(err):
			return c.noTemplate(template, err)
		case awserror.IsNoProfile(err):
			return c.noProfile(class), nil
		}
		v, err := permission(err, "ec2:RunInstances", awsv1.ReasonRunInstancesAuthCheckFailed)
		if err != nil {
			return verdict{}, err
		}
		if first == nil {
			first = &v
		}
	}
	if first != nil {
		return *first, nil
	}
	return passed, nil
}

func (c *Cloud) tryFleet(class *awsv1.EC2NodeClass, t trial, template string) *ec2.CreateFleetInput {
	in := fleet.Input(fleet.Request{CapacityType: shape.OnDemand, Tags: c.tags(class, validationPool), Offers: []fleet.Offer{{
		InstanceType: t.instanceType, Zone: t.zone, Subnet: t.subnet, ImageID: t.content.ImageID, Template: template,
	}}})
	in.DryRun = awssdk.Bool(true)
	return in
}

func (c *Cloud) tryInstance(class *awsv1.EC2NodeClass, t trial, template string) *ec2.RunInstancesInput {
	tags := launchtemplate.Tags(c.tags(class, validationPool))
	return &ec2.RunInstancesInput{
		DryRun:         awssdk.Bool(true),
		MinCount:       awssdk.Int32(1),
		MaxCount:       awssdk.Int32(1),
		InstanceType:   ec2types.InstanceType(t.instanceType),
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{LaunchTemplateName: awssdk.String(template), Version: awssdk.String("$Latest")},
		NetworkInterfaces: []ec2types.InstanceNetworkInterfaceSpecification{
			{DeviceIndex: awssdk.Int32(0), SubnetId: awssdk.String(t.subnet), Groups: t.content.SecurityGroups},
		},
		TagSpecifications: []ec2types.TagSpecification{
			{ResourceType: ec2types.ResourceTypeInstance, Tags: tags},
			{ResourceType: ec2types.ResourceTypeVolume, Tags: tags},
		},
	}
}

// noTemplate is for a launch template that EC2 does not know: it was just made, or somebody has deleted it. That is no fault
// of the class; it is made again when the class is next looked at.
func (c *Cloud) noTemplate(name string, err error) (verdict, error) {
	c.templates.Forget(name)
	return verdict{}, fmt.Errorf("trying launch template %s: %w", name, err)
}

// noProfile is for a profile that EC2 does not know. One that we made is on its way there from IAM, or was deleted by somebody
// else; it is looked at again.
func (c *Cloud) noProfile(class *awsv1.EC2NodeClass) verdict {
	name := class.Status.InstanceProfile
	if class.Spec.Role == "" {
		return refused(awsv1.ReasonInstanceProfileNotFound, fmt.Sprintf("Instance profile %q does not exist; create it or correct spec.instanceProfile", name))
	}
	c.profiles.Forget(name)
	return verdict{metav1.ConditionUnknown, awsv1.ReasonInstanceProfileNotFound,
		fmt.Sprintf("EC2 does not know instance profile %q yet; IAM takes a few seconds to spread it", name)}
}

// permission turns a refusal into a verdict. Throttling and outages are errors.
func permission(err error, action, reason string) (verdict, error) {
	if awserror.IsUnauthorized(err) {
		return refused(reason, fmt.Sprintf("The controller's IAM role does not allow %s: %s", awserror.Action(err), awserror.Text(err))), nil
	}
	if awserror.IsDefinite(err) && !awserror.IsThrottled(err) {
		return refused(reason, fmt.Sprintf("EC2 refuses %s for this class: %s", action, awserror.Text(err))), nil
	}
	return verdict{}, err
}
