package census

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// zones counts pods that need a node by the zone that they must go to, empty where they have a choice.
func (c *Census) zones(pods []corev1.Pod) {
	count := map[string]int{}
	for i := range pods {
		if translate.Provisionable(&pods[i]) {
			count[zoneOf(&pods[i].Spec)]++
		}
	}
	g := c.Metrics.Scheduler.PendingZones
	g.Reset()
	for zone, n := range count {
		g.WithLabelValues("provisioner", zone).Set(float64(n))
	}
}

// zoneOf is the only zone that a pod's node selector or required affinity allows, or empty.
func zoneOf(spec *corev1.PodSpec) string {
	if zone := spec.NodeSelector[corev1.LabelTopologyZone]; zone != "" {
		return zone
	}
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil ||
		spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	only := ""
	for _, term := range spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		zone := ""
		for _, e := range term.MatchExpressions {
			if e.Key == corev1.LabelTopologyZone && e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 {
				zone = e.Values[0]
			}
		}
		if zone == "" || only != "" && zone != only {
			return ""
		}
		only = zone
	}
	return only
}
