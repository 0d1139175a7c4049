package translate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func requests(pairs ...string) corev1.ResourceRequirements {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return corev1.ResourceRequirements{Requests: list}
}

func container(pairs ...string) corev1.Container {
	return corev1.Container{Name: "c", Resources: requests(pairs...)}
}

func sidecar(pairs ...string) corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	return corev1.Container{Name: "s", RestartPolicy: &always, Resources: requests(pairs...)}
}

func pod(spec corev1.PodSpec) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default",
			Name:      "web-1",
			Labels:    map[string]string{"app": "web", "id": "7"},
		},
		Spec: spec,
	}
}

// one translates a single pending pod among other objects.
func one(t *testing.T, p *corev1.Pod, o translate.Objects) (shape.Class, []translate.Problem) {
	t.Helper()
	o.Pods, o.TrustPools = append(o.Pods, p), true
	s, problems := translate.Snapshot(o, noon)
	for _, sp := range s.Pods {
		if sp.ID == translate.IDOf(p) {
			return *s.Classes[sp.Class], problems
		}
	}
	t.Fatalf("pod %s is not in the Snapshot", p.Name)
	return shape.Class{}, nil
}

const gib = 1 << 30

func TestRequests(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why  string
		spec corev1.PodSpec
		want shape.Vector
	}{
		"Sum": {
			"Containers run at the same time.",
			corev1.PodSpec{
				Containers: []corev1.Container{
					container("cpu", "100m", "memory", "1Gi"),
					container("cpu", "1", "ephemeral-storage", "1Gi"),
				},
			},
			shape.Vector{CPU: 1100, Memory: gib, Ephemeral: gib, Pods: 1},
		},
		"RoundedUp": {
			"A fraction of a milli-core or byte still has to fit.",
			corev1.PodSpec{Containers: []corev1.Container{container("cpu", "100500u", "memory", "1500m")}},
			shape.Vector{CPU: 101, Memory: 2, Pods: 1},
		},
		"FractionsSumFirst": {
			"Rounding each container would ask for more than kube-scheduler counts.",
			corev1.PodSpec{
				Containers: []corev1.Container{container("memory", "1500m"), container("memory", "1500m")},
			},
			shape.Vector{Memory: 3, Pods: 1},
		},
		"Init": {
			"The largest init container runs alone, before the others.",
			corev1.PodSpec{
				InitContainers: []corev1.Container{container("cpu", "2"), container("cpu", "3")},
				Containers:     []corev1.Container{container("cpu", "1")},
			},
			shape.Vector{CPU: 3000, Pods: 1},
		},
		"Sidecar": {
			"Sidecars run beside later init containers and all containers.",
			corev1.PodSpec{
				InitContainers: []corev1.Container{sidecar("cpu", "1"), container("cpu", "3")},
				Containers:     []corev1.Container{container("cpu", "2500m")},
			},
			shape.Vector{CPU: 4000, Pods: 1},
		},
		"Overhead": {
			"A runtime class costs extra.",
			corev1.PodSpec{
				Overhead:   requests("cpu", "250m").Requests,
				Containers: []corev1.Container{container("cpu", "1")},
			},
			shape.Vector{CPU: 1250, Pods: 1},
		},
		"PodLevel": {
			"What the pod asks for as a whole counts instead of its containers.",
			corev1.PodSpec{
				Resources:  &corev1.ResourceRequirements{Requests: requests("cpu", "5").Requests},
				Containers: []corev1.Container{container("cpu", "1", "memory", "1Gi")},
			},
			shape.Vector{CPU: 5000, Memory: gib, Pods: 1},
		},
		"Extended": {
			"Devices and huge pages are counted by name, ascending, without zeros.",
			corev1.PodSpec{
				Containers: []corev1.Container{
					container("nvidia.com/gpu", "2", "hugepages-2Mi", "4Mi", "example.com/none", "0"),
				},
			},
			shape.Vector{
				Pods: 1,
				Extended: []shape.Amount{
					{Resource: "hugepages-2Mi", Value: 4 << 20},
					{Resource: "nvidia.com/gpu", Value: 2},
				},
			},
		},
		"Huge": {
			"An amount that no integer holds is still too much for any node.",
			corev1.PodSpec{Containers: []corev1.Container{container("memory", "100E")}},
			shape.Vector{Memory: 1 << 50, Pods: 1},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := one(t, pod(tc.spec), translate.Objects{})
			if diff := cmp.Diff(tc.want, got.Requests, cmpopts.EquateEmpty()); diff != "" || len(problems) > 0 {
				t.Errorf("%s\n%v: -want +got\n%s", tc.why, problems, diff)
			}
		})
	}
}

