package aws

import (
	"context"
	"fmt"
	"slices"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

// asksDedicated reports whether a NodePool of the class speaks of dedicated machines. Only then are they on offer to
// the class's pools: they would double what every plan has to look at.
func (c *classes) asksDedicated(ctx context.Context, class *awsv1.EC2NodeClass) (bool, error) {
	pools := &karpenterv1.NodePoolList{}
	if err := c.client.List(ctx, pools, client.UnsafeDisableDeepCopy); err != nil { // they are only read, and often
		return false, fmt.Errorf("listing the NodePools of EC2NodeClass %s: %w", class.Name, err)
	}
	return slices.ContainsFunc(pools.Items, func(pool karpenterv1.NodePool) bool {
		ref := pool.Spec.Template.Spec.NodeClassRef
		return ref != nil && ref.GroupKind() == classGroupKind && ref.Name == class.Name &&
			offering.AsksDedicated(&pool)
	}), nil
}

// onlyDedicated reports whether none of some NodePools takes machines on shared hardware.
func onlyDedicated(wishes []require.Set) bool {
	return len(wishes) > 0 &&
		!slices.ContainsFunc(
			wishes,
			func(w require.Set) bool { return w.Get(awsv1.LabelInstanceTenancy).Has(awsv1.TenancyDefault) },
		)
}

// dedicated reports whether a candidate's machine runs on hardware of the account's own.
func dedicated(c provider.Candidate) bool {
	tenancy, _ := shape.LabelValue(
		c.Offering.Extra,
		awsv1.LabelInstanceTenancy,
	) // without the label none of the type's machines does
	return tenancy == awsv1.TenancyDedicated
}

// isDedicated reports whether EC2 runs an instance on hardware of the account's own.
func isDedicated(i ec2types.Instance) bool {
	return i.Placement != nil && i.Placement.Tenancy == ec2types.TenancyDedicated
}

// dropDedicated leaves out dedicated machines if others remain: those are for claims that may have no other, and AWS
// takes a fee for the first in a region. What is reserved is paid for.
func dropDedicated(candidates []provider.Candidate) []provider.Candidate {
	if !slices.ContainsFunc(candidates, func(c provider.Candidate) bool { return !dedicated(c) }) {
		return candidates
	}
	return keep(
		candidates,
		func(c provider.Candidate) bool { return !dedicated(c) || c.Offering.CapacityType == shape.Reserved },
	)
}
