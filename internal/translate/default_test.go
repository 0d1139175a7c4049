package translate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const zonal = `
podTopologySpread:
  defaultConstraints:
    - {maxSkew: 2, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}
`

func TestDefaultSpread(t *testing.T) {
	t.Parallel()
	defaults, err := translate.ReadDefaults(zonal)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	owned := pod(corev1.PodSpec{})
	owned.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", Controller: &yes}}
	own := pod(
		corev1.PodSpec{
			TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
				{
					MaxSkew:           1,
					TopologyKey:       "rack",
					WhenUnsatisfiable: corev1.ScheduleAnyway,
					LabelSelector:     &metav1.LabelSelector{},
				},
			},
		},
	)
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"id": "7"}}},
	}
	service := func(namespace, app string) *corev1.Service {
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": app}},
		}
	}
	in := func(key, value string) shape.Requirement {
		return shape.Requirement{Key: key, Values: []string{value}}
	}
	want := func(reqs ...shape.Requirement) []shape.Spread {
		return []shape.Spread{
			{Key: shape.LabelZone, MaxSkew: 2, Hard: true, Selector: shape.Selector{Requirements: reqs}},
		}
	}
	cases := map[string]struct {
		why     string
		pod     *corev1.Pod
		objects translate.Objects
		want    []shape.Spread
	}{
		"Alone": {"Nothing says which pods belong together.", pod(corev1.PodSpec{}), translate.Objects{}, nil},
		"Service": {
			"The service's pods are spread; services of others do not count.",
			pod(corev1.PodSpec{}),
			translate.Objects{
				Services: []*corev1.Service{
					service("default", "web"),
					service("default", "db"),
					service("other", "web"),
				},
			},
			want(in("app", "web")),
		},
		"Both": {
			"Owner and service select together.",
			owned,
			translate.Objects{
				Services:  []*corev1.Service{service("default", "web")},
				Workloads: []runtime.Object{set},
			},
			want(in("app", "web"), in("id", "7")),
		},
		"Own": {
			"A pod with constraints of its own gets no others.",
			own,
			translate.Objects{Services: []*corev1.Service{service("default", "web")}},
			[]shape.Spread{{Key: "rack", MaxSkew: 1}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.objects.Defaults = defaults
			got, _ := one(t, tc.pod, tc.objects)
			if diff := cmp.Diff(tc.want, got.Spread, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestReadDefaultsNamesTheField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"Empty":     {"", ""},
		"Unknown":   {"podTopologySpread: {constraints: []}", `unknown field "constraints"`},
		"Selector":  {strings.Replace(zonal, "maxSkew: 2", "maxSkew: 2, labelSelector: {}", 1), "defaultConstraints[0].labelSelector: Forbidden"},
		"Skew":      {strings.Replace(zonal, "maxSkew: 2", "maxSkew: 0", 1), "defaultConstraints[0].maxSkew"},
		"Duplicate": {zonal + "    - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}\n", "defaultConstraints[1]: Duplicate"},
	} {
		_, err := translate.ReadDefaults(tc.text)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}
