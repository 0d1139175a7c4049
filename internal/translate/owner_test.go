package translate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhoOwnsAPod(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	owner := func(kind string, controls *bool) metav1.OwnerReference {
		return metav1.OwnerReference{Kind: kind, Name: "o", Controller: controls}
	}
	for name, c := range map[string]struct {
		owners []metav1.OwnerReference
		set    bool
		bound  bool
	}{
		"Bare":          {nil, false, false},
		"DaemonSet":     {[]metav1.OwnerReference{owner("DaemonSet", &yes)}, true, true},
		"Node":          {[]metav1.OwnerReference{owner("Node", &yes)}, false, true},
		"ReplicaSet":    {[]metav1.OwnerReference{owner("ReplicaSet", &yes)}, false, false},
		"NotController": {[]metav1.OwnerReference{owner("DaemonSet", &no), owner("Node", nil)}, false, false},
		"Second":        {[]metav1.OwnerReference{owner("Thing", nil), owner("DaemonSet", &yes)}, true, true},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: c.owners}}
		if got := OfDaemonSet(pod); got != c.set {
			t.Errorf("%s: of a DaemonSet is %t, want %t", name, got, c.set)
		}
		if got := BoundByOwner(pod); got != c.bound {
			t.Errorf("%s: bound by its owner is %t, want %t", name, got, c.bound)
		}
	}
}
