package aws

import (
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
)

// Reasons of drift.
const (
	DriftNodeClass     = "NodeClassDrift"
	DriftAMI           = "AMIDrift"
	DriftSubnet        = "SubnetDrift"
	DriftSecurityGroup = "SecurityGroupDrift"
	DriftReservation   = "CapacityReservationDrift"
	DriftPlacement     = "PlacementGroupDrift"
)

// Drift compares an instance with its EC2NodeClass as it is now. While the class is not
// ready only the spec is compared: an empty status is no reason to replace nodes.
func (c *drifter) Drift(ctx context.Context, claim *karpenterv1.NodeClaim) (string, error) {
	if claim.Spec.NodeClassRef == nil || claim.Status.ProviderID == "" {
		return "", nil
	}
	class, err := c.classes.class(ctx, *claim.Spec.NodeClassRef)
	if err != nil {
		return "", err
	}
	if c.specDrifted(class, claim) {
		return DriftNodeClass, nil
	}
	if !ready(class) {
		return "", nil
	}
	drifted, err := c.imageDrifted(ctx, class, claim)
	if err != nil {
		return "", err
	}
	if drifted {
		return DriftAMI, nil
	}
	return c.placeDrift(ctx, class, claim)
}

// specDrifted compares hashes. Hashes of different versions say nothing.
func (c *drifter) specDrifted(class *awsv1.EC2NodeClass, claim *karpenterv1.NodeClaim) bool {
	now := c.classes.stamp(class)
	then, ok := claim.Annotations[awsv1.AnnotationEC2NodeClassHash]
	return ok &&
		claim.Annotations[awsv1.AnnotationEC2NodeClassHashVersion] == now[awsv1.AnnotationEC2NodeClassHashVersion] &&
		then != now[awsv1.AnnotationEC2NodeClassHash]
}

// imageDrifted reports whether a new instance of the same type would start from another image.
func (c *drifter) imageDrifted(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	claim *karpenterv1.NodeClaim,
) (bool, error) {
	if claim.Status.ImageID == "" {
		return false, nil
	}
	types, err := c.catalogue.offersOf(ctx, class)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(
		types,
		func(t *shape.InstanceType) bool { return t.Name == claim.Labels[shape.LabelInstanceType] },
	)
	if i < 0 {
		return false, nil
	}
	ami, ok := image.For(class.Status.AMIs, types[i])
	return !ok || ami.ID != claim.Status.ImageID, nil
}

// placeDrift compares where EC2 says the instance runs with the class's status.
func (c *drifter) placeDrift(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	claim *karpenterv1.NodeClaim,
) (string, error) {
	i, err := c.machines.instance(ctx, claim.Status.ProviderID)
	if err != nil {
		return "", err
	}
	if id := awssdk.ToString(
		i.SubnetId,
	); id != "" &&
		!slices.ContainsFunc(class.Status.Subnets, func(s awsv1.Subnet) bool { return s.ID == id }) {
		return DriftSubnet, nil
	}
	if id := awssdk.ToString(
		i.CapacityReservationId,
	); id != "" && c.settings.ReservedCapacity &&
		claim.Labels[shape.LabelCapacityType] == shape.Reserved &&
		!slices.ContainsFunc(class.Status.CapacityReservations, func(r awsv1.CapacityReservation) bool { return r.ID == id }) {
		return DriftReservation, nil
	}
	if group, known := c.placement.Known(class.Spec.PlacementGroupSelector); known && groupOf(i) != group.ID {
		return DriftPlacement, nil
	}
	if !slices.Equal(groupsOf(i), wantedGroups(class)) {
		return DriftSecurityGroup, nil
	}
	return "", nil
}

// groupOf is the ID of the placement group that an instance is in; empty for none.
func groupOf(i ec2types.Instance) string {
	if i.Placement == nil {
		return ""
	}
	return awssdk.ToString(i.Placement.GroupId)
}

// groupsOf are the IDs of an instance's security groups, ascending.
func groupsOf(i ec2types.Instance) []string {
	var ids []string
	for _, g := range i.SecurityGroups {
		ids = append(ids, awssdk.ToString(g.GroupId))
	}
	slices.Sort(ids)
	return ids
}

// wantedGroups are the IDs of the class's security groups, ascending.
func wantedGroups(class *awsv1.EC2NodeClass) []string {
	var ids []string
	for _, g := range class.Status.SecurityGroups {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return ids
}
