package translate

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OfDaemonSet reports whether a DaemonSet controls a pod.
func OfDaemonSet(pod metav1.Object) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "DaemonSet"
}

// BoundByOwner reports whether a pod's owner brings it to one node from the start: a DaemonSet, or the Node itself.
// Such a pod needs no other node when its own goes.
func BoundByOwner(pod metav1.Object) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node")
}
