package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/userdata"
)

// tokenTagKey carries the token that an instance was launched with, by which it is found
// again when the answer was lost.
const tokenTagKey = "dovetail.sh/launch-token"

// variant is what differs between templates of one launch.
type variant struct {
	imageID     string
	maxPods     int64
	kubelet     string // kubelet.Settings for the type, as JSON so that variants compare
	efas        int
	reservation string
	kind        fleet.Kind
	spot        bool
	group       string // ID of the placement group
	partition   int    // of the group, from 1; 0 for none
	dedicated   bool
}

// variantOf is the template for nodes of a candidate, with as many EFAs as the type has if they are wanted.
func variantOf(c provider.Candidate, imageID string, wantsEFA bool) variant {
	group, _ := shape.LabelValue(c.Offering.Extra, awsv1.LabelPlacementGroupID)            // empty for none
	partition, _ := shape.LabelValue(c.Offering.Extra, awsv1.LabelPlacementGroupPartition) // empty for none
	v := variant{
		imageID:     imageID,
		maxPods:     c.Type.Capacity.Pods,
		reservation: c.Offering.Reservation,
		kind:        kindOf(c),
		group:       group,
		spot:        c.Offering.CapacityType == shape.Spot,
		dedicated:   dedicated(c),
	}
	v.partition, _ = strconv.Atoi(partition) // 0 for none
	if wantsEFA {
		v.efas = int(c.Type.Capacity.Get(string(awsv1.ResourceEFA)))
	}
	return v
}

// market is the market that instances of a kind of reservation are bought on.
func (v variant) market() ec2types.MarketType {
	switch v.kind {
	case fleet.Block:
		return ec2types.MarketTypeCapacityBlock
	case fleet.Interruptible:
		return ec2types.MarketTypeInterruptibleCapacityReservation
	}
	return ""
}

// content is the template for a claim's nodes.
func (c *contents) content(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	claim *karpenterv1.NodeClaim,
	v variant,
) (launchtemplate.Content, error) {
	text, err := c.userData(ctx, class, claim, v)
	if err != nil {
		return launchtemplate.Content{}, err
	}
	groups := make([]string, len(class.Status.SecurityGroups))
	for i, g := range class.Status.SecurityGroups {
		groups[i] = g.ID
	}
	slices.Sort(groups)
	dns, err := c.cluster.dns(ctx)
	if err != nil {
		return launchtemplate.Content{}, err
	}
	return launchtemplate.Content{
		ImageID:            v.imageID,
		InstanceProfile:    class.Status.InstanceProfile,
		SecurityGroups:     groups,
		UserData:           text,
		BlockDevices:       blockDevices(class),
		Metadata:           class.Spec.MetadataOptions,
		Monitoring:         deref(class.Spec.DetailedMonitoring),
		CPUOptions:         class.Spec.CPUOptions,
		NetworkInterfaces:  class.Spec.NetworkInterfaces,
		EFAs:               v.efas,
		PublicIP:           class.Spec.AssociatePublicIPAddress,
		IPPrefixes:         class.Spec.IPPrefixCount,
		ConnectionTracking: class.Spec.ConnectionTracking,
		IPv6:               len(dns) > 0 && strings.Contains(dns[0], ":"),
		Reservations:       c.settings.ReservedCapacity,
		Reservation:        v.reservation,
		Market:             v.market(),
		Spot:               v.spot,
		Enclaves:           class.Spec.EnclaveOptions != nil && class.Spec.EnclaveOptions.Enabled,
		PlacementGroup:     v.group,
		Partition:          v.partition,
		Dedicated:          v.dedicated,
		NoMetadataIPv6:     strings.HasPrefix(c.region, "us-iso"),
		Tags:               c.tags(class, claim.Labels[karpenterv1.NodePoolLabelKey]),
	}, nil
}

