package integration

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/hold"
)

// TestHoldAndSurge plays what Karpenter's users ask for and Karpenter does not have.
func TestHoldAndSurge(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ours := settings()
	ours.Lifecycle.Surge = true
	c.run(t, ours)
	for _, p := range []story{
		{"HeldRolloutGoesOnAfterwards", heldRolloutGoesOnAfterwards},
		{"SwitchedOffPoolSaysSo", switchedOffPoolSaysSo},
		{"SingleReplicaIsNeverAway", singleReplicaIsNeverAway},
	} {
		t.Run(p.name, func(t *testing.T) { p.run(t, c) })
	}
}

// says waits until a pool has a condition with a status and a reason for its present generation.
func (c *cluster) says(
	t *testing.T,
	pool *karpenterv1.NodePool,
	kind string,
	status metav1.ConditionStatus,
	reason string,
) {
	t.Helper()
	eventually(t, fmt.Sprintf("NodePool %s to say %s %s", pool.Name, kind, status), func() string {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(pool), pool); err != nil {
			return err.Error()
		}
		got := condition.Get(pool, kind)
		if got == nil || got.Status != status || got.Reason != reason || got.ObservedGeneration != pool.Generation {
			return fmt.Sprintf(
				"generation %d, rollout %+v, conditions %s",
				pool.Generation,
				pool.Status.Rollout,
				conditions(pool.Status.Conditions),
			)
		}
		return ""
	})
}

// patched changes a pool as a user would.
func (c *cluster) patched(t *testing.T, pool *karpenterv1.NodePool, how func()) {
	t.Helper()
	before := pool.DeepCopy()
	how()
	if err := c.Patch(t.Context(), pool, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// heldRolloutGoesOnAfterwards holds a pool, changes its template, and takes the hold back: nothing goes before.
func heldRolloutGoesOnAfterwards(t *testing.T, c *cluster) {
	pool, deployment := general(), web("rolling", 1, "500m")
	c.create(t, pool, deployment)
	c.running(t, "rolling", 1)
	old := c.ready(t, &c.claims(t)[0])
	c.says(t, pool, karpenterv1.ConditionRolledOut, metav1.ConditionTrue, karpenterv1.ConditionRolledOut)
	c.patched(t, pool, func() {
		pool.Annotations = map[string]string{
			hold.AnnotationUntil:  time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
			hold.AnnotationBy:     "alice",
			hold.AnnotationReason: "incident 12",
		}
	})
	c.says(t, pool, karpenterv1.ConditionDisruptionHeld, metav1.ConditionTrue, karpenterv1.ConditionDisruptionHeld)
	if h := pool.Status.Hold; h == nil || h.By != "alice" || h.Until == nil {
		t.Errorf("the status says of the hold: %+v", h)
	}
	c.patched(t, pool, func() {
		pool.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"generation": "two"}
	})
	c.says(t, pool, karpenterv1.ConditionRolledOut, metav1.ConditionFalse, karpenterv1.ReasonReplacing)
	eventually(t, "an event that says who holds the node", func() string {
		return missingFrom(c.events(t, old), "DisruptionBlocked", "alice", "incident 12")
	})
	always(t, 5*time.Second, func() string {
		if claims := c.claims(
			t,
		); len(claims) != 1 || !claims[0].DeletionTimestamp.IsZero() ||
			condition.IsTrue(&claims[0], karpenterv1.ConditionDisruptionReason) {
			return fmt.Sprintf("%d claims, the first with %s", len(claims), conditions(claims[0].Status.Conditions))
		}
		return ""
	})
	c.patched(t, pool, func() { pool.Annotations = nil })
	c.says(t, pool, karpenterv1.ConditionRolledOut, metav1.ConditionTrue, karpenterv1.ConditionRolledOut)
	if s := pool.Status; s.Hold != nil || condition.Get(pool, karpenterv1.ConditionDisruptionHeld) != nil ||
		s.Rollout.Outdated != 0 {
		t.Errorf("in the end the status is %+v", s)
	}
	c.gone(t, old)
	c.running(t, "rolling", 1)
	c.remove(t, deployment, pool)
}

// switchedOffPoolSaysSo has a pool that may have no nodes.
func switchedOffPoolSaysSo(t *testing.T, c *cluster) {
	pool := general(func(p *karpenterv1.NodePool) {
		p.Spec.Limits = corev1.ResourceList{corev1.ResourceName(shape.LimitNodes): resource.MustParse("0")}
	})
	deployment := web("waiting", 1, "500m")
	c.create(t, pool, deployment)
	c.says(t, pool, karpenterv1.ConditionLaunchable, metav1.ConditionFalse, karpenterv1.ReasonSwitchedOff)
	eventually(t, "an event that names the limit", func() string {
		return missingFrom(c.events(t, c.podOf(t, "waiting")), "FailedScheduling", "limit")
	})
	c.patched(t, pool, func() { pool.Spec.Limits = nil })
	c.running(t, "waiting", 1)
	c.remove(t, deployment, pool)
}

// singleReplicaIsNeverAway deletes the node of a Deployment's only pod, which a budget does not let go: its successor
// is ready before.
func singleReplicaIsNeverAway(t *testing.T, c *cluster) {
	one := intstr.FromInt32(1)
	guard := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "single"}}
	guard.Spec.MinAvailable = &one
	guard.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "single"}}
	pool, deployment := general(), web("single", 1, "500m", oneEach("single"))
	c.create(t, pool, guard, deployment)
	c.running(t, "single", 1)
	first := c.podOf(t, "single")
	claim := &c.claims(t)[0]
	c.ready(t, claim)
	revision := deployment.Generation
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod to be gone", func() string {
		var pods corev1.PodList
		if err := c.List(
			t.Context(),
			&pods,
			client.InNamespace("default"),
			client.MatchingLabels{"app": "single"},
		); err != nil {
			return err.Error()
		}
		ready, there := 0, ""
		for i := range pods.Items {
			p := &pods.Items[i]
			if p.Name == first.Name {
				there = fmt.Sprintf("it is there with labels %v", p.Labels)
			}
			for _, cond := range p.Status.Conditions {
				if cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue &&
					p.DeletionTimestamp.IsZero() {
					ready++
				}
			}
		}
		if ready == 0 {
			t.Fatalf("none of %d pods is ready", len(pods.Items))
		}
		return there
	})
	c.gone(t, claim)
	c.running(t, "single", 1)
	now := &appsv1.Deployment{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(deployment), now); err != nil {
		t.Fatal(err)
	}
	if now.Generation != revision {
		t.Errorf("the Deployment was changed: generation %d, was %d", now.Generation, revision)
	}
	c.remove(t, deployment, guard, pool)
}
