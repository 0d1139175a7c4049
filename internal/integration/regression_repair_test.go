package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// ail gives a node a condition that it has had for so long.
func ail(t *testing.T, s *scene, node string, with corev1.NodeCondition, ago time.Duration) {
	t.Helper()
	s.until(t, "node "+node+" to be sick", func() string {
		now := &corev1.Node{}
		if err := s.seen.Get(t.Context(), client.ObjectKey{Name: node}, now); err != nil {
			return err.Error()
		}
		with.LastTransitionTime = metav1.NewTime(time.Now().Add(-ago))
		i := slices.IndexFunc(now.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == with.Type })
		if i < 0 {
			now.Status.Conditions = append(now.Status.Conditions, with)
		} else {
			now.Status.Conditions[i] = with
		}
		if err := s.Status().Update(t.Context(), now); err != nil {
			return err.Error() // a conflict is tried again
		}
		return ""
	})
}

// heal ends an ailment.
func heal(t *testing.T, s *scene, node string, with corev1.NodeCondition) {
	t.Helper()
	with.Reason = ""
	if with.Status == corev1.ConditionTrue {
		with.Status = corev1.ConditionFalse
	} else {
		with.Status = corev1.ConditionTrue
	}
	ail(t, s, node, with, 0)
}

// one starts a pool with one pod on one node.
func one(t *testing.T, s *scene, pool *karpenterv1.NodePool,
	change ...func(*corev1.PodTemplateSpec),
) (karpenterv1.NodeClaim, *corev1.Node) {
	t.Helper()
	s.create(t, pool, s.app("web", 1, "500m", change...))
	s.healthy(t, "web", 1)
	return s.nodeOf(t)
}

// isReplaced waits until a claim is gone and another node runs the pod.
func isReplaced(t *testing.T, s *scene, old karpenterv1.NodeClaim) {
	t.Helper()
	s.until(t, "the sick node to go", func() string {
		if now := s.claim(t, old.Name); now != nil {
			return conditions(now.Status.Conditions)
		}
		return ""
	})
	s.healthy(t, "web", 1)
	if now := s.count(t, 1); now[0].Name == old.Name {
		t.Error("the node was not replaced")
	}
}

// silentNodeIsReplaced has a kubelet fall silent.
func silentNodeIsReplaced(status corev1.ConditionStatus) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		claim, node := one(t, s, s.pool(graceful(5*time.Second)))
		// kwok is the kubelet, as long as this annotation is there.
		patch := client.RawPatch(
			"application/merge-patch+json",
			[]byte(`{"metadata":{"annotations":{"kwok.x-k8s.io/node":null}}}`),
		)
		if err := s.Patch(t.Context(), node, patch); err != nil {
			t.Fatal(err)
		}
		ail(t, s, node.Name, corev1.NodeCondition{Type: corev1.NodeReady, Status: status}, time.Hour)
		isReplaced(t, s, claim)
	}
}

// brokenNodeIsReplacedFirst watches that the sick node goes only when its replacement is ready.
func brokenNodeIsReplacedFirst(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	ail(t, s, node.Name, s.broken, time.Hour)
	s.until(t, "the sick node to go", func() string {
		old := s.claim(t, claim.Name)
		if old == nil || !old.DeletionTimestamp.IsZero() {
			return ""
		}
		return conditions(old.Status.Conditions)
	})
	if !slices.ContainsFunc(s.claimsHere(t), func(c karpenterv1.NodeClaim) bool {
		return c.Name != claim.Name && condition.IsTrue(&c, karpenterv1.ConditionInitialized)
	}) {
		t.Error("the sick node goes, and nothing is ready to take its pod")
	}
	isReplaced(t, s, claim)
}

// repairWaitsForBudgets has a budget of none hold a sick node, until it is lifted.
func repairWaitsForBudgets(t *testing.T, s *scene) {
	pool := s.pool(
		graceful(5*time.Second),
		budgets(
			karpenterv1.Budget{
				Nodes:   "0",
				Reasons: []karpenterv1.DisruptionReason{karpenterv1.DisruptionReasonUnhealthy},
			},
		),
	)
	claim, node := one(t, s, pool)
	ail(t, s, node.Name, s.broken, time.Hour)
	stays(t, s, claim)
	s.change(t, pool, func(p *karpenterv1.NodePool) { p.Spec.Disruption.Budgets[0].Nodes = "1" })
	isReplaced(t, s, claim)
}

