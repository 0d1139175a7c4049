package nodepool

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// TestWhatIsCountedAnew changes a claim and a node in ways that matter to what their pool says of itself, and in ways
// that each of a thousand nodes changes all day.
func TestWhatIsCountedAnew(t *testing.T) {
	t.Parallel()
	claim := func(change func(*karpenterv1.NodeClaim)) [2]client.Object {
		old := &karpenterv1.NodeClaim{}
		now := old.DeepCopy()
		change(now)
		return [2]client.Object{old, now}
	}
	node := func(change func(*corev1.Node)) [2]client.Object {
		old := &corev1.Node{}
		now := old.DeepCopy()
		change(now)
		return [2]client.Object{old, now}
	}
	four := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}
	for what, tc := range map[string]struct {
		update [2]client.Object
		want   bool
	}{
		"a pod came":           {claim(func(c *karpenterv1.NodeClaim) { c.Status.LastPodEventTime = &metav1.Time{Time: noon} }), false},
		"a heartbeat":          {node(func(n *corev1.Node) { n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady}} }), false},
		"a machine was bought": {claim(func(c *karpenterv1.NodeClaim) { c.Status.ProviderID, c.Status.Capacity = "i-1", four }), true},
		"an older stamp came":  {claim(func(c *karpenterv1.NodeClaim) { c.Annotations = map[string]string{"a": "b"} }), true},
		"a node was labelled":  {node(func(n *corev1.Node) { n.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "general"} }), true},
		"a device was found":   {node(func(n *corev1.Node) { n.Status.Capacity = four }), true},
	} {
		if got := counts().Update(event.UpdateEvent{ObjectOld: tc.update[0], ObjectNew: tc.update[1]}); got != tc.want {
			t.Errorf("%s: counted anew %v, want %v", what, got, tc.want)
		}
	}
}
