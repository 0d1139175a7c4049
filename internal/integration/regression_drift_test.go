package integration

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// drifting is a change of a pool by which its nodes drift, and what the nodes that replace them must show.
type drifting struct {
	change func(*karpenterv1.NodePool)
	shows  func(*corev1.Node) bool
}

func annotated(*scene) drifting {
	return drifting{
		change: func(p *karpenterv1.NodePool) { p.Spec.Template.Annotations = map[string]string{"generation": "two"} },
		shows:  func(n *corev1.Node) bool { return n.Annotations["generation"] == "two" },
	}
}

func labelled(*scene) drifting {
	return drifting{
		change: func(p *karpenterv1.NodePool) { p.Spec.Template.Labels["generation"] = "two" },
		shows:  func(n *corev1.Node) bool { return n.Labels["generation"] == "two" },
	}
}

func tainted(*scene) drifting {
	taint := karpenterv1.Taint{Key: "example.com/taint", Effect: corev1.TaintEffectPreferNoSchedule}
	return drifting{
		change: func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.Taints = []karpenterv1.Taint{taint} },
		shows:  func(n *corev1.Node) bool { return hasTaint(n, taint.Key) },
	}
}

func startupTainted(*scene) drifting {
	taint := karpenterv1.Taint{Key: "example.com/startup", Effect: corev1.TaintEffectPreferNoSchedule}
	return drifting{
		change: func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.StartupTaints = []karpenterv1.Taint{taint} },
		shows:  func(n *corev1.Node) bool { return hasTaint(n, taint.Key) },
	}
}

func required(s *scene) drifting {
	return drifting{
		change: func(p *karpenterv1.NodePool) {
			p.Spec.Template.Spec.Requirements = append(s.sells(), in(corev1.LabelInstanceTypeStable, s.four))
		},
		shows: func(n *corev1.Node) bool { return n.Labels[corev1.LabelInstanceTypeStable] == s.four },
	}
}

func hasTaint(n *corev1.Node, key string) bool {
	for _, t := range n.Spec.Taints {
		if t.Key == key {
			return true
		}
	}
	return false
}

// driftOf changes a pool: its node is said to have drifted, a new one comes, the pod moves, and the old one goes.
func driftOf(kind func(*scene) drifting) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		d := kind(s)
		pool, app := s.pool(), s.app("web", 1, "500m")
		s.create(t, pool, app)
		s.healthy(t, "web", 1)
		old := s.count(t, 1)[0]
		s.change(t, pool, d.change)
		s.drifts(t, old)
		s.until(t, "a new node that shows the change", func() string {
			for _, n := range s.nodesHere(t) {
				if n.Name == old.Status.NodeName || !d.shows(&n) {
					continue
				}
				return withoutStartupTaints(s, t, &n)
			}
			return "none"
		})
		s.vanished(t, &old)
		pods := s.healthy(t, "web", 1)
		if claims := s.count(t, 1); claims[0].Status.NodeName != pods[0].Spec.NodeName {
			t.Errorf("the pod is on %s, the new node is %s", pods[0].Spec.NodeName, claims[0].Status.NodeName)
		}
	}
}

// withoutStartupTaints does what whoever owns them does once the node is set up.
func withoutStartupTaints(s *scene, t *testing.T, n *corev1.Node) (missing string) {
	t.Helper()
	before := n.DeepCopy()
	n.Spec.Taints = nil
	for _, taint := range before.Spec.Taints {
		if taint.Key != "example.com/startup" {
			n.Spec.Taints = append(n.Spec.Taints, taint)
		}
	}
	if len(n.Spec.Taints) == len(before.Spec.Taints) {
		return ""
	}
	if n.Labels[karpenterv1.NodeRegisteredLabelKey] != "true" {
		return "it is not registered"
	}
	if err := s.Patch(
		t.Context(),
		n,
		client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}),
	); err != nil {
		return err.Error()
	}
	return ""
}

// relabel makes all nodes of a pool drift.
func relabel(p *karpenterv1.NodePool) { p.Spec.Template.Labels["generation"] = "two" }

// replaced waits until none of the old claims is left, and reports how many were going at most at once.
func (s *scene) replaced(t *testing.T, old []karpenterv1.NodeClaim) (most int) {
	t.Helper()
	s.until(t, "all old nodes to go", func() string {
		most = max(most, s.leaving(t))
		left := 0
		for _, c := range old {
			if s.claim(t, c.Name) != nil {
				left++
			}
		}
		if left > 0 {
			return fmt.Sprintf("%d of %d are left", left, len(old))
		}
		return ""
	})
	return most
}

