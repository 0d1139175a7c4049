package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// consolidating lets a pool give up nodes as soon as may be.
func consolidating(p *karpenterv1.NodePool) {
	p.Spec.Disruption.ConsolidateAfter = karpenterv1.After(0)
}

func emptinessIsBlockedBy(budget func() karpenterv1.Budget) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		pool := s.pool(consolidating, budgets(budget()))
		claims := s.emptied(t, pool, 1)
		s.steady(t, restless+10*time.Second, func() string { // an empty node is left for 15 s anyway
			if s.leaving(t) > 0 || s.claim(t, claims[0].Name) == nil {
				return "the empty node goes"
			}
			return ""
		})
	}
}

func emptyNodeGoes(t *testing.T, s *scene) {
	s.emptied(t, s.pool(consolidating), 1)
	s.count(t, 0)
}

// graceful gives the pool's nodes so long to drain.
func graceful(d time.Duration) func(*karpenterv1.NodePool) {
	return func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.TerminationGracePeriod = durationOf(d) }
}

// graceEndsProtection deletes a node whose pod must not be disrupted: it stays until the grace period is
// almost over, and no longer.
func graceEndsProtection(t *testing.T, s *scene) {
	const period = 15 * time.Second
	s.create(t, s.pool(graceful(period)), s.app("precious", 1, "500m", kept("true")))
	pod := s.healthy(t, "precious", 1)[0]
	claim := s.count(t, 1)[0]
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: claim.Status.NodeName}}
	began := time.Now()
	if err := s.Delete(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	s.steady(t, period/2, func() string { return s.lives(t, &pod) })
	s.vanished(t, &claim)
	if took := time.Since(began); took > 2*period {
		t.Errorf("the node was gone after %s, its grace period is %s", took.Round(time.Millisecond), period)
	}
	s.healthy(t, "precious", 1)
}

// lives says so if a pod is gone or going.
func (s *scene) lives(t *testing.T, pod *corev1.Pod) (wrong string) {
	t.Helper()
	now := &corev1.Pod{}
	err := s.seen.Get(t.Context(), client.ObjectKeyFromObject(pod), now)
	if err != nil || now.UID != pod.UID || now.DeletionTimestamp != nil {
		return fmt.Sprintf("pod %s is gone or going (%v)", pod.Name, err)
	}
	return ""
}

// graceIncludesPreStop has a pod whose hook takes longer than the node has: it is told to go at once, so that
// its own grace period fits.
func graceIncludesPreStop(t *testing.T, s *scene) {
	const period = 15 * time.Second
	long := int64(15)
	s.create(t, s.pool(graceful(period)), s.app("slow", 1, "500m", kept("true"), func(p *corev1.PodTemplateSpec) {
		p.Spec.TerminationGracePeriodSeconds = &long
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
			PreStop: &corev1.LifecycleHandler{
				Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", "sleep 9999"}},
			},
		}
	}))
	pod := s.healthy(t, "slow", 1)[0]
	claim := s.count(t, 1)[0]
	began := time.Now()
	if err := s.Delete(t.Context(), &claim); err != nil {
		t.Fatal(err)
	}
	s.until(t, "the pod to be told to go", func() string {
		if s.lives(t, &pod) == "" {
			return "it lives"
		}
		return ""
	})
	if took := time.Since(began); took > period/2 {
		t.Errorf(
			"the pod was told to go after %s only: its grace period of %d s does not fit any more",
			took.Round(time.Millisecond),
			long,
		)
	}
	s.vanished(t, &claim)
	if took := time.Since(began); took > 2*period {
		t.Errorf("the node was gone after %s, its grace period is %s", took.Round(time.Millisecond), period)
	}
}

func machineGoesWithItsNode(t *testing.T, s *scene) {
	app := s.app("web", 1, "500m")
	s.create(t, s.pool(), app)
	s.healthy(t, "web", 1)
	claim := s.count(t, 1)[0]
	s.resize(t, app, 0)
	s.healthy(t, "web", 0)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: claim.Status.NodeName}}
	if err := s.Delete(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	s.vanished(t, node)
	s.vanished(t, &claim)
	if slices.Contains(s.machines(t), claim.Status.ProviderID) {
		t.Errorf("machine %s is still paid for", claim.Status.ProviderID)
	}
}

