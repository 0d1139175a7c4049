package terminate

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// AskToLeave asks the pods of a node that stays, and is about to be rebooted, to go, in the order in which a drain
// does. It only evicts: no pod is deleted against its PodDisruptionBudget. done says that none is left to wait for, by
// the API server's own word.
func (r *Nodes) AskToLeave(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
) (done bool, err error) {
	pods, err := r.podsOf(ctx, node, claim, time.Time{})
	if err != nil {
		return false, err
	}
	todo := nextDrain(r.rank, pods, time.Time{}, r.Clock.Now())
	if todo.done() {
		return true, nil
	}
	_, err = r.carryOut(ctx, node, claim, todo, time.Time{})
	return false, err
}
