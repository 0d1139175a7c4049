package integration

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// static makes a pool keep so many nodes.
func static(replicas int64) func(*karpenterv1.NodePool) {
	return func(p *karpenterv1.NodePool) { p.Spec.Replicas = &replicas }
}

// atMost limits how many nodes a pool may have.
func atMost(nodes string) func(*karpenterv1.NodePool) {
	return func(p *karpenterv1.NodePool) {
		p.Spec.Limits = corev1.ResourceList{corev1.ResourceName(shape.LimitNodes): resource.MustParse(nodes)}
	}
}

func (s *scene) setReplicas(t *testing.T, pool *karpenterv1.NodePool, replicas int64) {
	t.Helper()
	s.change(t, pool, func(p *karpenterv1.NodePool) { p.Spec.Replicas = &replicas })
}

func staticScalesUp(t *testing.T, s *scene) {
	pool := s.pool(static(10))
	s.create(t, pool)
	s.count(t, 10)
	s.setReplicas(t, pool, 15)
	s.count(t, 15)
}

func staticNodesShowTheTemplate(t *testing.T, s *scene) {
	pool := s.pool(static(2), func(p *karpenterv1.NodePool) {
		p.Spec.Template.Labels["team"] = "blue"
		p.Spec.Template.Annotations = map[string]string{"note": "keep"}
		p.Spec.Template.Spec.Taints = []karpenterv1.Taint{
			{Key: "team", Value: "blue", Effect: corev1.TaintEffectNoSchedule},
		}
	})
	s.create(t, pool)
	s.count(t, 2)
	for _, n := range s.nodesHere(t) {
		if n.Labels["team"] != "blue" || n.Annotations["note"] != "keep" || !hasTaint(&n, "team") ||
			n.Labels[karpenterv1.NodePoolLabelKey] != pool.Name {
			t.Errorf("node %s: labels %v, annotations %v, taints %v", n.Name, n.Labels, n.Annotations, n.Spec.Taints)
		}
	}
}

// within watches that a pool never has more claims than its limit.
func (s *scene) within(t *testing.T, limit int) {
	t.Helper()
	s.steady(t, restless, func() string {
		if n := len(s.claimsHere(t)); n > limit {
			return fmt.Sprintf("%d claims, the limit is %d", n, limit)
		}
		return ""
	})
}

func staticKeepsItsLimit(t *testing.T, s *scene) {
	s.create(t, s.pool(static(10), atMost("5")))
	s.count(t, 5)
	s.within(t, 5)
	s.count(t, 5)
}

func staticScalesToZero(t *testing.T, s *scene) {
	pool := s.pool(static(3))
	s.create(t, pool)
	s.count(t, 3)
	s.setReplicas(t, pool, 0)
	s.count(t, 0)
}

// staticGivesUpTheLeastFirst scales down one by one: first the empty node, then the one whose pod is cheap to
// move, and last the one with a pod that must not be disrupted.
func staticGivesUpTheLeastFirst(t *testing.T, s *scene) {
	pool := s.pool(static(3))
	s.create(t, pool)
	s.count(t, 3)
	cheap, precious := s.app("cheap", 1, "1500m"), s.app("precious", 1, "1500m", kept("true"))
	s.create(t, precious)
	onPrecious := s.healthy(t, "precious", 1)[0].Spec.NodeName
	s.create(t, cheap)
	onCheap := s.healthy(t, "cheap", 1)[0].Spec.NodeName
	s.setReplicas(t, pool, 2)
	left := s.count(t, 2)
	if !slices.ContainsFunc(left, on(onCheap)) || !slices.ContainsFunc(left, on(onPrecious)) {
		t.Fatalf("the empty node is left, and one with a pod went")
	}
	s.setReplicas(t, pool, 1)
	s.until(t, "the node with the ordinary pod to go first", func() string {
		for _, c := range s.claimsHere(t) {
			if c.Status.NodeName == onPrecious && !c.DeletionTimestamp.IsZero() {
				t.Fatal("the node with the pod that must not be disrupted goes first")
			}
		}
		if n := len(s.claimsHere(t)); n != 1 {
			return fmt.Sprintf("%d claims", n)
		}
		return ""
	})
}

func on(node string) func(karpenterv1.NodeClaim) bool {
	return func(c karpenterv1.NodeClaim) bool { return c.Status.NodeName == node }
}