// emptied starts n nodes, one pod on each, and takes the pods away.
func (s *scene) emptied(t *testing.T, pool *karpenterv1.NodePool, n int32) []karpenterv1.NodeClaim {
	t.Helper()
	app := s.app("web", n, "1500m")
	s.create(t, pool, app)
	s.healthy(t, "web", int(n))
	claims := s.count(t, int(n))
	s.resize(t, app, 0)
	s.healthy(t, "web", 0)
	return claims
}

func driftKeepsTheBudgetOfEmptyNodes(t *testing.T, s *scene) {
	pool := s.pool(budgets(karpenterv1.Budget{Nodes: "50%"}))
	old := s.emptied(t, pool, 3)
	s.change(t, pool, relabel)
	if most := s.replaced(t, old); most > 2 {
		t.Errorf("%d of 3 nodes were going at once, the budget is 50 %%, which is 2", most)
	}
	s.count(t, 0)
}

func driftKeepsTheBudgetWhenPodsFitElsewhere(t *testing.T, s *scene) {
	pool := s.pool(budgets(karpenterv1.Budget{Nodes: "50%"}))
	app := s.app("web", 9, "500m")
	s.create(t, pool, app)
	s.healthy(t, "web", 9)
	old := s.count(t, 3)
	s.resize(t, app, 3)
	s.healthy(t, "web", 3)
	s.change(t, pool, relabel)
	if most := s.replaced(t, old); most > 2 {
		t.Errorf("%d of 3 nodes were going at once, the budget is 50 %%, which is 2", most)
	}
	s.healthy(t, "web", 3)
}

func driftKeepsTheBudgetWhenReplacing(t *testing.T, s *scene) {
	pool := s.pool(budgets(karpenterv1.Budget{Nodes: "3"}))
	app := s.app("web", 5, "1500m")
	s.create(t, pool, app)
	s.healthy(t, "web", 5)
	old := s.count(t, 5)
	s.change(t, pool, relabel)
	if most := s.replaced(t, old); most > 3 {
		t.Errorf("%d of 5 nodes were going at once, the budget is 3", most)
	}
	s.healthy(t, "web", 5)
	s.count(t, 5)
}

func blocking() karpenterv1.Budget { return karpenterv1.Budget{Nodes: "0"} }

// blockingNow allows nothing for an hour that began a few minutes ago.
func blockingNow() karpenterv1.Budget {
	at := time.Now().UTC().Add(-5 * time.Minute)
	schedule := fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())
	return karpenterv1.Budget{Nodes: "0", Schedule: &schedule, Duration: durationOf(time.Hour)}
}

// restless is how long a story watches that nothing happens: longer than several rounds of every controller.
const restless = 15 * time.Second

func driftIsBlockedBy(budget func() karpenterv1.Budget) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		pool := s.pool(budgets(budget()))
		old := s.emptied(t, pool, 1)
		s.change(t, pool, relabel)
		s.drifts(t, old...)
		s.undisturbed(t, old)
	}
}

// undisturbed watches for a while that claims live and none of them is chosen to go.
func (s *scene) undisturbed(t *testing.T, claims []karpenterv1.NodeClaim) {
	t.Helper()
	s.steady(t, restless, func() string {
		if n := s.leaving(t); n > 0 {
			return fmt.Sprintf("%d nodes are going", n)
		}
		for _, c := range claims {
			if s.claim(t, c.Name) == nil {
				return c.Name + " is gone"
			}
		}
		return ""
	})
}

