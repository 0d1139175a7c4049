package v1

import (
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func readPool(t *testing.T, name string) *NodePool {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	pool := &NodePool{}
	if err := yaml.UnmarshalStrict(text, pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

// TestHashIsKarpenters pins the hashes that Karpenter 1.14.1 works out for the
// same files: a user who swaps the controller must not see every node drift.
func TestHashIsKarpenters(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"full": "504070468380600343",
		"seed": "17369979337536258260",
	} {
		if got := readPool(t, name).Hash(); got != want {
			t.Errorf("%s: hash is %s, Karpenter's is %s", name, got, want)
		}
	}
}

func TestHashNoticesWhatMakesOtherNodes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*NodePool)
		same   bool
	}{
		"label":         {change: func(p *NodePool) { p.Spec.Template.Labels["team"] = "db" }},
		"annotation":    {change: func(p *NodePool) { p.Spec.Template.Annotations["x"] = "y" }},
		"taint":         {change: func(p *NodePool) { p.Spec.Template.Spec.Taints[0].Value = "false" }},
		"startup taint": {change: func(p *NodePool) { p.Spec.Template.Spec.StartupTaints = nil }},
		"class":         {change: func(p *NodePool) { p.Spec.Template.Spec.NodeClassRef.Name = "other" }},
		"expiry":        {change: func(p *NodePool) { p.Spec.Template.Spec.ExpireAfter = NillableDuration{} }},
		"grace period": {change: func(p *NodePool) {
			p.Spec.Template.Spec.TerminationGracePeriod = &metav1.Duration{Duration: time.Hour}
		}},
		"order of taints": {same: true, change: func(p *NodePool) {
			taints := p.Spec.Template.Spec.Taints
			taints[0], taints[1] = taints[1], taints[0]
		}},
		"spelling of a duration": {same: true, change: func(p *NodePool) {
			p.Spec.Template.Spec.ExpireAfter = After(24 * time.Hour)
		}},
		"requirements": {same: true, change: func(p *NodePool) { p.Spec.Template.Spec.Requirements = nil }},
		"weight":       {same: true, change: func(p *NodePool) { p.Spec.Weight = nil }},
		"disruption":   {same: true, change: func(p *NodePool) { p.Spec.Disruption = Disruption{} }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := readPool(t, "full")
			before := pool.Hash()
			tc.change(pool)
			if same := pool.Hash() == before; same != tc.same {
				t.Errorf("hash is the same: %v, want %v", same, tc.same)
			}
		})
	}
}
