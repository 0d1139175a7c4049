package nodepool

import (
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/drift"
	"github.com/dovetail-sh/dovetail/provider"
)

// asked is what nodes are to be beside what their pool says.
type asked struct {
	class   provider.Class
	aliases karpenterv1.LabelAliases
}

// rollout counts how far a pool's nodes are what it and its class ask for. What can be compared is compared here and
// now: a change of the template must not look finished until the drift controller has come by. The rest, such as
// images, is what the conditions Drifted say.
func rollout(pool *karpenterv1.NodePool, claims []karpenterv1.NodeClaim, of asked, now time.Time) {
	s := &karpenterv1.RolloutStatus{Nodes: int32(len(claims))}
	for i := range claims {
		c := &claims[i]
		switch {
		case outdated(pool, c, of):
			s.Outdated++
			if !c.DeletionTimestamp.IsZero() || condition.IsTrue(c, karpenterv1.ConditionDisruptionReason) {
				s.Replacing++
			}
		case !condition.IsTrue(c, karpenterv1.ConditionInitialized):
			s.UpToDate++
			s.Starting++
		default:
			s.UpToDate++
		}
	}
	pool.Status.Rollout = s
	if s.Outdated == 0 {
		condition.TrueBecause(pool, now, karpenterv1.ConditionRolledOut, karpenterv1.ConditionRolledOut, "")
		return
	}
	condition.False(
		pool,
		now,
		karpenterv1.ConditionRolledOut,
		karpenterv1.ReasonReplacing,
		fmt.Sprintf(
			"%d of %d nodes are not what the NodePool and its node class ask for; %d of them are going",
			s.Outdated,
			s.Nodes,
			s.Replacing,
		),
	)
}

// outdated reports whether a claim is not what its pool and class ask for, as far as that is known now.
func outdated(pool *karpenterv1.NodePool, claim *karpenterv1.NodeClaim, of asked) bool {
	class := of.class
	if isDrifted(claim) || drift.OfPool(claim, pool, of.aliases) {
		return true
	}
	for key, value := range class.Stamp {
		if had, ok := claim.Annotations[key]; ok && key != class.StampVersion && had != value &&
			sameVersion(claim, class) {
			return true
		}
	}
	return false
}

// sameVersion reports whether a claim's stamp was worked out as the class's is.
func sameVersion(claim *karpenterv1.NodeClaim, class provider.Class) bool {
	return class.StampVersion == "" || claim.Annotations[class.StampVersion] == class.Stamp[class.StampVersion]
}