// stays watches that nothing becomes of a claim for a while.
func stays(t *testing.T, s *scene, claim karpenterv1.NodeClaim) {
	t.Helper()
	s.steady(t, restless, func() string {
		now := s.claim(t, claim.Name)
		if now == nil || condition.IsTrue(now, karpenterv1.ConditionDisruptionReason) ||
			!now.DeletionTimestamp.IsZero() ||
			len(s.claimsHere(t)) != 1 {
			return "it is disturbed"
		}
		return ""
	})
}

// repairOverrulesTheNode has a sick node whose annotation is about what is done by choice.
func repairOverrulesTheNode(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	annotate(t, s, node, karpenterv1.DoNotDisruptAnnotationKey, "true")
	ail(t, s, node.Name, s.broken, time.Hour)
	isReplaced(t, s, claim)
}

func annotate(t *testing.T, s *scene, node *corev1.Node, key, value string) {
	t.Helper()
	text := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
	if value == "" {
		text = fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, key)
	}
	if err := s.Patch(t.Context(), node, client.RawPatch("application/merge-patch+json", []byte(text))); err != nil {
		t.Fatal(err)
	}
}

// repairForcesPodsInTheEnd has a pod that must not be disturbed on a sick node: it has the time that the drain may
// take.
func repairForcesPodsInTheEnd(t *testing.T, s *scene) {
	const bound = 15 * time.Second
	claim, node := one(t, s, s.pool(graceful(bound)), kept("true"), func(p *corev1.PodTemplateSpec) {
		short := int64(2)
		p.Spec.TerminationGracePeriodSeconds = &short
	})
	ail(t, s, node.Name, s.broken, time.Hour)
	var began time.Time
	s.until(t, "the drain to begin", func() string {
		if now := s.claim(t, claim.Name); now != nil && now.DeletionTimestamp.IsZero() {
			return conditions(now.Status.Conditions)
		}
		began = time.Now()
		return ""
	})
	isReplaced(t, s, claim)
	if took := time.Since(began); took < bound/2 {
		t.Errorf("the pod was gone after %s, it had %s", took, bound)
	}
}

func repairIsVetoed(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	annotate(t, s, node, karpenterv1.DoNotRepairAnnotationKey, "true")
	ail(t, s, node.Name, s.broken, time.Hour)
	stays(t, s, claim)
}

// oneAtMost watches that a pool never has more claims than one, until all old ones are gone.
func oneAtMost(t *testing.T, s *scene, old karpenterv1.NodeClaim) {
	t.Helper()
	s.until(t, "the old node to go", func() string {
		claims := s.claimsHere(t)
		if len(claims) > 1 {
			t.Fatalf("%d claims, the limit is 1", len(claims))
		}
		if slices.ContainsFunc(claims, func(c karpenterv1.NodeClaim) bool { return c.Name == old.Name }) {
			return "it is there"
		}
		return ""
	})
	if now := s.count(t, 1); now[0].Name == old.Name {
		t.Error("the node was not replaced")
	}
}

func staticRepairEndsFirst(t *testing.T, s *scene) {
	s.create(t, s.pool(static(1), atMost("1"), graceful(5*time.Second), budgets(karpenterv1.Budget{Nodes: "1"})))
	old := s.count(t, 1)[0]
	ail(t, s, old.Status.NodeName, s.broken, time.Hour)
	oneAtMost(t, s, old)
}

func staticDriftEndsFirst(t *testing.T, s *scene) {
	pool := s.pool(static(1), atMost("1"), budgets(karpenterv1.Budget{Nodes: "1"}))
	s.create(t, pool)
	old := s.count(t, 1)[0]
	s.change(t, pool, relabel)
	oneAtMost(t, s, old)
}

