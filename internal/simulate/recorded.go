package simulate

import (
	"time"

	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// RecordedAt is about when a server wrote the cluster down: the newest of the times that nodes, claims and pods carry.
// Zero for a cluster that somebody wrote by hand, whose nodes have sent no heartbeat.
func RecordedAt(set *manifest.Set) time.Time {
	var newest time.Time
	heard := false
	see := func(at time.Time) {
		if at.After(newest) {
			newest = at
		}
	}
	for _, n := range set.Nodes {
		see(n.CreationTimestamp.Time)
		for _, c := range n.Status.Conditions {
			heard = heard || !c.LastHeartbeatTime.IsZero()
			see(c.LastHeartbeatTime.Time)
			see(c.LastTransitionTime.Time)
		}
	}
	if !heard {
		return time.Time{}
	}
	for _, c := range set.NodeClaims {
		see(c.CreationTimestamp.Time)
		if c.Status.LastPodEventTime != nil {
			see(c.Status.LastPodEventTime.Time)
		}
		for _, condition := range c.Status.Conditions {
			see(condition.LastTransitionTime.Time)
		}
	}
	for _, p := range set.Pods {
		see(p.CreationTimestamp.Time)
		for _, c := range p.Status.Conditions {
			see(c.LastTransitionTime.Time)
		}
	}
	return newest
}
