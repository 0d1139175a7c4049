package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestPlacement buys nodes for pods of several sizes, some of which spread over zones, beside a DaemonSet that comes
// later, and wants the pods where they were planned and all nodes open in the end.
func TestPlacement(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, mode := range []string{config.PlacementBind, config.PlacementNominate, config.PlacementOff} {
		t.Run(mode, func(t *testing.T) { c.placed(t, mode) })
	}
	t.Run("Restart", c.restartWhileNodesAreKept)
}

// crowd is Deployments whose pods fit closely, and what runs on every node.
func crowd() (pods int, objects []client.Object) {
	spread := func(s *corev1.PodSpec) {
		s.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "spread"}},
		}}
	}
	for _, d := range []*appsv1.Deployment{web("small", 40, "250m"), web("middle", 20, "1"), web("large", 6, "3500m"),
		web("spread", 9, "500m", spread)} {
		pods += int(*d.Spec.Replicas)
		objects = append(objects, d)
	}
	agent := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "agent"}}
	agent.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "agent"}}
	agent.Spec.Template = *web("agent", 1, "200m").Spec.Template.DeepCopy()
	agent.Spec.Template.Spec.PriorityClassName = "system-node-critical" // as what belongs on every node has it
	agent.Spec.Template.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("64Mi")
	return pods, append(objects, agent)
}

func (c *cluster) placed(t *testing.T, mode string) {
	s := settings()
	s.Planning.Placement = mode
	d, stop := c.run(t, s)
	pods, objects := crowd()
	c.create(t, append(objects, general())...)
	c.settled(t, pods)
	bound := bindings(d)
	switch {
	case mode != config.PlacementBind && len(bound) > 0:
		t.Errorf("bindings with --placement=%s: %v", mode, bound)
	case mode == config.PlacementBind && bound["bound"] < float64(pods)*9/10:
		t.Errorf("of %d pods few were bound: %v", pods, bound)
	}
	c.remove(t, append(objects, general())...)
	stop()
}

// restartWhileNodesAreKept ends the daemon once nodes are kept, and starts another.
func (c *cluster) restartWhileNodesAreKept(t *testing.T) {
	s := settings()
	s.Planning.Placement = config.PlacementBind
	_, stop := c.run(t, s)
	pods, objects := crowd()
	c.create(t, append(objects, general())...)
	eventually(t, "a node that is kept for its plan", func() string {
		for _, n := range c.nodes(t) {
			if translate.Planned(&n) {
				return ""
			}
		}
		return fmt.Sprintf("%d nodes", len(c.nodes(t)))
	})
	stop()
	s.Planning.Placement = config.PlacementOff // whoever comes then need not keep nodes
	_, stop = c.run(t, s)
	c.settled(t, pods)
	c.remove(t, append(objects, general())...)
	stop()
}

// settled waits until so many pods run, the agent on every node, and no node is kept.
func (c *cluster) settled(t *testing.T, pods int) {
	t.Helper()
	eventually(t, "all pods to run and all nodes to be open", func() string {
		var list corev1.PodList
		if err := c.List(t.Context(), &list, client.InNamespace("default")); err != nil {
			return err.Error()
		}
		running, agents := 0, 0
		for i := range list.Items {
			switch p := &list.Items[i]; {
			case p.Status.Phase != corev1.PodRunning:
			case p.Labels["app"] == "agent":
				agents++
			default:
				running++
			}
		}
		nodes, kept := c.nodes(t), 0
		for i := range nodes {
			if translate.Planned(&nodes[i]) {
				kept++
			}
		}
		if running != pods || agents != len(nodes) || kept > 0 {
			return fmt.Sprintf("%d of %d pods run, %d agents on %d nodes, of which %d are kept", running, pods,
				agents, len(nodes), kept)
		}
		return ""
	})
}

// bindings are the outcomes of those that a daemon sent, without those that did not happen.
func bindings(d *daemon.Daemon) map[string]float64 {
	out := map[string]float64{}
	for _, result := range []string{"bound", "conflict", "refused", "unknown"} {
		if n := testutil.ToFloat64(d.Metrics().Pods.Bindings.WithLabelValues(result)); n > 0 {
			out[result] = n
		}
	}
	return out
}

// noRefusals wants, when a test ends, that no kubelet has refused a pod: whoever bound it has given more than the node
// had.
func (c *cluster) noRefusals(t *testing.T) {
	t.Cleanup(func() {
		var list corev1.PodList
		if err := c.List(context.WithoutCancel(t.Context()), &list); err != nil {
			t.Errorf("looking for pods that were refused: %v", err)
			return
		}
		for _, p := range list.Items {
			if p.Status.Phase == corev1.PodFailed && strings.HasPrefix(p.Status.Message, "Pod was rejected: ") {
				t.Errorf("the kubelet of node %s refused pod %s/%s: %s, %s", p.Spec.NodeName, p.Namespace, p.Name,
					p.Status.Reason, p.Status.Message)
			}
		}
	})
}
