package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// driftIsReplacedFirst changes a pool's template: its node drifts, a new one comes, and only then the old one goes.
func driftIsReplacedFirst(t *testing.T, c *cluster) {
	pool, deployment := general(), web("drifting", 1, "500m")
	c.create(t, pool, deployment)
	c.running(t, "drifting", 1)
	old := c.ready(t, &c.claims(t)[0])

	before := pool.DeepCopy()
	pool.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"generation": "two"}
	if err := c.Patch(t.Context(), pool, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the claim to drift", func() string {
		got := &karpenterv1.NodeClaim{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(old), got); err != nil {
			return err.Error()
		}
		if !condition.IsTrue(got, karpenterv1.ConditionDrifted) {
			return "its conditions are: " + conditions(got.Status.Conditions)
		}
		return ""
	})
	replacedFirst := false
	eventually(t, "the drifted claim to be replaced", func() string {
		claims := c.claims(t)
		for i := range claims {
			if claims[i].Name != old.Name && condition.IsTrue(&claims[i], karpenterv1.ConditionInitialized) &&
				len(claims) == 2 {
				replacedFirst = true
			}
		}
		for i := range claims {
			if claims[i].Name == old.Name && !claims[i].DeletionTimestamp.IsZero() && !replacedFirst {
				t.Fatal("the drifted node goes, and its replacement is not there")
			}
		}
		if len(claims) != 1 || claims[0].Name == old.Name {
			return fmt.Sprintf("%d claims", len(claims))
		}
		return ""
	})
	c.running(t, "drifting", 1)
	nodes := c.nodes(t)
	if len(nodes) != 1 || nodes[0].Labels["generation"] != "two" {
		t.Errorf("%d nodes; want one with the new label", len(nodes))
	}
	c.remove(t, deployment, pool)
}

// consolidationShrinks scales down and sees the fleet become cheaper without a pod left behind.
func consolidationShrinks(t *testing.T, c *cluster) {
	pool := general(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
		p.Spec.Template.Spec.Requirements = append(p.Spec.Template.Spec.Requirements, karpenterv1.Requirement{
			Key:      corev1.LabelInstanceTypeStable,
			Operator: corev1.NodeSelectorOpIn,
			Values:   []string{"c-2x-amd64-linux"},
		})
	})
	deployment := web("shrinking", 4, "800m")
	c.create(t, pool, deployment)
	c.running(t, "shrinking", 4)
	if n := len(c.claims(t)); n != 2 {
		t.Fatalf("%d claims for four pods of which two fit a node", n)
	}
	// kube-scheduler's controllers choose which pods go; often one stays on each node.
	c.scale(t, deployment, 2)
	eventually(t, "one node for two pods", func() string {
		if claims := c.claims(t); len(claims) != 1 {
			return fmt.Sprintf("%d claims", len(claims))
		}
		return ""
	})
	c.running(t, "shrinking", 2)
	c.remove(t, deployment, pool)
}

// threeBecomeOne has three nodes of which none can be had for less, and which one node for two thirds of the price can
// replace. That moves every pod of the pool for a third of its price: too little for Balanced, enough for
// WhenEmptyOrUnderutilized.
func threeBecomeOne(t *testing.T, c *cluster) {
	m := merging(t, c, "100%", karpenterv1.ConsolidationPolicyBalanced)
	const aSearch = 12 * time.Second // they are ten seconds apart
	always(t, aSearch, func() string {
		if n := len(c.claims(t)); n != 3 {
			return fmt.Sprintf("%d claims: a third of the price is too little for Balanced", n)
		}
		return ""
	})
	eventually(t, "every node to say why it stays", func() string {
		claims := c.claims(t)
		for i := range claims {
			if got := c.events(
				t,
				&claims[i],
			); !strings.Contains(
				got,
				"Unconsolidatable: The node stays: moving it with 2 more disturbs more than it saves: it scores 0.33 of at least 0.50",
			) {
				return claims[i].Name + ": " + got
			}
		}
		return ""
	})
	m.change(t, func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	})
	m.becomesOne(t, 3)
}

// threeBecomeOneInTurns does it under a budget that lets one node go at a time.
func threeBecomeOneInTurns(t *testing.T, c *cluster) {
	merging(t, c, "1", karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized).becomesOne(t, 1)
}

const eightCores, sixteenCores = "c-8x-amd64-linux", "c-16x-amd64-linux"

// merger is three nodes of eight cores with a pod each, in a pool that may have nodes of sixteen as well.
type merger struct {
	*cluster
	pool       *karpenterv1.NodePool
	deployment *appsv1.Deployment
}

func merging(t *testing.T, c *cluster, budget string, policy karpenterv1.ConsolidationPolicy) merger {
	types := func(names ...string) karpenterv1.Requirement { return in(corev1.LabelInstanceTypeStable, names...) }
	pool := general(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = policy
		p.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: budget}}
		p.Spec.Template.Spec.Requirements = append(p.Spec.Template.Spec.Requirements, types(eightCores))
	})
	m := merger{cluster: c, pool: pool, deployment: web("merging", 3, "4700m")}
	c.create(t, pool, m.deployment)
	c.running(t, "merging", 3)
	if n := len(c.claims(t)); n != 3 {
		t.Fatalf("%d claims for three pods of which one fits a node", n)
	}
	m.change(t, func(p *karpenterv1.NodePool) {
		list := p.Spec.Template.Spec.Requirements
		list[len(list)-1] = types(eightCores, sixteenCores)
	})
	return m
}

func (m merger) change(t *testing.T, how func(*karpenterv1.NodePool)) {
	t.Helper()
	before := m.pool.DeepCopy()
	how(m.pool)
	if err := m.Patch(t.Context(), m.pool, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// untilTrusted is how long nodes may take to be old enough for a move in turns: no saving is counted on for longer than
// twice the age of what moves.
const untilTrusted = 5 * time.Minute

// becomesOne waits until one node of sixteen cores is left. At most so many of the old ones may go at once, and none
// before it is there.
func (m merger) becomesOne(t *testing.T, most int) {
	t.Helper()
	c := m.cluster
	within(t, untilTrusted, "three nodes to become one", func() string {
		nodes := c.nodes(t)
		ready, going := 0, 0
		for i := range nodes {
			if nodes[i].Labels[corev1.LabelInstanceTypeStable] == sixteenCores &&
				nodes[i].Labels[karpenterv1.NodeInitializedLabelKey] == "true" {
				ready++
			}
			if slices.ContainsFunc(
				nodes[i].Spec.Taints,
				func(t corev1.Taint) bool { return t.Key == karpenterv1.DisruptedTaintKey },
			) {
				going++
			}
		}
		if len(nodes) < 3 && ready == 0 {
			t.Fatal("nodes go, and what replaces them is not there")
		}
		if going > most {
			t.Fatalf("%d nodes go at once, the budget allows %d", going, most)
		}
		if len(nodes) != 1 || ready != 1 {
			return fmt.Sprintf("%d nodes, %d of the large ones are ready", len(nodes), ready)
		}
		return ""
	})
	c.running(t, "merging", 3)
	c.remove(t, m.deployment, m.pool)
}
