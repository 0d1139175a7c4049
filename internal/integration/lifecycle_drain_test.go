package integration

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// drainKeepsBudgets deletes a claim whose only pod a PodDisruptionBudget guards: the pod stays until another one runs.
func drainKeepsBudgets(t *testing.T, c *cluster) {
	one := intstr.FromInt32(1)
	guard := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "guarded"}}
	guard.Spec.MinAvailable = &one
	guard.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "guarded"}}
	pool, deployment := general(), web("guarded", 1, "500m", oneEach("guarded"))
	c.create(t, pool, guard, deployment)
	c.running(t, "guarded", 1)
	claim := &c.claims(t)[0]
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: c.ready(t, claim).Status.NodeName}}
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an event that names the pod and its budget", func() string {
		return missingFrom(c.events(t, node), "FailedDraining", "guarded-", "PodDisruptionBudget")
	})
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(node), node); err != nil {
		t.Fatal(err)
	}
	if node.Labels[corev1.LabelNodeExcludeBalancers] != "karpenter" || len(node.Spec.Taints) == 0 {
		t.Errorf("labels %v, taints %v: new pods and load balancers still come", node.Labels, node.Spec.Taints)
	}
	c.running(t, "guarded", 1)
	c.scale(t, deployment, 2)
	c.gone(t, node)
	c.gone(t, claim)
	c.running(t, "guarded", 2)
	c.remove(t, deployment, guard, pool)
}

// gracePeriodBoundsTheDrain deletes a claim whose pod must not be disrupted: it stays until terminationGracePeriod is
// almost over, and not longer.
func gracePeriodBoundsTheDrain(t *testing.T, c *cluster) {
	const period = 8 * time.Second
	pool := general(func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.TerminationGracePeriod = &metav1.Duration{Duration: period}
	})
	deployment := web("precious", 1, "500m")
	deployment.Spec.Template.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
	c.create(t, pool, deployment)
	c.running(t, "precious", 1)
	claim := &c.claims(t)[0]
	pod := c.podOf(t, "precious")
	c.ready(t, claim)
	began := time.Now()
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	always(t, period/2, func() string {
		if err := c.Get(
			t.Context(),
			client.ObjectKeyFromObject(pod),
			pod,
		); err != nil ||
			pod.DeletionTimestamp != nil {
			return fmt.Sprintf("the pod goes after %s already (%v)", time.Since(began).Round(time.Millisecond), err)
		}
		return ""
	})
	c.gone(t, claim)
	if took := time.Since(began); took > 2*period {
		t.Errorf("the node was gone after %s, the grace period is %s", took.Round(time.Millisecond), period)
	}
	c.running(t, "precious", 1)
	c.remove(t, deployment, pool)
}

// staticPoolKeepsItsNodes scales a pool with replicas.
func staticPoolKeepsItsNodes(t *testing.T, c *cluster) {
	replicas := int64(2)
	pool := general(func(p *karpenterv1.NodePool) {
		p.Spec.Replicas = &replicas
		p.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"kind": "static"}
	})
	c.create(t, pool)
	c.staticNodes(t, 2)
	before := pool.DeepCopy()
	*pool.Spec.Replicas = 3
	if err := c.Patch(t.Context(), pool, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	c.staticNodes(t, 3)
	before = pool.DeepCopy()
	*pool.Spec.Replicas = 1
	if err := c.Patch(t.Context(), pool, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	c.staticNodes(t, 1)
	always(t, 3*time.Second, func() string {
		if n := len(c.claims(t)); n != 1 {
			return fmt.Sprintf("%d claims; one is wanted, empty or not", n)
		}
		return ""
	})
	c.remove(t, pool)
}

func (c *cluster) staticNodes(t *testing.T, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d static nodes", want), func() string {
		ready := 0
		for _, n := range c.nodes(t) {
			if n.Labels["kind"] == "static" && n.Labels[karpenterv1.NodeInitializedLabelKey] == "true" &&
				n.DeletionTimestamp.IsZero() {
				ready++
			}
		}
		if claims := len(c.claims(t)); ready != want || claims != want {
			return fmt.Sprintf("%d claims, %d initialized nodes", claims, ready)
		}
		return ""
	})
}
