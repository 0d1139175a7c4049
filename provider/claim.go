package provider

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// RequirementsOf reads a claim's requirements in the planner's words, ascending by key.
// Other names of well-known labels are replaced. An operator that does not exist is an error.
func RequirementsOf(claim *karpenterv1.NodeClaim, aliases karpenterv1.LabelAliases) ([]shape.Requirement, error) {
	out := make([]shape.Requirement, 0, len(claim.Spec.Requirements))
	for _, r := range claim.Spec.Requirements {
		op, ok := shape.OperatorOf(string(r.Operator))
		if !ok {
			return nil, fmt.Errorf(
				"reading requirement %s of NodeClaim %s: there is no operator %q",
				r.Key,
				claim.Name,
				r.Operator,
			)
		}
		values := slices.Clone(r.Values)
		slices.Sort(values)
		next := shape.Requirement{Key: aliases.Normalize(r.Key), Operator: op, Values: slices.Compact(values)}
		if r.MinValues != nil {
			next.MinValues = int32(min(*r.MinValues, math.MaxInt32))
		}
		out = append(out, next)
	}
	slices.SortStableFunc(out, func(a, b shape.Requirement) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Operator, b.Operator))
	})
	return out, nil
}

// NeedOf is what a claim's node must be able to hold.
func NeedOf(claim *karpenterv1.NodeClaim) shape.Vector {
	return VectorOf(claim.Spec.Resources.Requests)
}

// CandidatesFor lists what suits a claim, the cheapest first.
func CandidatesFor(
	claim *karpenterv1.NodeClaim,
	types []*shape.InstanceType,
	aliases karpenterv1.LabelAliases,
) ([]Candidate, error) {
	reqs, err := RequirementsOf(claim, aliases)
	if err != nil {
		return nil, err
	}
	return Candidates(types, reqs, NeedOf(claim)), nil
}

// VectorOf counts resources in base units: milli-cores of cpu, bytes, pieces. Fractions round up, and
// what is beyond MaxAmount counts as that.
func VectorOf(list corev1.ResourceList) shape.Vector {
	var v shape.Vector
	for name, q := range list {
		switch string(name) {
		case shape.CPU:
			v.CPU = Amount(&q, resource.Milli)
		case shape.Memory:
			v.Memory = Amount(&q, 0)
		case shape.Ephemeral:
			v.Ephemeral = Amount(&q, 0)
		case shape.Pods:
			v.Pods = Amount(&q, 0)
		default:
			if n := Amount(&q, 0); n != 0 {
				v.Extended = append(v.Extended, shape.Amount{Resource: string(name), Value: n})
			}
		}
	}
	slices.SortFunc(v.Extended, func(a, b shape.Amount) int { return cmp.Compare(a.Resource, b.Resource) })
	return v
}

// ResourceListOf is the inverse of VectorOf. Resources of which there is nothing are left out.
func ResourceListOf(v shape.Vector) corev1.ResourceList {
	out := corev1.ResourceList{}
	v.Each(func(name string, value int64) {
		switch name {
		case shape.CPU:
			out[corev1.ResourceCPU] = *resource.NewMilliQuantity(value, resource.DecimalSI)
		case shape.Memory, shape.Ephemeral:
			out[corev1.ResourceName(name)] = *resource.NewQuantity(value, resource.BinarySI)
		default:
			out[corev1.ResourceName(name)] = *resource.NewQuantity(value, resource.DecimalSI)
		}
	})
	return out
}
