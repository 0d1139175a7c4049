package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// general is a NodePool on the kwok cloud: linux, on demand, all nodes may go at once.
func general(change ...func(*karpenterv1.NodePool)) *karpenterv1.NodePool {
	pool := &karpenterv1.NodePool{}
	pool.Name = "general"
	pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.kwok.sh",
		Kind:  "KWOKNodeClass",
		Name:  "default",
	}
	pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
		{Key: karpenterv1.CapacityTypeLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{"on-demand"}},
	}
	pool.Spec.Template.Spec.ExpireAfter = karpenterv1.NillableDuration{}
	pool.Spec.Disruption.ConsolidateAfter = karpenterv1.After(0)
	pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	pool.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "100%"}}
	for _, f := range change {
		f(pool)
	}
	return pool
}

// web is a Deployment whose pods ask for so much CPU each.
func web(name string, replicas int32, cpu string, change ...func(*corev1.PodSpec)) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	zero := int64(0)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: &zero,
				Containers: []corev1.Container{{Name: "web", Image: "web", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{
						corev1.ResourceCPU:    resource.MustParse(cpu),
						corev1.ResourceMemory: resource.MustParse("128Mi"),
					},
				}}},
			}},
		},
	}
	for _, f := range change {
		f(&d.Spec.Template.Spec)
	}
	return d
}

// oneEach keeps the pods of a Deployment on nodes of their own.
func oneEach(app string) func(*corev1.PodSpec) {
	return func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{
			PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{
						TopologyKey:   corev1.LabelHostname,
						LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
					},
				},
			},
		}
	}
}

// running waits until exactly so many pods of an app run.
func (c *cluster) running(t *testing.T, app string, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d running pods of %s", want, app), func() string {
		var list corev1.PodList
		if err := c.List(
			t.Context(),
			&list,
			client.InNamespace("default"),
			client.MatchingLabels{"app": app},
		); err != nil {
			return err.Error()
		}
		running := 0
		for _, p := range list.Items {
			if p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp.IsZero() {
				running++
			}
		}
		if running != want || len(list.Items) != want {
			return fmt.Sprintf(
				"%d pods, %d running, %d claims, %d nodes",
				len(list.Items),
				running,
				len(c.claims(t)),
				len(c.nodes(t)),
			)
		}
		return ""
	})
}

