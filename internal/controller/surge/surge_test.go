package surge

import (
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// parts are a Deployment of one ready pod, and what is beside it.
type parts struct {
	deployment *appsv1.Deployment
	set        *appsv1.ReplicaSet
	pod        *corev1.Pod
	services   []corev1.Service
	claims     []corev1.PersistentVolumeClaim
}

func newParts(change ...func(*parts)) *parts {
	labels := map[string]string{"app": "web"}
	p := &parts{
		deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "d", Generation: 2},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](1),
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType},
			},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1},
		},
		set: &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default",
				Name:      "web-1",
				UID:       "s",
				OwnerReferences: []metav1.OwnerReference{
					{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: ptr.To(true)},
				},
			},
		},
		pod: podNamed("web-1-a", true),
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func podNamed(name string, isReady bool) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default",
		Name:      name,
		UID:       types.UID(name),
		Labels:    map[string]string{"app": "web", "pod-template-hash": "1"},
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "s", Controller: ptr.To(true)},
		},
	}}
	if isReady {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return p
}

func volume(modes ...corev1.PersistentVolumeAccessMode) func(*parts) {
	return func(p *parts) {
		p.claims = append(
			p.claims,
			corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"},
				Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: modes},
			},
		)
		p.pod.Spec.Volumes = []corev1.Volume{
			{
				VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
				},
			},
		}
	}
}

func strategy(kind appsv1.DeploymentStrategyType, surge string) func(*parts) {
	return func(p *parts) {
		most := intstr.Parse(surge)
		p.deployment.Spec.Strategy = appsv1.DeploymentStrategy{
			Type:          kind,
			RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &most},
		}
	}
}

func apart(key string) func(*parts) {
	return func(p *parts) {
		p.pod.Spec.Affinity = &corev1.Affinity{
			PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{
						TopologyKey:   key,
						LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
					},
				},
			},
		}
	}
}

func serving(selector map[string]string) func(*parts) {
	return func(p *parts) {
		p.services = append(
			p.services,
			corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
				Spec:       corev1.ServiceSpec{Selector: selector},
			},
		)
	}
}

func TestOnlyWhatTheOwnerAllowsSurges(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		change func(*parts)
		may    bool
	}{
		"Plain":         {"One replica, the default strategy.", func(*parts) {}, true},
		"SharedVolume":  {"A volume for many nodes.", volume(corev1.ReadWriteMany), true},
		"Volume":        {"A volume for one node.", volume(corev1.ReadWriteOnce), false},
		"VolumeBoth":    {"A volume that may be either.", volume(corev1.ReadWriteOnce, corev1.ReadOnlyMany), false},
		"VolumePod":     {"A volume for one pod.", volume(corev1.ReadWriteOncePod), false},
		"VolumeUnknown": {"A claim that says nothing.", volume(), false},
		"Recreate":      {"Two must never run.", strategy(appsv1.RecreateDeploymentStrategyType, "1"), false},
		"NoSurge": {
			"The strategy has no surge.",
			strategy(appsv1.RollingUpdateDeploymentStrategyType, "0"),
			false,
		},
		"Percent": {
			"A percentage of one is one.",
			strategy(appsv1.RollingUpdateDeploymentStrategyType, "1%"),
			true,
		},
		"Replicas": {
			"Two replicas need no help.",
			func(p *parts) { p.deployment.Spec.Replicas = ptr.To[int32](2) },
			false,
		},
		"Paused": {"Nobody makes another pod.", func(p *parts) { p.deployment.Spec.Paused = true }, false},
		"Rolling": {
			"It is being rolled out.",
			func(p *parts) { p.deployment.Status.ObservedGeneration = 1 },
			false,
		},
		"RollingPods": {
			"Its new pod is coming anyway.",
			func(p *parts) { p.deployment.Status.Replicas = 2 },
			false,
		},
		"NotReady": {"Nobody is served by it.", func(p *parts) { p.pod.Status.Conditions = nil }, false},
		"HostPort": {"Its port may be taken.", func(p *parts) {
			p.pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{HostPort: 80}}}}
		}, false},
		"OwnHost": {"The successor runs on another host anyway.", apart(corev1.LabelHostname), true},
		"OwnZone": {"It may not run in the zone.", apart(corev1.LabelTopologyZone), false},
		"Service": {
			"The Service does not look at the label.",
			serving(map[string]string{"app": "web"}),
			true,
		},
		"ServiceByHash": {
			"The Service would lose the pod.",
			serving(map[string]string{"app": "web", "pod-template-hash": "1"}),
			false,
		},
		"ServiceOfAnother": {
			"Another revision's Service.",
			serving(map[string]string{"pod-template-hash": "2"}),
			true,
		},
		"Stateful": {
			"A StatefulSet's pod.",
			func(p *parts) { p.pod.OwnerReferences[0].Kind = "StatefulSet" },
			false,
		},
		"BareSet": {
			"A ReplicaSet without a Deployment.",
			func(p *parts) { p.set.OwnerReferences = nil },
			false,
		},
		"Bare": {"A pod of nobody.", func(p *parts) { p.pod.OwnerReferences = nil }, false},
		"Failed": {"Its successor did not come a while ago.", func(p *parts) {
			p.pod.Annotations = map[string]string{annotationFailed: noon.Add(-time.Minute).Format(time.RFC3339)}
		}, false},
		"FailedLongAgo": {"That may have been mended.", func(p *parts) {
			p.pod.Annotations = map[string]string{annotationFailed: noon.Add(-2 * time.Hour).Format(time.RFC3339)}
		}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParts(tc.change)
			s, c, _ := p.surger(t)
			if got := s.Able(t.Context(), p.pod); got != tc.may {
				t.Errorf("%s\nable %t, want %t", tc.why, got, tc.may)
			}
			if err := s.Begin(t.Context(), p.pod); err != nil {
				t.Fatal(err)
			}
			if got := read(
				t,
				c,
			); (got.Labels["pod-template-hash"] != "1") != tc.may ||
				(got.Annotations[annotationBegun] != "") != tc.may {
				t.Errorf("%s\nlabels %v, annotations %v", tc.why, got.Labels, got.Annotations)
			}
		})
	}
}

