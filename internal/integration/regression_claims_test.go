package integration

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// lone is a NodeClaim of the story without a pool.
func (s *scene) lone(change ...func(*karpenterv1.NodeClaim)) *karpenterv1.NodeClaim {
	claim := &karpenterv1.NodeClaim{}
	claim.Name = s.name
	claim.Labels = map[string]string{sceneLabel: s.name}
	claim.Spec.NodeClassRef = s.classRef("default")
	claim.Spec.Requirements = s.sells()
	for _, f := range change {
		f(claim)
	}
	return claim
}

// nodeOf is the node of the story's only claim, once that is initialized.
func (s *scene) nodeOf(t *testing.T) (karpenterv1.NodeClaim, *corev1.Node) {
	t.Helper()
	claim := s.count(t, 1)[0]
	node := &corev1.Node{}
	if err := s.seen.Get(t.Context(), client.ObjectKey{Name: claim.Status.NodeName}, node); err != nil {
		t.Fatal(err)
	}
	return claim, node
}

func loneClaimGetsTheTypeItNames(t *testing.T, s *scene) {
	s.create(t, s.lone(func(c *karpenterv1.NodeClaim) {
		c.Spec.Requirements = append(c.Spec.Requirements, in(corev1.LabelInstanceTypeStable, s.four))
	}))
	claim, node := s.nodeOf(t)
	if node.Labels[corev1.LabelInstanceTypeStable] != s.four ||
		claim.Labels[corev1.LabelInstanceTypeStable] != s.four {
		t.Errorf(
			"type of node and claim: %s and %s, want %s",
			node.Labels[corev1.LabelInstanceTypeStable],
			claim.Labels[corev1.LabelInstanceTypeStable],
			s.four,
		)
	}
	if !slices.Contains(s.machines(t), claim.Status.ProviderID) {
		t.Errorf("there is no machine %s", claim.Status.ProviderID)
	}
}

func loneClaimGetsWhatItRequests(t *testing.T, s *scene) {
	s.create(t, s.lone(func(c *karpenterv1.NodeClaim) { c.Spec.Resources.Requests = cpus("3") }))
	claim, node := s.nodeOf(t)
	if node.Status.Allocatable.Cpu().MilliValue() < 3000 || claim.Status.Allocatable.Cpu().MilliValue() < 3000 {
		t.Errorf(
			"allocatable of node and claim: %s and %s, 3 cores were requested",
			node.Status.Allocatable.Cpu(),
			claim.Status.Allocatable.Cpu(),
		)
	}
}

func loneClaimShowsOnItsNode(t *testing.T, s *scene) {
	s.create(t, s.lone(func(c *karpenterv1.NodeClaim) {
		c.Labels["team"] = "blue"
		c.Annotations = map[string]string{"note": "keep"}
		c.Spec.Taints = []karpenterv1.Taint{
			{Key: "team", Value: "blue", Effect: corev1.TaintEffectNoSchedule},
			{Key: "drained", Effect: corev1.TaintEffectNoExecute},
		}
	}))
	claim, node := s.nodeOf(t)
	if node.Labels["team"] != "blue" || node.Annotations["note"] != "keep" ||
		node.Labels[karpenterv1.NodeInitializedLabelKey] != "true" {
		t.Errorf("labels %v, annotations %v", node.Labels, node.Annotations)
	}
	if !hasTaint(node, "team") || !hasTaint(node, "drained") || len(node.Spec.Taints) != 2 {
		t.Errorf("taints are %v, want the claim's", node.Spec.Taints)
	}
	if owned := metav1.GetControllerOf(
		node,
	); owned == nil &&
		!slices.ContainsFunc(node.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == claim.UID }) {
		t.Errorf("owners of the node: %v, want the claim", node.OwnerReferences)
	}
}

func machineGoesWithItsClaim(t *testing.T, s *scene) {
	claim := s.lone()
	s.create(t, claim)
	_, node := s.nodeOf(t)
	if err := s.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	s.vanished(t, node)
	s.vanished(t, claim)
	if slices.Contains(s.machines(t), node.Spec.ProviderID) {
		t.Errorf("machine %s is still paid for", node.Spec.ProviderID)
	}
}

