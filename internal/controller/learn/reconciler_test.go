package learn

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// node has so much memory that pods can use; registered if its labels say so.
func node(memory, registered string) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{karpenterv1.NodeRegisteredLabelKey: registered}},
	}
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}
	return n
}

// A node teaches when it registers, and whenever what it has changes. Heartbeats, which come every few seconds from
// each node, teach nothing.
func TestWhenANodeTeaches(t *testing.T) {
	t.Parallel()
	heartbeat := node("8Gi", "true")
	heartbeat.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, LastHeartbeatTime: metav1.Now()}}
	grown := node("8Gi", "true")
	grown.Status.Capacity = corev1.ResourceList{"example.com/device": resource.MustParse("1")}
	for name, c := range map[string]struct {
		before, after *corev1.Node
		want          bool
	}{
		"it registers":             {node("8Gi", ""), node("8Gi", "true"), true},
		"its memory changes":       {node("8Gi", "true"), node("7Gi", "true"), true},
		"a device comes up":        {node("8Gi", "true"), grown, true},
		"a heartbeat":              {node("8Gi", "true"), heartbeat, false},
		"the same in other words":  {node("8Gi", "true"), node("8192Mi", "true"), false},
		"it has not registered":    {node("8Gi", ""), node("7Gi", ""), false},
		"it is registered no more": {node("8Gi", "true"), node("7Gi", ""), false},
	} {
		if got := tells().Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("%s: teaches is %t", name, got)
		}
	}
	if !tells().Create(event.CreateEvent{Object: node("8Gi", "true")}) ||
		tells().Create(event.CreateEvent{Object: node("8Gi", "")}) {
		t.Error("when the daemon starts, nodes that have registered teach, and no others")
	}
	if tells().Delete(event.DeleteEvent{Object: node("8Gi", "true")}) {
		t.Error("a node that is gone teaches")
	}
}