// staticEvictsGracefully scales down a pool whose pods need both nodes' room only by half: the evicted ones run on.
func staticEvictsGracefully(t *testing.T, s *scene) {
	pool := s.pool(static(3))
	app := s.app("web", 2, "500m", apart)
	s.create(t, pool)
	s.count(t, 3)
	s.create(t, app)
	s.healthy(t, "web", 2)
	s.resize(t, app, 1)
	s.healthy(t, "web", 1)
	s.setReplicas(t, pool, 1)
	left := s.count(t, 1)
	if pods := s.healthy(t, "web", 1); pods[0].Spec.NodeName != left[0].Status.NodeName {
		t.Errorf("the pod is on %s, the node that is left is %s", pods[0].Spec.NodeName, left[0].Status.NodeName)
	}
}

func staticDriftReplacesAll(t *testing.T, s *scene) {
	pool := s.pool(static(3))
	s.create(t, pool)
	old := s.count(t, 3)
	s.change(t, pool, relabel)
	s.replaced(t, old)
	s.count(t, 3)
	for _, n := range s.nodesHere(t) {
		if n.Labels["generation"] != "two" {
			t.Errorf("node %s has labels %v", n.Name, n.Labels)
		}
	}
}

func staticDriftKeepsItsLimit(t *testing.T, s *scene) {
	pool := s.pool(static(4), atMost("6"))
	s.create(t, pool)
	old := s.count(t, 4)
	s.change(t, pool, relabel)
	most := 0
	s.until(t, "all old nodes to go", func() string {
		claims := s.claimsHere(t)
		most = max(most, len(claims))
		if slices.ContainsFunc(
			claims,
			func(c karpenterv1.NodeClaim) bool { return slices.ContainsFunc(old, on(c.Status.NodeName)) },
		) {
			return "some are left"
		}
		return ""
	})
	if most > 6 {
		t.Errorf("there were %d claims, the limit is 6: two at a time", most)
	}
	s.count(t, 4)
}

func staticDriftKeepsItsBudget(t *testing.T, s *scene) {
	pool := s.pool(static(4), budgets(karpenterv1.Budget{Nodes: "2"}))
	s.create(t, pool)
	old := s.count(t, 4)
	s.change(t, pool, relabel)
	if most := s.replaced(t, old); most > 2 {
		t.Errorf("%d nodes were going at once, the budget is 2", most)
	}
	s.count(t, 4)
}

// staticBesideDynamic has static nodes that pods do not tolerate: those get exactly the nodes that they need.
func staticBesideDynamic(t *testing.T, s *scene) {
	fixed := s.pool(static(2), func(p *karpenterv1.NodePool) {
		p.Name += "-static"
		p.Spec.Template.Spec.Taints = []karpenterv1.Taint{
			{Key: "static", Value: "true", Effect: corev1.TaintEffectNoSchedule},
		}
	})
	s.create(t, fixed, s.pool())
	s.count(t, 2)
	s.create(t, s.app("web", 3, "500m", apart))
	s.healthy(t, "web", 3)
	s.count(t, 5)
	for _, p := range s.podsOf(t, "web") {
		n := &corev1.Node{}
		if err := s.seen.Get(t.Context(), client.ObjectKey{Name: p.Spec.NodeName}, n); err != nil {
			t.Fatal(err)
		}
		if n.Labels[karpenterv1.NodePoolLabelKey] != s.name {
			t.Errorf("pod %s is on a node of pool %s", p.Name, n.Labels[karpenterv1.NodePoolLabelKey])
		}
	}
}

// staticNeverPassesItsLimit scales up while nodes drift.
func staticNeverPassesItsLimit(t *testing.T, s *scene) {
	pool := s.pool(static(3), atMost("5"))
	s.create(t, pool)
	s.count(t, 3)
	s.change(t, pool, func(p *karpenterv1.NodePool) {
		relabel(p)
		*p.Spec.Replicas = 5
	})
	s.within(t, 5)
	s.count(t, 5)
}

func staticPoolTakesItsNodesAlong(t *testing.T, s *scene) {
	pool := s.pool(static(3))
	s.create(t, pool)
	s.count(t, 3)
	if err := s.Delete(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	s.count(t, 0)
}