// drainGoesByTiers deletes a node with pods of all four kinds. Each kind goes only when the one before is gone.
func drainGoesByTiers(t *testing.T, s *scene) {
	slow := func(p *corev1.PodTemplateSpec) {
		grace := int64(5)
		p.Spec.TerminationGracePeriodSeconds = &grace
		p.Annotations = map[string]string{"playground.dovetail.sh/stops-after": "2s"}
	}
	vital := func(p *corev1.PodTemplateSpec) { p.Spec.PriorityClassName = "system-cluster-critical" }
	s.create(t, s.pool(),
		s.app("tier-1", 1, "100m", slow), daemonSet(s.app("tier-2", 1, "100m", slow)),
		s.app("tier-3", 1, "100m", slow, vital), daemonSet(s.app("tier-4", 1, "100m", slow, vital)))
	tiers := []string{"tier-1", "tier-2", "tier-3", "tier-4"}
	var pods []corev1.Pod
	for _, tier := range tiers {
		pods = append(pods, s.healthy(t, tier, 1)[0])
	}
	claim := s.count(t, 1)[0]
	if err := s.Delete(
		t.Context(),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: claim.Status.NodeName}},
	); err != nil {
		t.Fatal(err)
	}
	for i := range pods {
		s.until(t, tiers[i]+" to go", func() string {
			// From one list, or a pod could be seen to live after it went.
			alive, going := fates(s, t, pods)
			for later := i + 1; later < len(pods); later++ {
				if alive[i] && going[later] {
					t.Fatalf("%s goes while %s is there", tiers[later], tiers[i])
				}
			}
			if alive[i] {
				return "it is there"
			}
			return ""
		})
	}
	s.vanished(t, &claim)
}

// fates says which pods exist and which are gone or going.
func fates(s *scene, t *testing.T, pods []corev1.Pod) (alive, going []bool) {
	t.Helper()
	var list corev1.PodList
	if err := s.seen.List(t.Context(), &list, client.InNamespace(s.name)); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		i := slices.IndexFunc(list.Items, func(other corev1.Pod) bool { return other.UID == p.UID })
		alive = append(alive, i >= 0)
		going = append(going, i < 0 || !list.Items[i].DeletionTimestamp.IsZero())
	}
	return alive, going
}

// daemonSet is a DaemonSet with a Deployment's pods.
func daemonSet(d *appsv1.Deployment) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		ObjectMeta: d.ObjectMeta,
		Spec:       appsv1.DaemonSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
}

// protectionEnds deletes a node with pods that are protected for a time, and one that always is.
func protectionEnds(t *testing.T, s *scene) {
	s.create(
		t,
		s.pool(),
		s.app("short", 1, "100m", kept("12s")),
		s.app("long", 1, "100m", kept("20s")),
		s.app("always", 1, "100m", kept("true")),
	)
	short, long, always := s.healthy(t, "short", 1)[0], s.healthy(t, "long", 1)[0], s.healthy(t, "always", 1)[0]
	claim := s.count(t, 1)[0]
	if err := s.Delete(
		t.Context(),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: claim.Status.NodeName}},
	); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		pod     *corev1.Pod
		keptFor time.Duration
	}{{&short, 12 * time.Second}, {&long, 20 * time.Second}} {
		s.until(t, p.pod.Name+" to go", func() string {
			if s.lives(t, p.pod) == "" {
				return "it is there"
			}
			return ""
		})
		// Start times have whole seconds, and a loaded machine is late.
		if lived := time.Since(p.pod.Status.StartTime.Time); lived < p.keptFor || lived > p.keptFor+time.Minute {
			t.Errorf("pod %s went after %s, its time is %s", p.pod.Name, lived.Round(time.Millisecond), p.keptFor)
		}
	}
	s.steady(t, 5*time.Second, func() string { return s.lives(t, &always) })
}
