package integration

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scaleDownEmptiesTheNodeThatGoes has a node that is being given up wait for a pod that nobody may evict. The
// Deployment shrinks, and ends that pod of all.
func scaleDownEmptiesTheNodeThatGoes(t *testing.T, c *corner) {
	d := web(c.name, 2, "1500m", c.here)
	none := intstr.FromInt32(0)
	guard := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: c.name},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: d.Spec.Selector},
	}
	c.create(t, guard, c.pool, d)
	c.running(t, c.name, 2)
	claims := c.nodesReady(t, 2)
	goes, stays := claims[0].Status.NodeName, claims[1].Status.NodeName
	if err := c.Delete(t.Context(), &claims[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod of the node that goes to be told", func() string {
		costs := c.costs(t)
		if costs[goes] != strconv.Itoa(math.MinInt32) {
			return fmt.Sprintf("%s goes, and the costs are %v", goes, costs)
		}
		return ""
	})
	c.scale(t, d, 1)
	eventually(t, "the Deployment to shrink", func() string {
		costs := c.costs(t)
		if _, left := costs[stays]; len(costs) != 1 || !left {
			return fmt.Sprintf("pods are on %v, %s stays", costs, stays)
		}
		return ""
	})
	c.leave(t, d, guard)
}

// costs are the deletion costs of the corner's pods by their node, those that go left out.
func (c *corner) costs(t *testing.T) map[string]string {
	t.Helper()
	var pods corev1.PodList
	mine := client.MatchingLabels{"app": c.name}
	if err := c.List(t.Context(), &pods, client.InNamespace("default"), mine); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			out[p.Spec.NodeName] = p.Annotations[corev1.PodDeletionCost]
		}
	}
	return out
}
