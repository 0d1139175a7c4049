package collect

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// minAge is how old a machine must be before its claim should have been seen, and a claim before its machine should.
const minAge = 30 * time.Second

// lost is what has no other half.
type lost struct {
	machines []provider.Machine
	claims   []*karpenterv1.NodeClaim
}

// orphans compares what the cloud has with what the cluster knows.
func orphans(machines []provider.Machine, claims []karpenterv1.NodeClaim, nodes []corev1.Node, now time.Time) lost {
	var out lost
	byID := map[string]bool{}
	waiting := map[string]bool{} // claims that do not know their machine yet, by name
	for i := range claims {
		if id := claims[i].Status.ProviderID; id != "" {
			byID[id] = true
		} else {
			waiting[claims[i].Name] = true
		}
	}
	exists := map[string]bool{}
	for _, m := range machines {
		exists[m.ProviderID] = true
		if m.State == provider.Stopping || byID[m.ProviderID] || waiting[m.Claim] || now.Sub(m.Launched) < minAge {
			continue
		}
		out.machines = append(out.machines, m)
	}

	ready := map[string]bool{}
	for i := range nodes {
		ready[nodes[i].Spec.ProviderID] = condition.NodeReady(&nodes[i])
	}
	for i := range claims {
		claim := &claims[i]
		id := claim.Status.ProviderID
		registered := condition.Get(claim, karpenterv1.ConditionRegistered)
		switch {
		case id == "" || exists[id] || ready[id] || !claim.DeletionTimestamp.IsZero():
		case !condition.IsTrue(claim, karpenterv1.ConditionRegistered) && !translate.Gone(claim):
			// A machine that dies before its node joins is the registration timeout's business:
			// the cloud may list a new machine late.
		case now.Sub(registered.LastTransitionTime.Time) < minAge:
		default:
			out.claims = append(out.claims, claim)
		}
	}
	return out
}