func claimGoesWithItsNode(t *testing.T, s *scene) {
	s.create(t, s.lone())
	claim, node := s.nodeOf(t)
	if err := s.Delete(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	s.vanished(t, node)
	s.vanished(t, &claim)
}

func claimOfMissingClassGoes(t *testing.T, s *scene) {
	claim := s.lone(func(c *karpenterv1.NodeClaim) { c.Spec.NodeClassRef.Name = "missing" })
	s.create(t, claim)
	s.vanished(t, claim)
}

// claimOfUnreadyClassGoes names a class that its cloud holds to be wrong.
func claimOfUnreadyClassGoes(t *testing.T, s *scene) {
	s.unready(t, s.name)
	claim := s.lone(func(c *karpenterv1.NodeClaim) { c.Spec.NodeClassRef.Name = s.name })
	s.create(t, claim)
	s.vanished(t, claim)
}

// machineVanishes ends a machine behind the cluster's back: claim and node go, and the pod gets another.
func machineVanishes(t *testing.T, s *scene) {
	s.create(t, s.pool(), s.app("web", 1, "500m"))
	s.healthy(t, "web", 1)
	claim, node := s.nodeOf(t)
	s.kill(t, claim.Status.ProviderID)
	s.vanished(t, &claim)
	s.vanished(t, node)
	s.healthy(t, "web", 1)
}

// orphanedNodeGoes takes a claim away by force: its machine is found by nobody but the collector.
func orphanedNodeGoes(t *testing.T, s *scene) {
	s.create(t, s.lone())
	claim, node := s.nodeOf(t)
	s.until(t, "the claim to go by force", func() string {
		now := &karpenterv1.NodeClaim{}
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(&claim), now); err != nil {
			return ""
		}
		before := now.DeepCopy()
		now.Finalizers = nil
		if err := s.Patch(t.Context(), now, client.MergeFrom(before)); err != nil {
			return err.Error()
		}
		if err := s.Delete(t.Context(), now); err != nil {
			return err.Error()
		}
		return "it is there"
	})
	s.vanished(t, node)
	s.until(t, "the machine to be given back", func() string { // its node may have gone first
		if slices.Contains(s.machines(t), node.Spec.ProviderID) {
			return node.Spec.ProviderID + " is still paid for"
		}
		return ""
	})
}

// expiredNodeIsReplaced gives nodes a short life: pods move to a new node, once.
func expiredNodeIsReplaced(pods int32) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		const life = 15 * time.Second
		pool := s.pool(budgets(karpenterv1.Budget{Nodes: "0"}), func(p *karpenterv1.NodePool) {
			p.Spec.Template.Spec.ExpireAfter = karpenterv1.After(life)
		})
		s.create(t, pool, s.app("web", pods, "100m"))
		var claims []karpenterv1.NodeClaim
		s.until(t, "a claim", func() string {
			if claims = s.claimsHere(t); len(claims) == 0 {
				return "none"
			}
			return ""
		})
		// What comes next is not to expire too. It drifts the old node, which the budget keeps.
		s.change(
			t,
			pool,
			func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.ExpireAfter = karpenterv1.NillableDuration{} },
		)
		s.healthy(t, "web", int(pods))
		s.vanished(t, &claims[0])
		if lived := time.Since(claims[0].CreationTimestamp.Time); lived < life-time.Second {
			t.Errorf("the node was gone after %s, it expires after %s", lived.Round(time.Millisecond), life)
		}
		s.healthy(t, "web", int(pods))
		s.count(t, 1)
	}
}

// sickness is how a node fails.
type sickness struct {
	status corev1.ConditionStatus
	pool   func(*karpenterv1.NodePool)
	pod    func(*corev1.PodTemplateSpec)
}

// sicken says that a node has not been ready for an hour.
func sicken(s *scene, t *testing.T, node *corev1.Node, status corev1.ConditionStatus) {
	t.Helper()
	now := &corev1.Node{}
	if err := s.seen.Get(t.Context(), client.ObjectKeyFromObject(node), now); err != nil {
		return
	}
	for i := range now.Status.Conditions {
		if c := &now.Status.Conditions[i]; c.Type == corev1.NodeReady && c.Status != status {
			c.Status, c.LastTransitionTime = status, metav1.NewTime(time.Now().Add(-time.Hour))
			_ = s.Status().Update(t.Context(), now) // a conflict is tried again
		}
	}
}

// sickNodeIsReplaced has a node be unwell for longer than any policy of the repair of before 1.15 waits.
func sickNodeIsReplaced(ill sickness) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		pool, app := s.pool(), s.app("web", 1, "500m")
		if ill.pool != nil {
			ill.pool(pool)
		}
		if ill.pod != nil {
			ill.pod(&app.Spec.Template)
		}
		s.create(t, pool, app)
		s.healthy(t, "web", 1)
		claim, node := s.nodeOf(t)
		s.until(t, "the sick node to go", func() string {
			now := s.claim(t, claim.Name)
			if now == nil {
				return ""
			}
			if now.DeletionTimestamp.IsZero() { // kwok is still the kubelet, and takes its node to be well
				sicken(s, t, node, ill.status)
			}
			return conditions(now.Status.Conditions)
		})
		s.healthy(t, "web", 1)
		if now := s.count(
			t,
			1,
		); condition.IsTrue(&now[0], karpenterv1.ConditionDrifted) ||
			now[0].Name == claim.Name {
			t.Errorf("the node was not replaced: %s", conditions(now[0].Status.Conditions))
		}
	}
}