// userData is what the claim's nodes are told at their first start.
func (c *contents) userData(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	claim *karpenterv1.NodeClaim,
	v variant,
) (string, error) {
	var said kubelet.Settings
	if v.kubelet != "" {
		if err := json.Unmarshal([]byte(v.kubelet), &said); err != nil {
			return "", fmt.Errorf("reading the kubelet settings of a template: %w", err)
		}
	}
	o := userdata.Options{
		ClusterName: c.settings.ClusterName,
		Endpoint:    c.cluster.endpoint(),
		CABundle:    c.cluster.authority(),
		Labels:      claim.Labels,
		Taints: slices.Concat(
			karpenterv1.CoreTaints(claim.Spec.Taints),
			karpenterv1.CoreTaints(claim.Spec.StartupTaints),
			[]corev1.Taint{karpenterv1.UnregisteredTaint()},
		),
		Kubelet: said,
		MaxPods: v.maxPods,
		RAID0:   deref(class.Spec.InstanceStorePolicy) == awsv1.InstanceStorePolicyRAID0,
		User:    deref(class.Spec.UserData),

		KubeletConfig: class.Spec.Kubelet,
	}
	var err error
	if class.AMIFamily() == awsv1.AMIFamilyAL2023 {
		if o.ServiceCIDR, err = c.cluster.serviceCIDR(ctx); err != nil {
			return "", errServiceCIDR{err}
		}
	}
	if o.DNS, err = c.cluster.dns(ctx); err != nil {
		return "", err
	}
	return userdata.Render(class.AMIFamily(), o)
}

// errServiceCIDR is what AL2023 nodes cannot do without.
type errServiceCIDR struct{ error }

func (e errServiceCIDR) Unwrap() error { return e.error }

// isServiceCIDR reports an errServiceCIDR.
func isServiceCIDR(err error) bool {
	var e errServiceCIDR
	return errors.As(err, &e)
}

// tags are on everything that is made for nodes of a class and pool.
func (c *contents) tags(class *awsv1.EC2NodeClass, pool string) map[string]string {
	out := maps.Clone(class.Spec.Tags)
	if out == nil {
		out = map[string]string{}
	}
	out[awsv1.ClusterTagKeyPrefix+c.settings.ClusterName] = "owned"
	out[awsv1.EKSClusterNameTagKey] = c.settings.ClusterName
	out[awsv1.NodeClassTagKey] = class.Name
	out[awsv1.NodePoolTagKey] = pool
	return out
}

// instanceTags are on one instance and its volumes.
func (c *contents) instanceTags(
	class *awsv1.EC2NodeClass,
	claim *karpenterv1.NodeClaim,
	token string,
) map[string]string {
	out := c.tags(class, claim.Labels[karpenterv1.NodePoolLabelKey])
	if _, named := out[awsv1.NameTagKey]; !named {
		out[awsv1.NameTagKey] = claim.Name
	}
	out[awsv1.NodeClaimTagKey] = claim.Name
	out[tokenTagKey] = token
	return out
}

// ownTags are the keys that we set ourselves on an instance, besides the name.
var ownTags = []string{
	awsv1.EKSClusterNameTagKey,
	awsv1.NodePoolTagKey,
	awsv1.NodeClaimTagKey,
	awsv1.NodeClassTagKey,
	tokenTagKey,
}

// maxTags is how many tags EC2 lets an instance have.
const maxTags = 50

// checkTags refuses tags that are ours to set, and more than fit beside them, with the message for the class's
// condition.
func checkTags(tags map[string]string) error {
	own := len(ownTags) + 1 // that of the cluster
	if _, named := tags[awsv1.NameTagKey]; !named {
		own++
	}
	if len(tags)+own > maxTags {
		return fmt.Errorf(
			"spec.tags has %d tags and the controller sets %d more, but AWS allows an instance %d; remove some",
			len(tags),
			own,
			maxTags,
		)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		switch {
		case key == "":
			return errors.New("spec.tags has an empty key; remove it")
		case strings.HasPrefix(key, strings.TrimSuffix(awsv1.ClusterTagKeyPrefix, "/")),
			slices.Contains(ownTags, key):
			return fmt.Errorf("spec.tags has %s, which the controller sets itself; remove it", key)
		}
	}
	return nil
}
