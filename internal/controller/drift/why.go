package drift

import (
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/expire"
)

// settledAfter is how old a claim must be before an instance type that the cloud does not
// list makes it drift: lists of types flicker when a cloud's service does.
const settledAfter = time.Hour

// AnnotationRebalance is on claims whose machine the cloud recommends to give up, with the time of the recommendation
// in RFC 3339. Such a claim is replaced as one that has drifted: a new node first, and within budgets.
const AnnotationRebalance = "dovetail.sh/rebalance-recommended"

// reasonRebalance is why such a claim is Drifted.
const reasonRebalance = "RebalanceRecommended"

// cause is why a claim has drifted; the zero cause is that it has not.
type cause struct{ reason, message string }

// standing is why the cloud found before that a claim has drifted: what cannot be compared just now is what it was. A
// move that is under way goes on.
func standing(claim *karpenterv1.NodeClaim) cause {
	if !condition.IsTrue(claim, karpenterv1.ConditionDrifted) {
		return cause{}
	}
	switch c := condition.Get(claim, karpenterv1.ConditionDrifted); c.Reason {
	case karpenterv1.ReasonNodePoolDrifted, karpenterv1.ReasonRequirementsDrifted, reasonRebalance, reasonExpired:
		return cause{} // these were looked at anew
	default:
		return cause{c.Reason, c.Message}
	}
}

// Known is why a claim has drifted as far as the claim, its pool and the clock tell; what the cloud found before
// stands. Empty for not at all.
func Known(
	claim *karpenterv1.NodeClaim,
	pool *karpenterv1.NodePool,
	aliases karpenterv1.LabelAliases,
	now time.Time,
) (reason, message string) {
	if !condition.IsTrue(claim, karpenterv1.ConditionLaunched) {
		return "", ""
	}
	why := standing(claim)
	if here := onPaper(claim, pool, aliases, now); here.reason != "" {
		why = here
	}
	return why.reason, why.message
}

// onPaper asks nobody.
func onPaper(
	claim *karpenterv1.NodeClaim,
	pool *karpenterv1.NodePool,
	aliases karpenterv1.LabelAliases,
	now time.Time,
) cause {
	for _, why := range []cause{rebalanceDrift(claim), poolDrift(claim, pool, aliases), expiryDrift(claim, pool, now)} {
		if why.reason != "" {
			return why
		}
	}
	return cause{}
}

// rebalanceDrift is that of a claim whose machine had better go.
func rebalanceDrift(claim *karpenterv1.NodeClaim) cause {
	if claim.Annotations[AnnotationRebalance] == "" {
		return cause{}
	}
	return cause{
		reasonRebalance,
		"The cloud recommends to replace the spot machine, which is at a higher risk of being interrupted.",
	}
}

// reasonExpired is why a claim is Drifted whose time is over and whose pool wants its nodes replaced first.
const reasonExpired = "Expired"

// expiryDrift is that of a claim whose time is over, if that is drift's business.
func expiryDrift(claim *karpenterv1.NodeClaim, pool *karpenterv1.NodePool, now time.Time) cause {
	if left, expires := expire.Remaining(claim, now); !expires || left > 0 || !expire.Graceful(pool) {
		return cause{}
	}
	return cause{
		reasonExpired,
		fmt.Sprintf(
			"The node is older than expireAfter, and NodePool %s has its expired nodes replaced first.",
			pool.Name,
		),
	}
}

// poolDrift compares a claim with its pool: first the template's hash, then the requirements.
func poolDrift(claim *karpenterv1.NodeClaim, pool *karpenterv1.NodePool, aliases karpenterv1.LabelAliases) cause {
	if made := claim.Annotations[karpenterv1.NodePoolHashAnnotationKey]; made != "" &&
		claim.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey] == karpenterv1.NodePoolHashVersion &&
		made != pool.Hash() {
		return cause{
			karpenterv1.ReasonNodePoolDrifted,
			fmt.Sprintf("The template of NodePool %s has changed since the node was made.", pool.Name),
		}
	}
	for _, r := range pool.Spec.Template.Spec.Requirements {
		if problem := unmet(claim, r, aliases); problem != "" {
			return cause{
				karpenterv1.ReasonRequirementsDrifted,
				fmt.Sprintf("NodePool %s now wants %s, and the node %s.", pool.Name, describe(r), problem),
			}
		}
	}
	return cause{}
}

// OfPool reports whether a claim differs from what its pool asks for now, whatever its condition says yet.
func OfPool(claim *karpenterv1.NodeClaim, pool *karpenterv1.NodePool, aliases karpenterv1.LabelAliases) bool {
	why := poolDrift(claim, pool, aliases)
	if why.reason == karpenterv1.ReasonRequirementsDrifted &&
		!condition.IsTrue(claim, karpenterv1.ConditionLaunched) {
		return false // what it will be is the cloud's to choose
	}
	return why.reason != ""
}

// unmet says how a claim's labels break a requirement, or nothing.
func unmet(claim *karpenterv1.NodeClaim, r karpenterv1.Requirement, aliases karpenterv1.LabelAliases) string {
	op, ok := shape.OperatorOf(string(r.Operator))
	if !ok {
		return ""
	}
	key := aliases.Normalize(r.Key)
	allowed := require.Of(shape.Requirement{Key: key, Operator: op, Values: sorted(r.Values)})
	value, has := claim.Labels[key]
	switch {
	case has && !allowed.Has(value):
		return "has " + value
	case !has && !allowed.HasAbsent() && !mentions(claim, key, aliases):
		return "has no such label"
	}
	return ""
}

// mentions reports whether the claim was launched under a requirement on the label: then the
// choice was the cloud's, and a label that it did not set is no sign of drift.
func mentions(claim *karpenterv1.NodeClaim, key string, aliases karpenterv1.LabelAliases) bool {
	return slices.ContainsFunc(
		claim.Spec.Requirements,
		func(r karpenterv1.Requirement) bool { return aliases.Normalize(r.Key) == key },
	)
}

func describe(r karpenterv1.Requirement) string {
	if len(r.Values) == 0 {
		return fmt.Sprintf("%s %s", r.Key, r.Operator)
	}
	return fmt.Sprintf("%s %s %v", r.Key, r.Operator, r.Values)
}

func sorted(values []string) []string {
	out := slices.Clone(values)
	slices.Sort(out)
	return slices.Compact(out)
}

// typeDrift looks for what was launched among what the cloud sells now, sold out or not.
func typeDrift(claim *karpenterv1.NodeClaim, types []*shape.InstanceType, now time.Time) cause {
	if len(types) == 0 || now.Sub(claim.CreationTimestamp.Time) < settledAfter {
		return cause{}
	}
	name, zone, capacity := claim.Labels[shape.LabelInstanceType], claim.Labels[shape.LabelZone],
		claim.Labels[shape.LabelCapacityType]
	sold := slices.ContainsFunc(types, func(t *shape.InstanceType) bool {
		return t.Name == name && slices.ContainsFunc(t.Offerings, func(o shape.Offering) bool {
			// An on-demand machine may run in a reservation and the other way round: the cloud's own drift tells.
			return o.Zone == zone && (o.CapacityType == capacity || capacity == shape.Reserved)
		})
	})
	if sold {
		return cause{}
	}
	return cause{
		karpenterv1.ReasonInstanceTypeNotFound,
		fmt.Sprintf("Instance type %s is no longer offered as %s in %s.", name, capacity, zone),
	}
}