func (p *parts) surger(t *testing.T, more ...client.Object) (*Surger, client.Client, *clocktesting.FakeClock) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	objects := append([]client.Object{p.pod, p.set}, more...)
	if p.deployment != nil {
		objects = append(objects, p.deployment)
	}
	for i := range p.services {
		objects = append(objects, &p.services[i])
	}
	for i := range p.claims {
		objects = append(objects, &p.claims[i])
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	clock := clocktesting.NewFakeClock(noon)
	return New(
		Deps{Client: c, Reader: c, Clock: clock, Events: observe.NewRecorder(record.NewFakeRecorder(10), clock)},
	), c, clock
}

func read(t *testing.T, c client.Client) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := c.Get(
		t.Context(),
		types.NamespacedName{Namespace: "default", Name: "web-1-a"},
		pod,
	); client.IgnoreNotFound(
		err,
	) != nil {
		t.Fatal(err)
	}
	return pod
}

// begun is a pod whose successor was started by a leader before.
func begun(p *parts) {
	p.pod.Annotations = map[string]string{
		annotationBegun: `{"hash":"1","since":"2026-01-01T12:00:00Z","deployment":"web","uid":"d"}`,
	}
	p.pod.Labels["pod-template-hash"] = "replaced-1"
	p.pod.OwnerReferences = nil
}

func TestWhatWasBegunIsFinishedByWhoeverLeads(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why       string
		change    func(*parts)
		successor *corev1.Pod
		after     time.Duration
		hash      string // of the pod in the end; empty if it is gone
		again     bool
	}{
		"Waits": {
			"The successor is not ready yet.",
			func(*parts) {},
			podNamed("web-1-b", false),
			time.Minute,
			"replaced-1",
			true,
		},
		"Ready": {
			"It is: the drain evicts the pod.",
			func(*parts) {},
			podNamed("web-1-b", true),
			time.Minute,
			"replaced-1",
			true,
		},
		"ReadyLate": {
			"It came late, but it came.",
			func(*parts) {},
			podNamed("web-1-b", true),
			time.Hour,
			"replaced-1",
			true,
		},
		"Late": {
			"It does not come: the ReplicaSet gets its pod back.",
			func(*parts) {},
			podNamed("web-1-b", false),
			patience + time.Second,
			"1",
			false,
		},
		"Orphan": {
			"Another pod that was let go is no successor.",
			func(*parts) {},
			func() *corev1.Pod { p := podNamed("web-1-b", true); p.OwnerReferences = nil; return p }(),
			patience + time.Second,
			"1",
			false,
		},
		"Deleted": {
			"The Deployment is gone, and with it the reason for the pod.",
			func(p *parts) { p.deployment = nil },
			podNamed("web-1-b", false),
			time.Minute,
			"",
			false,
		},
		"MadeAnew": {
			"It is another one of the same name.",
			func(p *parts) { p.deployment.UID = "other" },
			podNamed("web-1-b", false),
			time.Minute,
			"",
			false,
		},
		"ScaledToZero": {
			"Nobody wants a pod.",
			func(p *parts) { p.deployment.Spec.Replicas = ptr.To[int32](0) },
			podNamed("web-1-b", false),
			time.Minute,
			"",
			false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParts(begun, tc.change)
			s, c, clock := p.surger(t, tc.successor)
			clock.Step(tc.after)
			got, err := s.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(p.pod)})
			if err != nil {
				t.Fatal(err)
			}
			pod := read(t, c)
			if hash := pod.Labels["pod-template-hash"]; hash != tc.hash || (got.RequeueAfter > 0) != tc.again {
				t.Errorf(
					"%s\nhash %q, again after %s; want %q and %t",
					tc.why,
					hash,
					got.RequeueAfter,
					tc.hash,
					tc.again,
				)
			}
			if restored := pod.Annotations[annotationFailed] != ""; restored != (tc.hash == "1") ||
				restored && pod.Annotations[annotationBegun] != "" {
				t.Errorf("%s\nannotations %v", tc.why, pod.Annotations)
			}
		})
	}
}