func TestAResizeUnderWayCountsTheLargerFigure(t *testing.T) {
	t.Parallel()
	p := pod(corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{container("cpu", "1")}})
	p.Status.ContainerStatuses = []corev1.ContainerStatus{
		{Name: "c", Resources: &corev1.ResourceRequirements{Requests: requests("cpu", "3").Requests},
			AllocatedResources: requests("cpu", "3").Requests},
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	s, _ := translate.Snapshot(translate.Objects{Pods: []*corev1.Pod{p}, Nodes: []*corev1.Node{node}}, noon)
	if got := s.Classes[s.Nodes[0].Pods[0].Class].Requests.CPU; got != 3000 {
		t.Errorf("counted %d milli-cores, want the 3000 that the kubelet still holds", got)
	}
}

func TestClass(t *testing.T) {
	t.Parallel()
	in := func(key string, values ...string) shape.Requirement {
		return shape.Requirement{Key: key, Values: values}
	}
	ignore := corev1.NodeInclusionPolicyIgnore
	two := int32(2)
	app := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	cases := map[string]struct {
		why  string
		spec corev1.PodSpec
		want shape.Class
	}{
		"NodeSelector": {
			"Deprecated names of labels become those in use; keys ascend.",
			corev1.PodSpec{NodeSelector: map[string]string{"team": "x", "beta.kubernetes.io/arch": "arm64"}},
			shape.Class{NodeSelector: []shape.Requirement{in(shape.LabelArch, "arm64"), in("team", "x")}},
		},
		"EmptyTermMatchesNothing": {
			"kube-scheduler skips a term without conditions.",
			corev1.PodSpec{Affinity: nodeAffinity(corev1.NodeSelectorTerm{})},
			shape.Class{NoNode: true},
		},
		"Terms": {
			"One of the terms must hold; fields are names.",
			corev1.PodSpec{Affinity: nodeAffinity(
				corev1.NodeSelectorTerm{
					MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: "gen", Operator: corev1.NodeSelectorOpGt, Values: []string{"4"}},
					},
				},
				corev1.NodeSelectorTerm{
					MatchFields: []corev1.NodeSelectorRequirement{
						{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n"}},
					},
				},
			)},
			shape.Class{NodeTerms: []shape.NodeTerm{
				{Labels: []shape.Requirement{{Key: "gen", Operator: shape.Gt, Values: []string{"4"}}}},
				{Names: []shape.Requirement{in("metadata.name", "n")}},
			}},
		},
		"Tolerations": {
			"Exists has no value; no effect is any effect.",
			corev1.PodSpec{
				Tolerations: []corev1.Toleration{
					{Key: "b", Value: "v", Effect: corev1.TaintEffectNoExecute},
					{Operator: corev1.TolerationOpExists},
				},
			},
			shape.Class{
				Tolerations: []shape.Toleration{{Exists: true}, {Key: "b", Value: "v", Effect: shape.NoExecute}},
			},
		},
		"Ports": {
			"On the host's network every port is the node's.",
			corev1.PodSpec{
				HostNetwork: true,
				Containers: []corev1.Container{
					{
						Ports: []corev1.ContainerPort{
							{ContainerPort: 80},
							{ContainerPort: 53, HostPort: 53, Protocol: "UDP"},
						},
					},
				},
			},
			shape.Class{HostPorts: []shape.HostPort{{Protocol: "UDP", Port: 53}, {Protocol: "TCP", Port: 80}}},
		},
		"Spread": {
			"matchLabelKeys become requirements on the pod's own values; only labels that are looked at are kept.",
			corev1.PodSpec{TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
				{
					MaxSkew:            1,
					TopologyKey:        shape.LabelZone,
					WhenUnsatisfiable:  corev1.DoNotSchedule,
					MinDomains:         &two,
					NodeAffinityPolicy: &ignore,
					LabelSelector:      &metav1.LabelSelector{},
					MatchLabelKeys:     []string{"id", "absent"},
				},
			}},
			shape.Class{
				Labels: []shape.Label{{Key: "id", Value: "7"}},
				Spread: []shape.Spread{
					{
						Key:            shape.LabelZone,
						MaxSkew:        1,
						MinDomains:     2,
						Hard:           true,
						IgnoreAffinity: true,
						Selector:       shape.Selector{Requirements: []shape.Requirement{in("id", "7")}},
					},
				},
			},
		},
		"Affinity": {
			"Without namespaces it is the pod's own; an empty selector of namespaces is all; a nil selector of pods is none.",
			corev1.PodSpec{Affinity: &corev1.Affinity{
				PodAffinity: &corev1.PodAffinity{
					RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
						{TopologyKey: "rack", LabelSelector: app},
					},
				},
				PodAntiAffinity: &corev1.PodAntiAffinity{
					PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
						{
							Weight: 5,
							PodAffinityTerm: corev1.PodAffinityTerm{
								TopologyKey:       "rack",
								NamespaceSelector: &metav1.LabelSelector{},
							},
						},
					},
				},
			}},
			shape.Class{
				Labels: []shape.Label{{Key: "app", Value: "web"}},
				Affinity: []shape.PodTerm{
					{
						Key:        "rack",
						Namespaces: []string{"default"},
						Selector:   shape.Selector{Requirements: []shape.Requirement{in("app", "web")}},
					},
					{
						Key:           "rack",
						Anti:          true,
						Weight:        5,
						AllNamespaces: true,
						Selector:      shape.Selector{Nothing: true},
					},
				},
			},
		},
		"DynamicResources": {
			"No node is bought for a pod with claims for devices.",
			corev1.PodSpec{ResourceClaims: []corev1.PodResourceClaim{{Name: "gpu"}}},
			shape.Class{
				Refused: "pod has Dynamic Resource Allocation requirements that are not yet supported by Karpenter; " +
					"IGNORE_DRA_REQUESTS=false has them planned",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := one(t, pod(tc.spec), translate.Objects{})
			tc.want.Namespace, tc.want.Requests = "default", shape.Vector{Pods: 1}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" || len(problems) > 0 {
				t.Errorf("%s\n%v: -want +got\n%s", tc.why, problems, diff)
			}
		})
	}
}