// staleHashVersionIsNoDrift writes hashes of an earlier version: they are written anew, and nothing drifts.
func staleHashVersionIsNoDrift(t *testing.T, s *scene) {
	pool := s.pool()
	s.create(t, pool, s.app("web", 1, "500m"))
	s.healthy(t, "web", 1)
	claim := s.count(t, 1)[0]
	want, version := claim.Annotations[karpenterv1.NodePoolHashAnnotationKey], claim.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey]
	stale := []byte(
		fmt.Sprintf(
			`{"metadata":{"annotations":{%q:"test-hash-1",%q:"test-version-1"}}}`,
			karpenterv1.NodePoolHashAnnotationKey,
			karpenterv1.NodePoolHashVersionAnnotationKey,
		),
	)
	for _, o := range []client.Object{pool, &claim} {
		if err := s.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", stale)); err != nil {
			t.Fatal(err)
		}
	}
	s.until(t, "the hashes to be written anew", func() string {
		now, of := s.claim(t, claim.Name), &karpenterv1.NodePool{}
		if err := s.seen.Get(t.Context(), client.ObjectKeyFromObject(pool), of); err != nil || now == nil {
			return fmt.Sprint(err)
		}
		for _, o := range []client.Object{now, of} {
			if got := o.GetAnnotations(); got[karpenterv1.NodePoolHashAnnotationKey] != want ||
				got[karpenterv1.NodePoolHashVersionAnnotationKey] != version {
				return fmt.Sprintf("%s has %v", o.GetName(), got)
			}
		}
		return ""
	})
	s.steady(t, restless/2, func() string {
		if now := s.claim(t, claim.Name); now == nil || condition.IsTrue(now, karpenterv1.ConditionDrifted) {
			return "the claim drifted"
		}
		return ""
	})
}

// unhealthyPodsBlockDrift has pods that are not ready, of which their budget lets none go.
func unhealthyPodsBlockDrift(t *testing.T, s *scene) {
	pool, app := s.pool(), s.app("web", 2, "1500m")
	most := intstr.FromInt32(1)
	guard := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "web"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &most, Selector: app.Spec.Selector},
	}
	s.create(t, pool, guard, app)
	s.healthy(t, "web", 2)
	old := s.count(t, 2)
	pods := s.podsOf(t, "web")
	for _, p := range pods {
		for i := range p.Status.Conditions {
			if p.Status.Conditions[i].Type == corev1.PodReady {
				p.Status.Conditions[i].Status = corev1.ConditionFalse
			}
		}
		if err := s.Status().Update(t.Context(), &p); err != nil {
			t.Fatal(err)
		}
	}
	s.until(t, "the budget to allow nothing", func() string {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(guard), guard); err != nil {
			return err.Error()
		}
		if guard.Status.CurrentHealthy > 0 || guard.Status.DisruptionsAllowed > 0 {
			return fmt.Sprintf("%+v", guard.Status)
		}
		return ""
	})
	s.change(t, pool, relabel)
	s.drifts(t, old...)
	s.undisturbed(t, old)
}

// driftWaitsForInitialization replaces nodes by ones that never get rid of a startup taint: the old ones stay.
func driftWaitsForInitialization(t *testing.T, s *scene) {
	pool := s.pool(budgets(karpenterv1.Budget{Nodes: "1"}))
	s.create(t, pool, s.app("web", 2, "1500m"))
	s.healthy(t, "web", 2)
	old := s.count(t, 2)
	s.change(t, pool, func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.StartupTaints = []karpenterv1.Taint{
			{Key: "example.com/startup", Effect: corev1.TaintEffectNoExecute},
		}
	})
	s.drifts(t, old...)
	s.until(t, "one more claim, registered and not initialized", func() string {
		claims := s.claimsHere(t)
		for i := range claims {
			if condition.IsTrue(&claims[i], karpenterv1.ConditionRegistered) &&
				!condition.IsTrue(&claims[i], karpenterv1.ConditionInitialized) {
				return ""
			}
		}
		return fmt.Sprintf("%d claims", len(claims))
	})
	s.steady(t, restless, func() string {
		claims := s.claimsHere(t)
		for _, c := range old {
			if now := s.claim(t, c.Name); now == nil || !now.DeletionTimestamp.IsZero() {
				return c.Name + " goes, and its replacement is not ready"
			}
		}
		if len(claims) != len(old)+1 {
			return fmt.Sprintf("%d claims, want the old %d and one more", len(claims), len(old))
		}
		return ""
	})
	s.healthy(t, "web", 2)
}

func poolCarriesItsHash(t *testing.T, s *scene) {
	pool := s.pool()
	s.create(t, pool)
	s.until(t, "the pool's hash", func() string {
		now := &karpenterv1.NodePool{}
		if err := s.seen.Get(t.Context(), client.ObjectKeyFromObject(pool), now); err != nil {
			return err.Error()
		}
		want := now.Hash()
		if got := now.Annotations[karpenterv1.NodePoolHashAnnotationKey]; got != want ||
			now.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey] != karpenterv1.NodePoolHashVersion {
			return fmt.Sprintf("annotations %v, want hash %s", now.Annotations, want)
		}
		return ""
	})
}
