package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestANodeIsKeptForItsPlanFromTheMomentItIsRegistered registers a node that is Ready, and makes it ready for use.
func TestANodeIsKeptForItsPlanFromTheMomentItIsRegistered(t *testing.T) {
	t.Parallel()
	unregistered := carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute)
	for name, tc := range map[string]struct {
		why  string
		node corev1.Node
		hold bool
		want []string
	}{
		"pods are planned": {"In one write: others could come in between.", readyNode("a", unregistered), true,
			[]string{translate.PlannedTaintKey + ":NoSchedule"}},
		"nothing is planned": {"It is for everybody.", readyNode("a", unregistered), false, nil},
		"it has been open":   {"Others may be there already.", readyNode("a"), true, nil},
		"it was registered": {"Before a restart; whoever kept it then is not here to open it.", registeredBefore(),
			true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim := aged(0, holds(karpenterv1.ConditionLaunched, 0))
			claim.Status.ProviderID = tc.node.Spec.ProviderID
			var writes [][]string
			s := newStage(t, interceptor.Funcs{}, claim, &tc.node)
			s.Hold = func(name string) bool { return tc.hold && name == claim.Name }
			for range 3 {
				if err := s.reconcile(t); err != nil {
					t.Fatal(err)
				}
				got := &corev1.Node{}
				if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, got); err != nil {
					t.Fatal(err)
				}
				var taints []string
				for _, taint := range got.Spec.Taints {
					taints = append(taints, taint.ToString())
				}
				writes = append(writes, taints)
				tc.node = *got
			}
			for _, taints := range writes {
				if diff := cmp.Diff(tc.want, taints); diff != "" {
					t.Errorf("%s taints: -want +got\n%s", tc.why, diff)
				}
			}
			if tc.node.Labels[karpenterv1.NodeInitializedLabelKey] != "true" {
				t.Error("the node is never ready for use: what keeps it for a plan must not count as a startup taint")
			}
		})
	}
}

func registeredBefore() corev1.Node {
	node := readyNode("a")
	node.Labels = map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"}
	return node
}