func nodeAffinity(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{
		NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		},
	}
}

func TestNamespacesAreSelectedByTheirLabels(t *testing.T) {
	t.Parallel()
	spec := corev1.PodSpec{
		Affinity: &corev1.Affinity{
			PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
					TopologyKey: "rack", LabelSelector: &metav1.LabelSelector{}, Namespaces: []string{"z"},
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "x"}}}},
			},
		},
	}
	got, _ := one(t, pod(spec), translate.Objects{Namespaces: []*corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: map[string]string{"team": "x"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"team": "x"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "other"}},
	}})
	if diff := cmp.Diff([]string{"a", "b", "z"}, got.Affinity[0].Namespaces); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatNoAPIServerAcceptsNamesItsField(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"Negative": {
			corev1.PodSpec{Containers: []corev1.Container{container("cpu", "-1")}},
			`spec.containers[c].resources.requests[cpu]`,
		},
		"Operator": {
			corev1.PodSpec{
				Affinity: nodeAffinity(
					corev1.NodeSelectorTerm{
						MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: "Near"}},
					},
				),
			},
			`nodeSelectorTerms[0].matchExpressions[0].operator: Unsupported value: "Near"`,
		},
		"NoValues": {
			corev1.PodSpec{
				Affinity: nodeAffinity(
					corev1.NodeSelectorTerm{
						MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: "In"}},
					},
				),
			},
			`matchExpressions[0].values: Required value`,
		},
		"Skew": {
			corev1.PodSpec{
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
					{TopologyKey: "z", WhenUnsatisfiable: "DoNotSchedule"},
				},
			},
			`spec.topologySpreadConstraints[0].maxSkew`,
		},
		"Effect": {
			corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: "Exists", Effect: "Never"}}},
			`spec.tolerations[0].effect: Unsupported value: "Never"`,
		},
		"Weight": {
			corev1.PodSpec{
				Affinity: &corev1.Affinity{
					NodeAffinity: &corev1.NodeAffinity{
						PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
							{Weight: 0},
						},
					},
				},
			},
			`preferredDuringSchedulingIgnoredDuringExecution[0].weight`,
		},
		"NoTerms": {corev1.PodSpec{Affinity: nodeAffinity()}, `nodeSelectorTerms: Required value`},
		"PodTermNo": {
			corev1.PodSpec{
				Affinity: &corev1.Affinity{
					PodAffinity: &corev1.PodAffinity{
						RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{}},
					},
				},
			},
			`spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := one(t, pod(tc.spec), translate.Objects{})
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), tc.want) ||
				problems[0].Object != "Pod default/web-1" {
				t.Errorf("problems %v, want one of Pod default/web-1 with %q", problems, tc.want)
			}
			if !strings.Contains(got.Refused, tc.want) {
				t.Errorf("the pod is refused with %q, want %q", got.Refused, tc.want)
			}
		})
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	waits := storagev1.VolumeBindingWaitForFirstConsumer
	disk, name := "disk", "data"
	uses := corev1.PodSpec{
		Volumes: []corev1.Volume{
			{
				Name: "v",
				VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
				},
			},
		},
	}
	claim := func(volume string) []*corev1.PersistentVolumeClaim {
		return []*corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &disk, VolumeName: volume}}}
	}
	class := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: disk},
		Provisioner:       "ebs.csi.aws.com",
		VolumeBindingMode: &waits,
		AllowedTopologies: []corev1.TopologySelectorTerm{
			{
				MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
					{Key: shape.LabelZone, Values: []string{"b", "a"}},
				},
			},
		},
	}
	immediate := class.DeepCopy()
	immediate.VolumeBindingMode = nil
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
		ClaimRef: &corev1.ObjectReference{Namespace: "default", Name: name},
		PersistentVolumeSource: corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: "ebs.csi.aws.com"},
		},
		NodeAffinity: &corev1.VolumeNodeAffinity{
			Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: shape.LabelZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"c"}}}}},
			},
		},
	}}
	seen := claim("")
	seen[0].UID = "1"
	zone := func(values ...string) []shape.NodeTerm {
		return []shape.NodeTerm{{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: values}}}}
	}
	attach := []shape.Attach{{Driver: "ebs.csi.aws.com", Volume: "default/data"}}
	cases := map[string]struct {
		why     string
		objects translate.Objects
		terms   []shape.NodeTerm
		attach  []shape.Attach
		refused string
	}{
		"Missing": {
			"A pod cannot start without its claim.",
			translate.Objects{},
			nil,
			nil,
			"its volume claim data does not exist",
		},
		"Bound": {
			"The volume says where it is.",
			translate.Objects{Claims: claim("pv"), Volumes: []*corev1.PersistentVolume{volume}},
			zone("c"),
			attach,
			"",
		},
		"NoVolume": {
			"Bound to a volume that is gone.",
			translate.Objects{Claims: claim("pv")},
			nil,
			nil,
			"volume pv of its volume claim data does not exist",
		},
		"Waits": {
			"The class says where it can make one.",
			translate.Objects{Claims: claim(""), StorageClasses: []*storagev1.StorageClass{class}},
			zone("a", "b"),
			attach,
			"",
		},
		"Immediate": {
			"The volume is about to be made somewhere; a node bought now may be elsewhere.",
			translate.Objects{Claims: seen, StorageClasses: []*storagev1.StorageClass{immediate}},
			nil,
			nil,
			"its volume claim data is not bound yet, and storage class disk does not wait for a node",
		},
		"NoClass": {
			"The class was deleted or misspelled.",
			translate.Objects{Claims: claim("")},
			nil,
			nil,
			"storage class disk of its volume claim data does not exist",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := one(t, pod(uses), tc.objects)
			want := shape.Class{VolumeTerms: tc.terms, Attach: tc.attach, Refused: tc.refused}
			have := shape.Class{VolumeTerms: got.VolumeTerms, Attach: got.Attach, Refused: got.Refused}
			if diff := cmp.Diff(want, have, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
