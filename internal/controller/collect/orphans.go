package collect

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// minAge is how old a machine must be before its claim should have been seen, and a claim before its machine should.
const minAge = 30 * time.Second

// listedWithin is how long a cloud may take to list a machine that it sold. A machine that is not there after that has
// ended before its node joined: for want of a key or a quota for its disks, or because it was taken back.
const listedWithin = 2 * time.Minute

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
		if id == "" || exists[id] || ready[id] || !claim.DeletionTimestamp.IsZero() {
			continue
		}
		if settled(claim, now) {
			out.claims = append(out.claims, claim)
		}
	}
	return out
}

// settled reports whether a claim's machine would be listed by now if it were there.
func settled(claim *karpenterv1.NodeClaim, now time.Time) bool {
	if c := condition.Get(claim, karpenterv1.ConditionRegistered); condition.IsTrue(
		claim,
		karpenterv1.ConditionRegistered,
	) || translate.Gone(claim) {
		return now.Sub(c.LastTransitionTime.Time) >= minAge
	}
	c := condition.Get(claim, karpenterv1.ConditionLaunched)
	return c != nil && c.Status == metav1.ConditionTrue && now.Sub(c.LastTransitionTime.Time) >= listedWithin
}
