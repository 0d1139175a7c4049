package v1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestNodeClaimFromTemplate(t *testing.T) {
	t.Parallel()
	pool := readPool(t, "full")
	claim := pool.Spec.Template.NodeClaim()
	template := pool.Spec.Template
	want := NodeClaimSpec{
		Taints:                 template.Spec.Taints,
		StartupTaints:          template.Spec.StartupTaints,
		Requirements:           template.Spec.Requirements,
		NodeClassRef:           template.Spec.NodeClassRef,
		TerminationGracePeriod: template.Spec.TerminationGracePeriod,
		ExpireAfter:            template.Spec.ExpireAfter,
	}
	if diff := cmp.Diff(want, claim.Spec); diff != "" {
		t.Errorf("-template +claim\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"team": "web", "example.com/tier": "front"}, claim.Labels); diff != "" {
		t.Errorf("labels: -template +claim\n%s", diff)
	}
	claim.Spec.Taints[0].Key = "changed"
	claim.Annotations["changed"] = "yes"
	if pool.Spec.Template.Spec.Taints[0].Key == "changed" || pool.Spec.Template.Annotations["changed"] != "" {
		t.Error("a change of the claim shows in the template, which lives in a cache")
	}
}

func TestTaintsConvert(t *testing.T) {
	t.Parallel()
	in := []corev1.Taint{{Key: "a", Value: "b", Effect: corev1.TaintEffectNoExecute}, {Key: "c", Effect: corev1.TaintEffectNoSchedule}}
	if diff := cmp.Diff(in, CoreTaints(TaintsFromCore(in))); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
	if CoreTaints(nil) != nil || TaintsFromCore(nil) != nil {
		t.Error("no taints become an empty list, which is written where nothing was")
	}
}

func TestLabelAliases(t *testing.T) {
	t.Parallel()
	rules := CoreLabelRules().Merge(LabelRules{Aliases: LabelAliases{"driver.example.com/zone": "topology.kubernetes.io/zone"}}).Merge(LabelRules{})
	for old, want := range map[string]string{
		"failure-domain.beta.kubernetes.io/zone":   "topology.kubernetes.io/zone",
		"failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
		"beta.kubernetes.io/instance-type":         "node.kubernetes.io/instance-type",
		"beta.kubernetes.io/arch":                  "kubernetes.io/arch",
		"beta.kubernetes.io/os":                    "kubernetes.io/os",
		"example.com/zone":                         "example.com/zone",
		"driver.example.com/zone":                  "topology.kubernetes.io/zone",
	} {
		if got := rules.Aliases.Normalize(old); got != want {
			t.Errorf("%s is another name of %s, want %s", old, got, want)
		}
	}
}
