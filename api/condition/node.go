package condition

import corev1 "k8s.io/api/core/v1"

// NodeReady reports whether a node's kubelet says that it can run pods.
func NodeReady(node *corev1.Node) bool {
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
