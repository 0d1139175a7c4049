package terminate

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func podNamed(name string, changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: name}}
	p.Status.Phase = corev1.PodRunning
	p.Status.StartTime = &metav1.Time{Time: noon.Add(-time.Minute)}
	for _, change := range changes {
		change(p)
	}
	return p
}

func daemon(p *corev1.Pod) {
	yes := true
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "d", Controller: &yes}}
}
func important(p *corev1.Pod) { p.Spec.PriorityClassName = "system-node-critical" }
func finished(p *corev1.Pod)  { p.Status.Phase = corev1.PodSucceeded }
func mirror(p *corev1.Pod)    { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "1"} }
func going(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon.Add(-since)} }
}
func doNotDisrupt(value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: value} }
}
func graceOf(seconds int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &seconds }
}
func tolerates(key string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: key, Operator: corev1.TolerationOpExists}}
	}
}

func TestNextDrain(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why      string
		pods     []*corev1.Pod
		deadline time.Duration // from now, 0 for none
		want     []string
		again    time.Duration
	}{
		"Nothing": {why: "An empty node is done.", want: nil},
		"NotWaitedFor": {
			why: "Finished, mirrored and tolerating pods, and one stuck in deletion, hold nothing up.",
			pods: []*corev1.Pod{
				podNamed("a", finished),
				podNamed("b", mirror),
				podNamed("c", tolerates("karpenter.sh/disrupted")),
				podNamed("d", tolerates("")),
				podNamed("e", going(2*time.Minute)),
			},
			want: nil,
		},
		"FirstTier": {
			why: "Only the first tier is asked to go.",
			pods: []*corev1.Pod{
				podNamed("d", daemon),
				podNamed("a"),
				podNamed("k", important),
				podNamed("kd", important, daemon),
			},
			want: []string{"evict a", "wait a", "wait d", "wait k", "wait kd"},
		},
		"SecondTier": {
			why:  "Daemons follow when ordinary pods are gone.",
			pods: []*corev1.Pod{podNamed("d", daemon), podNamed("k", important)},
			want: []string{"evict d", "wait d", "wait k"},
		},
		"ThirdTier": {
			why:  "Critical pods go before critical daemons.",
			pods: []*corev1.Pod{podNamed("k", important), podNamed("kd", important, daemon)},
			want: []string{"evict k", "wait k", "wait kd"},
		},
		"TierNotGone": {
			why:   "A pod that is still stopping holds its tier.",
			pods:  []*corev1.Pod{podNamed("a", going(10*time.Second)), podNamed("d", daemon)},
			want:  []string{"wait a", "wait d"},
			again: 50 * time.Second,
		},
		"DoNotDisrupt": {
			why:  "The annotation is waited for.",
			pods: []*corev1.Pod{podNamed("a", doNotDisrupt("true")), podNamed("b")},
			want: []string{"evict b", "wait a", "wait b"},
		},
		"ForAWhile": {
			why:   "A duration counts from the pod's start.",
			pods:  []*corev1.Pod{podNamed("a", doNotDisrupt("3m"))},
			want:  []string{"wait a"},
			again: 2 * time.Minute,
		},
		"NotStarted": {
			why: "A pod that its kubelet has not started yet has its whole time before it.",
			pods: []*corev1.Pod{podNamed("a", doNotDisrupt("3m"), func(p *corev1.Pod) {
				p.Status.StartTime, p.CreationTimestamp = nil, metav1.NewTime(noon)
			})},
			want:  []string{"wait a"},
			again: 3 * time.Minute,
		},
		"WhileOver": {
			why:  "Then it goes like any other.",
			pods: []*corev1.Pod{podNamed("a", doNotDisrupt("30s"))},
			want: []string{"evict a", "wait a"},
		},
		"BadAnnotation": {
			why:  "A value that means nothing protects nothing.",
			pods: []*corev1.Pod{podNamed("a", doNotDisrupt("please"))},
			want: []string{"evict a", "wait a"},
		},
		"FarDeadline": {
			why:      "Nothing is killed before it must be.",
			pods:     []*corev1.Pod{podNamed("a", doNotDisrupt("true"), graceOf(60))},
			deadline: 5 * time.Minute,
			want:     []string{"wait a"},
			again:    4 * time.Minute,
		},
		"NearDeadline": {
			why:      "The pod is deleted early enough to have its whole grace period, do-not-disrupt or not.",
			pods:     []*corev1.Pod{podNamed("a", doNotDisrupt("true"), graceOf(60))},
			deadline: time.Minute,
			want:     []string{"kill a 1m0s", "wait a"},
		},
		"ShorterGrace": {
			why:      "A grace period that does not fit any more is cut.",
			pods:     []*corev1.Pod{podNamed("a", graceOf(600))},
			deadline: time.Minute,
			want:     []string{"kill a 1m0s", "wait a"},
		},
		"LaterTierToo": {
			why:      "The deadline spares no tier.",
			pods:     []*corev1.Pod{podNamed("a", graceOf(1)), podNamed("k", important, graceOf(60))},
			deadline: time.Minute,
			want:     []string{"evict a", "kill k 1m0s", "wait a", "wait k"},
			again:    59 * time.Second,
		},
		"GoingInTime": {
			why:      "A pod that will be gone by the deadline is not killed again.",
			pods:     []*corev1.Pod{podNamed("a", going(-30*time.Second), graceOf(60))},
			deadline: 40 * time.Second,
			want:     []string{"wait a"},
			again:    90 * time.Second,
		},
		"GoingTooLate": {
			why:      "One that would not be is.",
			pods:     []*corev1.Pod{podNamed("a", going(-300*time.Second), graceOf(600))},
			deadline: 40 * time.Second,
			want:     []string{"kill a 40s", "wait a"},
			again:    6 * time.Minute,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var deadline time.Time
			if tc.deadline > 0 {
				deadline = noon.Add(tc.deadline)
			}
			d := nextDrain(translate.EvictionRank, tc.pods, deadline, noon)
			var got []string
			for _, p := range d.evict {
				got = append(got, "evict "+p.Name)
			}
			for _, k := range d.kill {
				got = append(got, fmt.Sprintf("kill %s %s", k.pod.Name, k.grace))
			}
			for _, p := range d.waiting {
				got = append(got, "wait "+p.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || d.again != tc.again {
				t.Errorf("%s\nagain %s, want %s; -want +got\n%s", tc.why, d.again, tc.again, diff)
			}
		})
	}
}

