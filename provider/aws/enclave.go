package aws

import (
	"context"
	"fmt"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

// wantsEnclaves reports whether a claim's node is to start Nitro enclaves. No type offers the resource by itself, because
// how many enclaves a node takes is up to its image; a NodeOverlay says it.
func wantsEnclaves(claim *karpenterv1.NodeClaim) bool {
	slots := claim.Spec.Resources.Requests[awsv1.ResourceNIPSlots]
	return !slots.IsZero()
}

// enclaved are the candidates that can do what the claim wants with enclaves: EC2 refuses a launch with enclaves on a type
// that has none, and a NodeOverlay may speak of any type.
func (c *Cloud) enclaved(ctx context.Context, claim *karpenterv1.NodeClaim, candidates []provider.Candidate) ([]provider.Candidate, error) {
	if !wantsEnclaves(claim) {
		return candidates, nil
	}
	sold, err := c.inventory.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding out which instance types have Nitro enclaves, for claim %s: %w", claim.Name, err)
	}
	able := map[string]bool{}
	for _, info := range sold.Types {
		able[string(info.InstanceType)] = info.NitroEnclavesSupport == ec2types.NitroEnclavesSupportSupported
	}
	var out []provider.Candidate
	for _, candidate := range candidates {
		if able[candidate.Type.Name] {
			out = append(out, candidate)
		}
	}
	if len(out) == 0 && len(candidates) > 0 {
		return nil, &provider.LaunchError{
			Reason: awserror.ReasonLaunchFailed,
			Message: fmt.Sprintf("None of the instance types that offer %s has Nitro enclaves: narrow the requirements of the NodeOverlay that offers it, or of the NodePool, to types that have them",
				awsv1.ResourceNIPSlots),
		}
	}
	return out, nil
}
