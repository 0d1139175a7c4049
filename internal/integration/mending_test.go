package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// mending are stories of nodes that fall sick on AWS, and of what EC2 makes of their reboots.
func mending() []act {
	return []act{
		{"Mending/Repair", brokenNodeIsReplacedFirst},
		{"Mending/Budget", repairWaitsForBudgets},
		{"Mending/Reboot", rebootOnEC2},
		{"Mending/SlowReboot", slowRebootIsWaitedFor},
		{"Mending/RefusedReboot", refusedRebootIsAReplacement},
		{"Mending/DeadAfterReboot", deadAfterItsRebootIsReplaced},
	}
}

// goWrong has calls or machines go wrong until the story is over.
func goWrong(t *testing.T, s *scene, r fault.Rule) {
	t.Helper()
	added, err := s.sim.Faults().Add(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sim.Faults().Clear(added.ID); err != nil {
			t.Error(err)
		}
	})
}

// instanceOf is the ID of a claim's instance.
func instanceOf(c karpenterv1.NodeClaim) string {
	return c.Status.ProviderID[strings.LastIndex(c.Status.ProviderID, "/")+1:]
}

// nextBoot are the parameters of an instance's boots after its first.
func nextBoot(c karpenterv1.NodeClaim) map[string]string {
	return map[string]string{"InstanceId": instanceOf(c), "Reboot": "true"}
}

// rebootOnEC2 has a fault that a reset mends: the instance is the same afterwards, and no other was paid for.
func rebootOnEC2(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	ail(t, s, node.Name, s.soft, time.Hour)
	booted(t, s, claim, node.Status.NodeInfo.BootID)
	heal(t, s, node.Name, s.soft)
	s.healthy(t, "web", 1)
	isTheSame(t, s, claim)
}

func isTheSame(t *testing.T, s *scene, claim karpenterv1.NodeClaim) {
	t.Helper()
	if now, _ := s.nodeOf(t); now.Name != claim.Name || now.Status.ProviderID != claim.Status.ProviderID {
		t.Errorf("%s with %s, want %s with %s",
			now.Name, now.Status.ProviderID, claim.Name, claim.Status.ProviderID)
	}
}

// slowRebootIsWaitedFor has a machine take its time: meanwhile no pod may come, nothing is bought for those that it
// had, and it is not asked to reboot again.
func slowRebootIsWaitedFor(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	goWrong(t, s, fault.Rule{
		Kind: fault.SlowBoot, Params: nextBoot(claim), Hold: fault.Duration(8 * time.Second),
	})
	ail(t, s, node.Name, s.soft, time.Hour)
	s.until(t, "EC2 to be asked", func() string {
		if n := len(s.claimsHere(t)); n != 1 {
			t.Fatalf("%d claims while the node boots, want the one", n)
		}
		now := s.claim(t, claim.Name)
		c := condition.Get(now, karpenterv1.ConditionRebooting)
		if c == nil || c.Reason != karpenterv1.ReasonRebootIssued {
			return conditions(now.Status.Conditions)
		}
		return ""
	})
	s.until(t, "the node to be back", func() string {
		if n := len(s.claimsHere(t)); n != 1 {
			t.Fatalf("%d claims while the node boots, want the one", n)
		}
		is := &corev1.Node{}
		if err := s.seen.Get(t.Context(), client.ObjectKey{Name: node.Name}, is); err != nil {
			return err.Error()
		}
		if is.Status.NodeInfo.BootID != node.Status.NodeInfo.BootID {
			return ""
		}
		if !hasTaint(is, karpenterv1.RebootingTaintKey) {
			t.Fatal("pods may come to a node that is booting")
		}
		return "it boots"
	})
	booted(t, s, claim, node.Status.NodeInfo.BootID)
	heal(t, s, node.Name, s.soft)
	s.healthy(t, "web", 1)
	isTheSame(t, s, claim)
}

// refusedRebootIsAReplacement has IAM not allow reboots: the node is replaced instead, its replacement first, and the
// claim says which action is missing.
func refusedRebootIsAReplacement(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	goWrong(t, s, fault.Rule{
		Kind: fault.AccessDenied, Service: "ec2", Action: "RebootInstances",
		Params: map[string]string{"InstanceId.1": instanceOf(claim)},
	})
	ail(t, s, node.Name, s.soft, time.Hour)
	s.until(t, "the claim to say what is missing", func() string {
		if now := s.claim(t, claim.Name); now != nil {
			if told := s.events(t, &claim); !strings.Contains(told, "ec2:RebootInstances") {
				return told + conditions(now.Status.Conditions)
			}
		}
		return ""
	})
	replacementFirst(t, s, claim)
}

// deadAfterItsRebootIsReplaced has a machine that never comes back, and the time for that lie behind it.
func deadAfterItsRebootIsReplaced(t *testing.T, s *scene) {
	claim, node := one(t, s, s.pool(graceful(5*time.Second)))
	goWrong(t, s, fault.Rule{Kind: fault.BootFailure, Params: nextBoot(claim)})
	ail(t, s, node.Name, s.soft, time.Hour)
	s.until(t, "the reboot to lie back", func() string {
		now := s.claim(t, claim.Name)
		c := condition.Get(now, karpenterv1.ConditionRebooting)
		if c == nil || c.Reason != karpenterv1.ReasonRebootIssued {
			return conditions(now.Status.Conditions)
		}
		now = now.DeepCopy()
		for i := range now.Status.Conditions {
			if c := &now.Status.Conditions[i]; c.Type == karpenterv1.ConditionRebooting {
				c.LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Hour))
			}
		}
		if err := s.Status().Update(t.Context(), now); err != nil {
			return err.Error()
		}
		before := now.DeepCopy()
		now.Annotations[nodehealth.AnnotationRebootIssued] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		if err := s.Patch(t.Context(), now, client.MergeFrom(before)); err != nil {
			return err.Error()
		}
		return ""
	})
	replacementFirst(t, s, claim)
}

// replacementFirst watches that a claim goes only when another is ready, and that one runs the pod.
func replacementFirst(t *testing.T, s *scene, old karpenterv1.NodeClaim) {
	t.Helper()
	s.until(t, "the node to go", func() string {
		claims := s.claimsHere(t)
		ready := slices.ContainsFunc(claims, func(c karpenterv1.NodeClaim) bool {
			return c.Name != old.Name && condition.IsTrue(&c, karpenterv1.ConditionInitialized)
		})
		for _, c := range claims {
			if c.Name == old.Name && c.DeletionTimestamp.IsZero() {
				return fmt.Sprintf("%d claims: %s", len(claims), conditions(c.Status.Conditions))
			}
		}
		if !ready {
			t.Error("it goes, and nothing is ready to take its pod")
		}
		return ""
	})
	isReplaced(t, s, old)
}