func TestPodsThatAreHardToPlaceAreEvictedFirst(t *testing.T) {
	t.Parallel()
	asks := func(cpu, memory string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers = []corev1.Container{
				{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
				}}},
			}
		}
	}
	spread := func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
			{TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule},
		}
	}
	selects := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelArchStable: "arm64"} }
	askedAgo := func(ago time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			grace := int64(30)
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{
				Time: noon.Add(30*time.Second - ago),
			}, &grace
		}
	}
	cases := map[string]struct {
		why  string
		pods []*corev1.Pod
		want []string
	}{
		"Largest": {
			"By processor or memory, a core like 4 GiB.",
			[]*corev1.Pod{
				podNamed("a", asks("1", "1Gi")),
				podNamed("b", asks("1", "32Gi")),
				podNamed("c", asks("4", "1Gi")),
			},
			[]string{"b", "c", "a"},
		},
		"Choosiest": {
			"Pods that few nodes suit, however small.",
			[]*corev1.Pod{
				podNamed("a", asks("4", "1Gi")),
				podNamed("b", asks("1", "1Gi"), selects),
				podNamed("c", asks("1", "1Gi"), spread),
			},
			[]string{"c", "b", "a"},
		},
		"JustAsked": {
			"The others wait until the scheduler has placed those.",
			[]*corev1.Pod{
				podNamed("a"),
				podNamed("b", selects),
				podNamed("c", spread),
				podNamed("d", selects, askedAgo(time.Second)),
			},
			[]string{"c", "b"},
		},
		"Placed": {
			"They wait no longer, though the first still run out their grace period.",
			[]*corev1.Pod{podNamed("a"), podNamed("b", spread, askedAgo(3*time.Second))},
			[]string{"a"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := nextDrain(translate.EvictionRank, tc.pods, time.Time{}, noon)
			var got []string
			for _, p := range d.evict {
				got = append(got, p.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
