package translate_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Labels that the controller puts on a node only once it has joined are there for whoever selects by them: on nodes
// that are planned, on claims, and on nodes that are not initialized yet.
func TestDaemonsThatSelectALabelOfTheControllerRunOnPlannedNodes(t *testing.T) {
	t.Parallel()
	anything := []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	for _, key := range []string{karpenterv1.NodeRegisteredLabelKey, karpenterv1.NodeInitializedLabelKey, karpenterv1.NodePoolLabelKey} {
		for _, value := range []string{"true", "general", "false"} {
			agent := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "agent"}}
			agent.Spec.Template.Spec = corev1.PodSpec{
				NodeSelector: map[string]string{key: value},
				Tolerations:  anything,
				Containers:   []corev1.Container{container("cpu", "1")},
			}
			p := pod(corev1.PodSpec{Tolerations: anything, Containers: []corev1.Container{container("cpu", "1")}})
			s, _ := translate.Snapshot(translate.Objects{
				Pods: []*corev1.Pod{
					p,
				},
				DaemonSets: []*appsv1.DaemonSet{agent},
				NodePools:  []*karpenterv1.NodePool{nodePool()},
				Offers:     map[string]*translate.Offer{nodePool().Name: offer()},
				TrustPools: true,
			}, noon)
			d := engine.Plan(s, engine.Policy{})
			if len(d.Open) != 1 {
				t.Fatalf("%s=%s: %d nodes are opened, want 1: %+v", key, value, len(d.Open), d.Unplaced)
			}
			runs := value == "true" && key != karpenterv1.NodePoolLabelKey ||
				key == karpenterv1.NodePoolLabelKey && value == nodePool().Name
			if got := d.Open[0].Requests.CPU == 2000; got != runs {
				t.Errorf(
					"%s=%s: the agent is counted: %v, want %v (requests %+v)",
					key,
					value,
					got,
					runs,
					d.Open[0].Requests,
				)
			}
			for _, r := range translate.NodeClaim(nodePool(), d.Open[0], nil).Spec.Requirements {
				if r.Key == karpenterv1.NodeRegisteredLabelKey || r.Key == karpenterv1.NodeInitializedLabelKey {
					t.Errorf("the claim requires %s, which no API server accepts", r.Key)
				}
			}
		}
	}
	for name, o := range map[string]translate.Objects{
		"claim":  {NodeClaims: []*karpenterv1.NodeClaim{launched()}},
		"joined": {NodeClaims: []*karpenterv1.NodeClaim{launched()}, Nodes: []*corev1.Node{joined(map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"})}},
	} {
		s, _ := translate.Snapshot(o, noon)
		for _, key := range []string{karpenterv1.NodeRegisteredLabelKey, karpenterv1.NodeInitializedLabelKey} {
			if got, _ := shape.LabelValue(s.Profiles[s.Nodes[0].Profile].Labels, key); got != "true" {
				t.Errorf("%s: label %s is %q, want true", name, key, got)
			}
		}
	}
}
