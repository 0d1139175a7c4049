package objects

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// TestMachinesDependOnWhatIsThereOnly: after any sequence of events machines are joined as if the objects that are left
// had come at once, and each event names all machines that it changed.
func TestMachinesDependOnWhatIsThereOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := NewMachines()
		nodes, claims := map[string]*corev1.Node{}, map[string]*karpenterv1.NodeClaim{}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			before := described(m)
			touched := machineEvent(t, m, nodes, claims)

			fresh := NewMachines()
			for _, name := range slices.Sorted(maps.Keys(claims)) {
				fresh.PutClaim(claims[name])
			}
			for _, name := range slices.Sorted(maps.Keys(nodes)) {
				fresh.PutNode(nodes[name])
			}
			want, got := described(fresh), described(m)
			if !maps.Equal(got, want) {
				t.Fatalf("joined %v, want %v", got, want)
			}
			for name := range merged(before, got) {
				if _, told := touched.Machines[name]; !told && before[name] != got[name] {
					t.Fatalf("%s was %q and is %q; told of %v", name, before[name], got[name], touched.Machines)
				}
			}
		}
	})
}

func machineEvent(
	t *rapid.T, m *Machines, nodes map[string]*corev1.Node, claims map[string]*karpenterv1.NodeClaim,
) Touched {
	id := rapid.SampledFrom([]string{"", "i-0", "i-1", "i-2"}).Draw(t, "machine")
	node := rapid.SampledFrom([]string{"n0", "n1", "c0"}).Draw(t, "node")
	claim := rapid.SampledFrom([]string{"c0", "c1", "n0"}).Draw(t, "claim")
	switch rapid.IntRange(0, 5).Draw(t, "event") {
	case 0, 1:
		nodes[node] = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}, Spec: corev1.NodeSpec{ProviderID: id}}
		return m.PutNode(nodes[node])
	case 2, 3:
		claims[claim] = &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: claim}}
		claims[claim].Status.ProviderID = id
		return m.PutClaim(claims[claim])
	case 4:
		delete(nodes, node)
		return m.DropNode(node)
	}
	delete(claims, claim)
	return m.DropClaim(claim)
}

// described is what each machine is made of.
func described(m *Machines) map[string]string {
	out := map[string]string{}
	for name, at := range m.All() {
		node, claim := "no node", "no claim"
		if at.Node != nil {
			node = at.Node.Name
		}
		if at.Claim != nil {
			claim = at.Claim.Name
			if m.OfClaim(claim) != name {
				claim += " that says " + m.OfClaim(claim)
			}
		}
		out[name] = fmt.Sprintf("%s, %s", node, claim)
	}
	return out
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func TestANodeAndItsClaimAreOneMachine(t *testing.T) {
	t.Parallel()
	m := NewMachines()
	claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "c0"}}
	m.PutClaim(claim)
	if got := m.Named("c0"); got != "c0" {
		t.Errorf("a claim without a node is machine %q", got)
	}
	claim = claim.DeepCopy()
	claim.Status.ProviderID = "i-0"
	m.PutClaim(claim)
	m.PutNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n0"}, Spec: corev1.NodeSpec{ProviderID: "i-0"}})
	if got := m.Named("c0"); got != "n0" || m.Machine("n0").Claim != claim || m.Machine("c0") != nil {
		t.Errorf("the claim of node n0 is machine %q: %v", got, described(m))
	}
	m.DropNode("n0")
	if got := m.Named("c0"); got != "c0" || m.Named("n0") != "" {
		t.Errorf("the claim of a node that is gone is machine %q: %v", got, described(m))
	}
}
