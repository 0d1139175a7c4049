package mirror

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// TestWhyAPodWasBoundElsewhere binds a pod to another node than the one of its claim.
func TestWhyAPodWasBoundElsewhere(t *testing.T) {
	t.Parallel()
	planned := func(taints ...corev1.Taint) *corev1.Node {
		n := &corev1.Node{}
		n.Name, n.Spec.ProviderID, n.Spec.Taints = "n0", "m0", taints
		return n
	}
	for name, tc := range map[string]struct {
		node *corev1.Node
		told string
		on   string
		want Binding
	}{
		"as planned":    {planned(), "n0", "n0", Binding{Planned: "n0", Node: "n0"}},
		"not joined":    {nil, "", "other", Binding{Planned: "c0", Node: "other", Why: NotJoined}},
		"not open":      {planned(karpenterv1.UnregisteredTaint()), "n0", "other", Binding{Planned: "n0", Node: "other", Why: NotOpen}},
		"not nominated": {planned(), "", "other", Binding{Planned: "n0", Node: "other", Why: NotNominated}},
		"refused":       {planned(), "n0", "other", Binding{Planned: "n0", Node: "other", Why: Refused}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []Binding
			m := New(Options{Bound: func(b Binding) { got = append(got, b) }})
			claim := &karpenterv1.NodeClaim{}
			claim.Name, claim.Status.ProviderID = "c0", "m0"
			m.Put(claim)
			other := &corev1.Node{}
			other.Name, other.Spec.ProviderID = "other", "m1"
			other.Status.Allocatable = corev1.ResourceList{
				corev1.ResourceCPU:  resource.MustParse("4"),
				corev1.ResourcePods: resource.MustParse("10"),
			}
			m.Put(other)
			p := pendingPod("one", "1")
			m.Put(p)
			m.Nominate([]shape.PodID{"a/one"}, "c0")
			if tc.node != nil {
				m.Put(tc.node)
			}
			told := p.DeepCopy()
			told.Status.NominatedNodeName = tc.told
			m.Put(told)
			bound := p.DeepCopy() // the API server clears the nomination
			bound.Spec.NodeName = tc.on
			m.Put(bound)
			tc.want.Pod = "a/one"
			if diff := cmp.Diff([]Binding{tc.want}, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestWhichTargetsAreUntold nominates one of two pods of different classes in the API server.
func TestWhichTargetsAreUntold(t *testing.T) {
	t.Parallel()
	m := New(Options{})
	for _, name := range []string{"c0", "c1"} {
		claim := &karpenterv1.NodeClaim{}
		claim.Name = name
		m.Put(claim)
	}
	one, two := pendingPod("one", "1"), pendingPod("two", "2")
	m.Put(one)
	m.Put(two)
	m.Nominate([]shape.PodID{"a/one"}, "c0")
	m.Nominate([]shape.PodID{"a/two"}, "c1")
	told := one.DeepCopy()
	told.Status.NominatedNodeName = "c0"
	m.Put(told)
	if diff := cmp.Diff([]Target{{Claim: "c0"}, {Claim: "c1", Untold: true}}, m.Ledger().Targets()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	alike := two.DeepCopy()
	alike.Spec = *one.Spec.DeepCopy()
	m.Drop(two)
	m.Put(alike)
	m.Nominate([]shape.PodID{"a/two"}, "c1")
	if diff := cmp.Diff([]Target{{Claim: "c0"}, {Claim: "c1"}}, m.Ledger().Targets()); diff != "" {
		t.Errorf("pods of one class may go anywhere: -want +got\n%s", diff)
	}
	ledger := m.Ledger()
	if got := ledger.Expected("c1"); len(got) != 1 || got[0].Name != "two" {
		t.Errorf("expected on c1 are %d pods, want two, of one class with others or not", len(got))
	}
	if got := ledger.Expected("gone"); got != nil {
		t.Errorf("expected on a claim that is gone are %d pods", len(got))
	}
}