// booted waits until a node has another boot ID, and its reboot has ended so.
func booted(t *testing.T, s *scene, claim karpenterv1.NodeClaim, before string) (now string) {
	t.Helper()
	s.until(t, "the node to be rebooted", func() string {
		c, node := s.claim(t, claim.Name), &corev1.Node{}
		if c == nil {
			t.Fatal("the node was replaced")
		}
		if err := s.seen.Get(t.Context(), client.ObjectKey{Name: claim.Status.NodeName}, node); err != nil {
			t.Fatal(err)
		}
		now = node.Status.NodeInfo.BootID
		if is := condition.Get(c, karpenterv1.ConditionRebooting); now == before || is == nil ||
			is.Reason != karpenterv1.ReasonRebootSucceeded ||
			!condition.IsTrue(c, karpenterv1.ConditionInitialized) ||
			len(node.Spec.Taints) > 0 {
			return fmt.Sprintf("boot ID %s, taints %v, %s", now, node.Spec.Taints, conditions(c.Status.Conditions))
		}
		return ""
	})
	return now
}

// nodeIsRebooted has a node with an ailment that a reboot mends: same claim, same Node, same machine.
func nodeIsRebooted(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	ail(t, s, node.Name, s.soft, time.Hour)
	booted(t, s, claim, node.Status.NodeInfo.BootID)
	heal(t, s, node.Name, s.soft)
	s.healthy(t, "web", 1)
	if now, _ := s.nodeOf(t); now.Name != claim.Name || now.Status.ProviderID != claim.Status.ProviderID {
		t.Errorf(
			"claim %s, machine %s; it was %s, %s",
			now.Name,
			now.Status.ProviderID,
			claim.Name,
			claim.Status.ProviderID,
		)
	}
}

// podRidesThroughAReboot has a pod that must not be evicted: it is the same pod afterwards.
func podRidesThroughAReboot(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(6*time.Second)), kept("true"))
	before := s.podsOf(t, "web")[0].UID
	ail(t, s, node.Name, s.soft, time.Hour)
	booted(t, s, claim, node.Status.NodeInfo.BootID)
	heal(t, s, node.Name, s.soft)
	if now := s.podsOf(t, "web"); len(now) != 1 || now[0].UID != before {
		t.Errorf("%d pods, and it was another one", len(now))
	}
}

// rebootsAreNoUseInTheEnd has an ailment that comes back: two reboots, then another node.
func rebootsAreNoUseInTheEnd(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	boot := node.Status.NodeInfo.BootID
	for range 2 {
		ail(t, s, node.Name, s.soft, time.Hour)
		boot = booted(t, s, claim, boot)
		heal(t, s, node.Name, s.soft)
		forgetReboot(t, s, claim)
	}
	ail(t, s, node.Name, s.soft, time.Hour)
	isReplaced(t, s, claim)
}

// forgetReboot has the end of a reboot lie an hour back, so that the next ailment is due at once.
func forgetReboot(t *testing.T, s *scene, claim karpenterv1.NodeClaim) {
	t.Helper()
	s.until(t, "the reboot to lie back", func() string {
		now := s.claim(t, claim.Name)
		now = now.DeepCopy()
		for i := range now.Status.Conditions {
			if c := &now.Status.Conditions[i]; c.Type == karpenterv1.ConditionRebooting {
				c.LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Hour))
			}
		}
		if err := s.Status().Update(t.Context(), now); err != nil {
			return err.Error()
		}
		return ""
	})
}

// rebootsKeepTheBudget has two of ten nodes ailing, and a budget of one.
func rebootsKeepTheBudget(t *testing.T, s *scene) {
	s.create(t, s.pool(static(10), graceful(3*time.Second), budgets(karpenterv1.Budget{Nodes: "1"})))
	claims := s.count(t, 10)
	s.until(t, "all nodes to be ready", func() string {
		for _, c := range s.claimsHere(t) {
			if !condition.IsTrue(&c, karpenterv1.ConditionInitialized) {
				return c.Name + " is not"
			}
		}
		return ""
	})
	ill := claims[:2]
	for _, c := range ill {
		ail(t, s, c.Status.NodeName, s.soft, time.Hour)
	}
	done := map[string]bool{}
	s.until(t, "both to be rebooted", func() string {
		booting := 0
		for _, c := range s.claimsHere(t) {
			is := condition.Get(&c, karpenterv1.ConditionRebooting)
			if is != nil && is.Status == metav1.ConditionTrue {
				booting++
			} else if is != nil && !done[c.Name] {
				done[c.Name] = true
				heal(t, s, c.Status.NodeName, s.soft)
			}
		}
		if booting > 1 {
			t.Fatalf("%d nodes boot at once, the budget is 1", booting)
		}
		if len(done) < len(ill) {
			return fmt.Sprintf("%d were", len(done))
		}
		return ""
	})
}
