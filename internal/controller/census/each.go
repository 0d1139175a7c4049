package census

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// nodes sets the gauges that have a series for each node.
func (c *Census) nodes(nodes []corev1.Node, held map[string]*holding, now time.Time) {
	m := c.Metrics.Nodes
	for _, g := range []*prometheus.GaugeVec{m.Allocatable, m.PodRequests, m.PodLimits, m.DaemonRequests,
		m.DaemonLimits, m.SystemOverhead, m.Age} {
		g.Reset()
	}
	for i := range nodes {
		node := &nodes[i]
		labels := nodeLabels(node)
		if c.ByGroup {
			labels = groupLabels(node)
		}
		set := func(g *prometheus.GaugeVec, list corev1.ResourceList) {
			for name, q := range list {
				g.WithLabelValues(append([]string{observe.ResourceLabel(name)}, labels...)...).
					Add(q.AsApproximateFloat64())
			}
		}
		set(m.Allocatable, node.Status.Allocatable)
		set(m.SystemOverhead, overhead(node))
		if h := held[node.Name]; h != nil {
			set(m.PodRequests, h.requests)
			set(m.PodLimits, h.limits)
			set(m.DaemonRequests, h.daemonRequests)
			set(m.DaemonLimits, h.daemonLimits)
		}
		if c.ByGroup {
			continue // ages do not add up
		}
		m.Age.WithLabelValues(labels...).Set(now.Sub(node.CreationTimestamp.Time).Seconds())
	}
}

// nodeLabels are the values of the labels that all gauges of nodes have, in the order of observe's table.
func nodeLabels(node *corev1.Node) []string {
	l := node.Labels
	return []string{
		node.Name,
		l[karpenterv1.NodePoolLabelKey],
		string(node.Status.Phase),
		strconv.FormatBool(l[karpenterv1.NodePoolLabelKey] != ""),
		l[corev1.LabelArchStable],
		l[karpenterv1.CapacityTypeLabelKey],
		l[corev1.LabelInstanceTypeStable],
		l[corev1.LabelOSStable],
		l[corev1.LabelTopologyRegion],
		l[corev1.LabelTopologyZone],
		l[corev1.LabelWindowsBuild],
	}
}

// groupLabels are nodeLabels of all nodes of a pool, zone and capacity type together: what tells nodes apart is left
// empty.
func groupLabels(node *corev1.Node) []string {
	l := node.Labels
	return []string{
		"", l[karpenterv1.NodePoolLabelKey], "", strconv.FormatBool(l[karpenterv1.NodePoolLabelKey] != ""),
		l[corev1.LabelArchStable], l[karpenterv1.CapacityTypeLabelKey], "", l[corev1.LabelOSStable],
		l[corev1.LabelTopologyRegion], l[corev1.LabelTopologyZone], "",
	}
}

func overhead(node *corev1.Node) corev1.ResourceList {
	out := corev1.ResourceList{}
	for name, capacity := range node.Status.Capacity {
		rest := capacity.DeepCopy()
		rest.Sub(node.Status.Allocatable[name])
		out[name] = rest
	}
	return out
}

// pods sets the gauges that have a series for each pod.
func (c *Census) pods(pods []corev1.Pod, nodes []corev1.Node, now time.Time) {
	m := c.Metrics.Pods
	for _, g := range []*prometheus.GaugeVec{m.State, m.Unstarted, m.Unbound} {
		g.Reset()
	}
	byName := make(map[string]*corev1.Node, len(nodes))
	for i := range nodes {
		byName[nodes[i].Name] = &nodes[i]
	}
	pending := 0
	for i := range pods {
		pod := &pods[i]
		m.State.WithLabelValues(podLabels(pod, byName[pod.Spec.NodeName])...).Set(1)
		age := now.Sub(pod.CreationTimestamp.Time).Seconds()
		if pod.Status.Phase != corev1.PodPending {
			continue
		}
		m.Unstarted.WithLabelValues(pod.Name, pod.Namespace).Set(age)
		if pod.Spec.NodeName != "" {
			continue
		}
		m.Unbound.WithLabelValues(pod.Name, pod.Namespace, dynamic(pod)).Set(age)
		if !translate.Provisionable(pod) {
			pending++
		}
	}
	c.Metrics.Scheduler.Ignored.WithLabelValues().Set(float64(pending))
}

// podLabels are the values of the labels of pods_state, in the order of observe's table.
func podLabels(pod *corev1.Pod, node *corev1.Node) []string {
	owner := ""
	if len(pod.OwnerReferences) > 0 {
		o := pod.OwnerReferences[0]
		owner = fmt.Sprintf(
			"/apis/%s/namespaces/%s/%ss/%s",
			o.APIVersion,
			pod.Namespace,
			strings.ToLower(o.Kind),
			o.Name,
		)
	}
	var l map[string]string
	if node != nil {
		l = node.Labels
	}
	return []string{
		pod.Name,
		pod.Namespace,
		owner,
		pod.Spec.NodeName,
		strconv.FormatBool(pod.Spec.NodeName != ""),
		l[karpenterv1.NodePoolLabelKey],
		l[corev1.LabelTopologyZone],
		l[corev1.LabelArchStable],
		l[karpenterv1.CapacityTypeLabelKey],
		l[corev1.LabelInstanceTypeStable],
		string(pod.Status.Phase),
		strconv.FormatBool(podReady(pod)),
		strconv.FormatBool(l[karpenterv1.NodePoolLabelKey] != ""),
	}
}

// dynamic is the label that tells pods with claims for dynamic resources from others.
func dynamic(pod *corev1.Pod) string { return strconv.FormatBool(len(pod.Spec.ResourceClaims) > 0) }

// split is a pod's namespace and name.
func split(id shape.PodID) (namespace, name string) {
	namespace, name, _ = strings.Cut(string(id), "/")
	return namespace, name
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
