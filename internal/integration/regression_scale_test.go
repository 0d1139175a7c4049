package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// spoil taints every node of the story as soon as it is seen, so that no pod can stay there, until the story ends.
func spoil(s *scene, t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			var nodes corev1.NodeList
			if err := s.seen.List(ctx, &nodes, client.MatchingLabels{sceneLabel: s.name}); err != nil {
				return
			}
			for _, n := range nodes.Items {
				if hasTaint(&n, "spoilt") || !n.DeletionTimestamp.IsZero() {
					continue
				}
				before := n.DeepCopy()
				n.Spec.Taints = append(
					n.Spec.Taints,
					corev1.Taint{Key: "spoilt", Value: "true", Effect: corev1.TaintEffectNoExecute},
				)
				_ = s.Patch(
					ctx,
					&n,
					client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}),
				) // a conflict is tried again
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// noRunaway has somebody make every new node useless: nodes are bought for the pod again and again, but never many.
func noRunaway(change func(*karpenterv1.NodePool)) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		spoil(s, t)
		s.create(t, s.pool(change), s.app("web", 1, "500m"))
		most := 0
		s.steady(t, 40*time.Second, func() string {
			n := len(s.nodesHere(t))
			most = max(most, n)
			if n >= 35 {
				return fmt.Sprintf("%d nodes for one pod", n)
			}
			return ""
		})
		t.Logf("%d nodes at most", most)
		if most == 0 {
			t.Error("no node ever came")
		}
	}
}

// onePodEach has a hundred pods, each too large to share a node with another.
func onePodEach(t *testing.T, s *scene) {
	began := time.Now()
	s.create(t, s.pool(), s.app("web", 100, "1200m"))
	s.healthy(t, "web", 100)
	s.count(t, 100)
	t.Logf("100 pods on 100 nodes after %.1f s", time.Since(began).Seconds())
}

// simple are a hundred equal pods.
func simple(s *scene) []*appsv1.Deployment {
	return []*appsv1.Deployment{s.app("web", 100, "350m")}
}

// manyKinds are pods of ten kinds, with spread, anti-affinity and different sizes: a hundred in all.
func manyKinds(s *scene) []*appsv1.Deployment {
	var out []*appsv1.Deployment
	for i := range 10 {
		name := fmt.Sprintf("kind-%d", i)
		out = append(out, s.app(name, 10, fmt.Sprintf("%dm", 100+80*i), func(p *corev1.PodTemplateSpec) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse(
				fmt.Sprintf("%dMi", 128*(1+i%4)),
			)
			switch i % 3 {
			case 0:
				p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
					MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
					LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
				}}
			case 1:
				p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
					MaxSkew: 2, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule,
					LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
				}}
			}
		}))
	}
	return out
}

// hundredPods is the performance part: all pods run, and, if asked for, all nodes drift and are replaced.
func hundredPods(kind func(*scene) []*appsv1.Deployment, drift bool) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		began := time.Now()
		pool := s.pool(s.anyType)
		s.create(t, pool)
		apps := kind(s)
		all := func() {
			for _, a := range apps {
				s.healthy(t, a.Name, int(*a.Spec.Replicas))
			}
		}
		for _, a := range apps {
			s.create(t, a)
		}
		all()
		t.Logf("100 pods run after %.1f s", time.Since(began).Seconds())
		if !drift {
			return
		}
		old := s.count(t, len(s.claimsHere(t)))
		began = time.Now()
		s.change(t, pool, relabel)
		s.drifts(t, old...)
		t.Logf("drift of %d nodes was noticed after %.1f s", len(old), time.Since(began).Seconds())
		s.replaced(t, old)
		all()
		t.Logf("and they were replaced after %.1f s", time.Since(began).Seconds())
	}
}

// daemonsHaveDefaults has a DaemonSet whose pods ask for nothing and get requests from a LimitRange. New nodes
// have room for them.
func daemonsHaveDefaults(limits corev1.LimitRangeItem) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		limits.Type = corev1.LimitTypeContainer
		defaults := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "defaults"}}
		defaults.Spec.Limits = []corev1.LimitRangeItem{limits}
		agent := daemonSet(s.app("agent", 1, "0"))
		agent.Spec.Template.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
		s.create(t, defaults, agent, s.pool(s.anyType))
		s.create(t, s.app("web", 1, "1500m", func(p *corev1.PodTemplateSpec) {
			p.Spec.Containers[0].Resources.Limits = p.Spec.Containers[0].Resources.Requests
		}))
		s.healthy(t, "web", 1)
		s.healthy(t, "agent", 1)
		s.count(t, 1)
	}
}

// daemonsOfOtherArchDoNotBlock has DaemonSets that want the pod's host port on other kinds of node only.
func daemonsOfOtherArchDoNotBlock(t *testing.T, s *scene) {
	port := func(p *corev1.PodTemplateSpec) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
	}
	only := func(key string, op corev1.NodeSelectorOperator, values ...string) func(*corev1.PodTemplateSpec) {
		return func(p *corev1.PodTemplateSpec) {
			p.Spec.Affinity = &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{
					RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
						NodeSelectorTerms: []corev1.NodeSelectorTerm{
							{
								MatchExpressions: []corev1.NodeSelectorRequirement{
									{Key: key, Operator: op, Values: values},
								},
							},
						},
					},
				},
			}
		}
	}
	s.create(
		t,
		s.pool(s.anyType),
		daemonSet(s.app("on-arm", 1, "100m", port, only(corev1.LabelArchStable, corev1.NodeSelectorOpIn, "arm64"))),
		daemonSet(
			s.app(
				"on-others",
				1,
				"100m",
				port,
				only(corev1.LabelInstanceTypeStable, corev1.NodeSelectorOpNotIn, s.four),
			),
		),
	)
	s.create(t, s.app("web", 1, "500m", port))
	pod := s.healthy(t, "web", 1)[0]
	claim := s.count(t, 1)[0]
	if got := claim.Labels[corev1.LabelInstanceTypeStable]; got != s.four ||
		pod.Spec.NodeName != claim.Status.NodeName {
		t.Errorf("the pod is on a %s, where a DaemonSet wants its port too; want a %s", got, s.four)
	}
	if n := len(s.podsOf(t, "on-arm")) + len(s.podsOf(t, "on-others")); n != 0 {
		t.Errorf("%d pods of the DaemonSets came", n)
	}
}
