package nodepool

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// verdict is what is known of a pool's surroundings.
type verdict struct {
	class        provider.Class
	classMissing bool
	kinds        []schema.GroupKind // that the cloud understands
	rules        []karpenterv1.LabelRules
}

// judge sets a pool's conditions.
func judge(pool *karpenterv1.NodePool, v verdict, now time.Time) {
	if problems := pool.Validate(v.rules...); len(problems) > 0 {
		condition.False(
			pool,
			now,
			karpenterv1.ConditionValidationSucceeded,
			karpenterv1.ReasonNodePoolValidationFailed,
			problems.ToAggregate().Error(),
		)
	} else {
		condition.True(pool, now, karpenterv1.ConditionValidationSucceeded)
	}
	judgeClass(pool, v, now)
	condition.RollUpReady(pool, now)
}

func judgeClass(pool *karpenterv1.NodePool, v verdict, now time.Time) {
	ref := pool.Spec.Template.Spec.NodeClassRef
	name := fmt.Sprintf("%s %s", ref.Kind, ref.Name)
	no := func(reason, message string) {
		condition.False(pool, now, karpenterv1.ConditionNodeClassReady, reason, message)
	}
	switch {
	case !slices.Contains(v.kinds, ref.GroupKind()):
		no(
			karpenterv1.ReasonNodeClassNotFound,
			fmt.Sprintf("%s of group %s is not a node class of this cloud; use %s", name, ref.Group, known(v.kinds)),
		)
	case v.classMissing:
		no(
			karpenterv1.ReasonNodeClassNotFound,
			fmt.Sprintf("%s does not exist; create it or correct spec.template.spec.nodeClassRef", name),
		)
	case v.class.Deleting:
		no(karpenterv1.ReasonNodeClassTerminating, fmt.Sprintf("%s is being deleted", name))
	case v.class.Ready:
		condition.True(pool, now, karpenterv1.ConditionNodeClassReady)
	case v.class.Reason == "":
		condition.Unknown(
			pool,
			now,
			karpenterv1.ConditionNodeClassReady,
			karpenterv1.ReasonNodeClassReadinessUnknown,
			fmt.Sprintf("%s has not been looked at yet", name),
		)
	default:
		no(v.class.Reason, fmt.Sprintf("%s is not ready: %s", name, v.class.Message))
	}
}

func known(kinds []schema.GroupKind) string {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, fmt.Sprintf("%s of group %s", k.Kind, k.Group))
	}
	return strings.Join(names, " or ")
}

func isDrifted(claim *karpenterv1.NodeClaim) bool {
	return condition.IsTrue(claim, karpenterv1.ConditionDrifted)
}
