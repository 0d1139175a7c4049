package repair

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/provider"
)

// breakerPercent of the nodes, rounded up, may be unhealthy at once for any of them to be replaced.
const breakerPercent = 20

// sickness is why a node is to be replaced, and when.
type sickness struct {
	condition corev1.NodeConditionType
	due       time.Time
}

// diagnose finds the policy that is due first. ok is false for nodes that no policy calls unhealthy.
func diagnose(node *corev1.Node, policies []provider.RepairPolicy) (first sickness, ok bool) {
	for _, p := range policies {
		for _, c := range node.Status.Conditions {
			if c.Type != p.Condition || c.Status != p.Status {
				continue
			}
			due := c.LastTransitionTime.Add(p.After)
			if !ok || due.Before(first.due) {
				first, ok = sickness{p.Condition, due}, true
			}
		}
	}
	return first, ok
}

// tooMany reports whether so many of the nodes are unhealthy that the reason is more likely elsewhere.
func tooMany(unhealthy, total int) bool {
	return unhealthy > (total*breakerPercent+99)/100
}