// scale sets the replicas of a Deployment.
func (c *cluster) scale(t *testing.T, d *appsv1.Deployment, replicas int32) {
	t.Helper()
	before := d.DeepCopy()
	d.Spec.Replicas = &replicas
	if err := c.Patch(t.Context(), d, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// remove deletes objects and waits until no claim and no node is left.
func (c *cluster) remove(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := c.Delete(t.Context(), o); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	c.quiet(t)
}

func onePodGetsOneNode(t *testing.T, c *cluster) {
	pool, deployment := general(), web("one", 1, "500m")
	c.create(t, pool)
	began := time.Now()
	c.create(t, deployment)
	eventually(t, "a launched claim", func() string {
		claims := c.claims(t)
		if len(claims) != 1 || !condition.IsTrue(&claims[0], karpenterv1.ConditionLaunched) {
			return fmt.Sprintf("%d claims", len(claims))
		}
		return ""
	})
	t.Logf("pending pod to launched claim: %s, batch window included", time.Since(began).Round(time.Millisecond))
	c.running(t, "one", 1)
	claim := c.claims(t)[0]
	if claim.Labels[karpenterv1.NodePoolLabelKey] != "general" ||
		!slices.Contains(claim.Finalizers, karpenterv1.TerminationFinalizer) {
		t.Errorf("labels %v, finalizers %v", claim.Labels, claim.Finalizers)
	}
	eventually(t, "the pool to count its node", func() string {
		got := &karpenterv1.NodePool{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(pool), got); err != nil {
			return err.Error()
		}
		if got.Status.Nodes == nil || *got.Status.Nodes != 1 || got.Status.Resources.Cpu().IsZero() ||
			!condition.IsTrue(got, condition.Ready) {
			return fmt.Sprintf(
				"nodes %v, resources %v, conditions %s",
				got.Status.Nodes,
				got.Status.Resources,
				conditions(got.Status.Conditions),
			)
		}
		return ""
	})
	c.scale(t, deployment, 0)
	c.quiet(t)
	c.remove(t, deployment, pool)
}

func poolWithoutClassSaysSo(t *testing.T, c *cluster) {
	pool := general(func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.NodeClassRef.Name = "missing" })
	deployment := web("orphan", 1, "500m")
	c.create(t, pool, deployment)
	eventually(t, "the pool to name its class", func() string {
		got := &karpenterv1.NodePool{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(pool), got); err != nil {
			return err.Error()
		}
		return missingFrom(
			conditions(got.Status.Conditions),
			"Ready=False",
			"NodeClassNotFound",
			"KWOKNodeClass missing",
			"create it",
		)
	})
	eventually(t, "an event on the pod that names the pool", func() string {
		return missingFrom(c.events(t, c.podOf(t, "orphan")), "FailedScheduling", "general")
	})
	if n := len(c.claims(t)); n > 0 {
		t.Errorf("%d claims were made without a class", n)
	}
	c.remove(t, deployment, pool)
}

func podThatNothingSuitsSaysWhy(t *testing.T, c *cluster) {
	pool := general()
	deployment := web("giant", 1, "900")
	c.create(t, pool, deployment)
	eventually(t, "an event on the pod that says what is too small", func() string {
		return missingFrom(c.events(t, c.podOf(t, "giant")), "FailedScheduling", "cpu")
	})
	c.remove(t, deployment, pool)
}

func poolThatNothingSatisfiesSaysSo(t *testing.T, c *cluster) {
	pool := general(func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.Requirements[0].Values = []string{"plan9"}
	})
	deployment := web("exotic", 1, "500m")
	c.create(t, pool, deployment)
	eventually(t, "an event on the pool", func() string {
		return missingFrom(c.events(t, pool), "NoCompatibleInstanceTypes", "NodePool general", "requirements")
	})
	eventually(t, "an event on the pod that names the pool", func() string {
		return missingFrom(c.events(t, c.podOf(t, "exotic")), "FailedScheduling", "general")
	})
	c.remove(t, deployment, pool)
}

// podOf is the pod of an app with one.
func (c *cluster) podOf(t *testing.T, app string) *corev1.Pod {
	t.Helper()
	var list corev1.PodList
	eventually(t, "a pod of "+app, func() string {
		if err := c.List(t.Context(), &list, client.MatchingLabels{"app": app}); err != nil {
			return err.Error()
		}
		if len(list.Items) == 0 {
			return "none"
		}
		return ""
	})
	return &list.Items[0]
}

func budgetHoldsWhenNodesAreEmpty(t *testing.T, c *cluster) {
	pool := general(func(p *karpenterv1.NodePool) { p.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "1"}} })
	deployment := web("spread", 3, "500m", oneEach("spread"))
	c.create(t, pool, deployment)
	c.running(t, "spread", 3)
	if n := len(c.claims(t)); n != 3 {
		t.Fatalf("%d claims for three pods that must be apart", n)
	}
	c.scale(t, deployment, 0)
	most := 0
	eventually(t, "all nodes to go", func() string {
		going := 0
		claims := c.claims(t)
		for i := range claims {
			if !claims[i].DeletionTimestamp.IsZero() {
				going++
			}
		}
		most = max(most, going)
		if len(claims) > 0 {
			return fmt.Sprintf("%d claims, %d going", len(claims), going)
		}
		return ""
	})
	if most > 1 {
		t.Errorf("%d nodes were going at once, the budget is 1", most)
	}
	c.remove(t, deployment, pool)
}
