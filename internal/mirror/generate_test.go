package mirror

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// The world is small, so that names collide, move and come back.

func pick(t *rapid.T, label string, choices ...string) string {
	return rapid.SampledFrom(choices).Draw(t, label)
}

func maybe(t *rapid.T, label string) bool { return rapid.Bool().Draw(t, label) }

func machine(t *rapid.T) string { return pick(t, "machine", "", "m0", "m1", "m2") }

func nodeName(t *rapid.T) string { return pick(t, "node", "n0", "n1", "n2", "c0") }

func claimName(t *rapid.T) string { return pick(t, "claim", "c0", "c1", "c2", "n0") }

func podKey(t *rapid.T) (namespace, name string) {
	return pick(t, "namespace", "a", "b"), pick(t, "pod", "p0", "p1", "p2", "p3", "p4")
}

func leaving(t *rapid.T, o metav1.Object) {
	if rapid.IntRange(0, 5).Draw(t, "leaving") == 0 {
		o.SetDeletionTimestamp(&metav1.Time{Time: noon})
		o.SetFinalizers([]string{"x/y"})
	}
}

func selector(t *rapid.T) *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels: map[string]string{pick(t, "selected key", "app", "tier"): pick(t, "selected value", "x", "y")},
	}
}

func drawPod(t *rapid.T) client.Object {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = podKey(t)
	pod.UID = types.UID(pick(t, "uid", "1", "2"))
	pod.Labels = map[string]string{"app": pick(t, "app", "x", "y"), "unseen": "z"}
	if maybe(t, "tier") {
		pod.Labels["tier"] = "x"
	}
	pod.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(pick(t, "cpu", "100m", "1"))}}}}
	switch rapid.IntRange(0, 8).Draw(t, "kind of pod") {
	case 7:
		name := pick(t, "resource claim", "d0", "d1")
		pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "x", ResourceClaimName: &name}}
	case 8:
		name := pick(t, "resource template", "t0", "t1")
		pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "x", ResourceClaimTemplateName: &name}}
	case 0:
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
			{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
				WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector(t)},
		}
	case 1:
		pod.Spec.Affinity = &corev1.Affinity{
			PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
					TopologyKey: corev1.LabelHostname, LabelSelector: selector(t), NamespaceSelector: selector(t)}},
			},
		}
	case 2:
		pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: pick(t, "pvc", "v0", "v1")}}}}
	case 3:
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{
			{Kind: "DaemonSet", Name: pick(t, "daemonset", "d0", "d1"), Controller: &yes},
		}
	case 5:
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{
			{Kind: "ReplicaSet", Name: pick(t, "owner", "r0", "r1"), Controller: &yes},
		}
	case 4:
		pod.Annotations = map[string]string{
			karpenterv1.DoNotDisruptAnnotationKey: pick(t, "hold", "true", "10s", "1m", "nonsense"),
		}
		pod.CreationTimestamp = metav1.NewTime(noon)
	}
	switch rapid.IntRange(0, 3).Draw(t, "state of pod") {
	case 0:
		pod.Spec.NodeName = nodeName(t)
	case 3: // not tried yet
	case 1:
		pod.Status.NominatedNodeName = pick(t, "nominated", "", "n0", "n1", "c0", "gone")
		fallthrough
	default:
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "finished") == 0 {
		pod.Status.Phase = corev1.PodSucceeded
	}
	leaving(t, pod)
	return pod
}

func drawNode(t *rapid.T) client.Object {
	n := &corev1.Node{}
	n.Name = nodeName(t)
	n.Spec.ProviderID = machine(t)
	n.Labels = map[string]string{
		shape.LabelHostname:     n.Name,
		shape.LabelZone:         pick(t, "zone", "a", "b"),
		shape.LabelInstanceType: "big",
		shape.LabelCapacityType: "spot",
	}
	if maybe(t, "registered") {
		n.Labels[karpenterv1.NodeRegisteredLabelKey] = "true"
		if maybe(t, "initialized") {
			n.Labels[karpenterv1.NodeInitializedLabelKey] = "true"
		}
	}
	if maybe(t, "of a pool") { // with or without a claim
		n.Labels[karpenterv1.NodePoolLabelKey] = pick(t, "pool", "q0", "q1")
	}
	if maybe(t, "tainted") {
		n.Spec.Taints = []corev1.Taint{
			{
				Key:    pick(t, "taint", karpenterv1.UnregisteredTaintKey, "mine", "startup"),
				Effect: corev1.TaintEffectNoSchedule,
			},
		}
	}
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU:  resource.MustParse(pick(t, "allocatable", "2", "4")),
		corev1.ResourcePods: resource.MustParse("10"),
	}
	n.Status.Capacity = n.Status.Allocatable
	leaving(t, n)
	return n
}

func drawClaim(t *rapid.T) client.Object {
	c := &karpenterv1.NodeClaim{}
	c.Name = claimName(t)
	c.Labels = map[string]string{karpenterv1.NodePoolLabelKey: pick(t, "pool", "q0", "q1")}
	c.Spec.StartupTaints = []karpenterv1.Taint{{Key: "startup", Effect: corev1.TaintEffectNoSchedule}}
	c.Spec.Requirements = []karpenterv1.Requirement{
		{Key: shape.LabelInstanceType, Operator: corev1.NodeSelectorOpIn, Values: []string{"big", "small"}},
	}
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	c.Status.ProviderID = machine(t)
	if c.Status.ProviderID != "" {
		c.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
		c.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}
	}
	leaving(t, c)
	return c
}

func drawPool(t *rapid.T) client.Object {
	p := &karpenterv1.NodePool{}
	p.Name = pick(t, "pool", "q0", "q1")
	p.Generation = int64(rapid.IntRange(1, 2).Draw(t, "generation"))
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: "g", Kind: "K", Name: "n"}
	p.Spec.Limits = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(fmt.Sprint(10 * p.Generation)),
		"nodes":            resource.MustParse("3"),
	}
	if maybe(t, "ready") {
		p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
	}
	return p
}

func drawDaemonSet(t *rapid.T) client.Object {
	ds := &appsv1.DaemonSet{}
	ds.Namespace, ds.Name = pick(t, "namespace", "a", "b"), pick(t, "daemonset", "d0", "d1")
	ds.Spec.Template.Spec.Containers = []corev1.Container{
		{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(pick(t, "cpu", "10m", "20m"))}}},
	}
	if maybe(t, "has a runtime") {
		name := pick(t, "runtime", "r0", "r1")
		ds.Spec.Template.Spec.RuntimeClassName = &name
	}
	return ds
}

func drawRuntimeClass(t *rapid.T) client.Object {
	c := &nodev1.RuntimeClass{}
	c.Name = pick(t, "runtime", "r0", "r1")
	if maybe(t, "overhead") {
		c.Overhead = &nodev1.Overhead{
			PodFixed: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(pick(t, "cpu", "10m", "20m"))},
		}
	}
	if maybe(t, "on some nodes") {
		c.Scheduling = &nodev1.Scheduling{NodeSelector: map[string]string{"runtime": c.Name}}
	}
	return c
}

func drawLimitRange(t *rapid.T) client.Object {
	l := &corev1.LimitRange{}
	l.Namespace, l.Name = pick(t, "namespace", "a", "b"), pick(t, "limits", "l0", "l1")
	l.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer}}
	amount := corev1.ResourceList{
		corev1.ResourceName(pick(t, "resource", "cpu", "memory")): resource.MustParse(pick(t, "amount", "15m", "1")),
	}
	if maybe(t, "maximum") {
		l.Spec.Limits[0].Max = amount
	} else {
		l.Spec.Limits[0].DefaultRequest = amount
	}
	return l
}

func drawVolumeClaim(t *rapid.T) client.Object {
	c := &corev1.PersistentVolumeClaim{}
	c.Namespace, c.Name = pick(t, "namespace", "a", "b"), pick(t, "pvc", "v0", "v1")
	c.Spec.VolumeName = pick(t, "volume", "", "w0", "w1")
	if maybe(t, "class") {
		name := pick(t, "storage class", "s0", "s1")
		c.Spec.StorageClassName = &name
	}
	return c
}

func drawVolume(t *rapid.T) client.Object {
	v := &corev1.PersistentVolume{}
	v.Name = pick(t, "volume", "w0", "w1")
	v.Labels = map[string]string{corev1.LabelTopologyZone: pick(t, "zone", "a", "b")}
	v.Spec.StorageClassName = "s1"
	if maybe(t, "disk") {
		v.Spec.CSI = &corev1.CSIPersistentVolumeSource{
			Driver:       "csi.example.com",
			VolumeHandle: pick(t, "handle", "h0", "h1"),
		}
	}
	if maybe(t, "claimed") {
		v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "a", Name: "v0"}
	}
	return v
}

func drawStorageClass(t *rapid.T) client.Object {
	s := &storagev1.StorageClass{}
	s.Name = pick(t, "storage class", "s0", "s1")
	s.Provisioner = map[string]string{"s0": "csi.example.com", "s1": "kubernetes.io/no-provisioner"}[s.Name]
	if maybe(t, "waits") {
		mode := storagev1.VolumeBindingWaitForFirstConsumer
		s.VolumeBindingMode = &mode
	}
	if maybe(t, "default") {
		s.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	}
	return s
}

func drawNamespace(t *rapid.T) client.Object {
	n := &corev1.Namespace{}
	n.Name = pick(t, "namespace", "a", "b")
	n.Labels = map[string]string{pick(t, "key", "app", "tier"): pick(t, "value", "x", "y")}
	return n
}

func drawCSINode(t *rapid.T) client.Object {
	c := &storagev1.CSINode{}
	c.Name = nodeName(t)
	count := int32(rapid.IntRange(1, 3).Draw(t, "slots"))
	c.Spec.Drivers = []storagev1.CSINodeDriver{
		{Name: "csi.example.com", Allocatable: &storagev1.VolumeNodeResources{Count: &count}},
	}
	return c
}

func drawOffer(t *rapid.T) *translate.Offer {
	var types []*shape.InstanceType
	for i, name := range []string{"big", "small"} {
		types = append(
			types,
			&shape.InstanceType{
				Name:     name,
				Capacity: shape.Vector{CPU: int64(4000 - 2000*i)},
				Offerings: []shape.Offering{
					{Zone: "a", CapacityType: "spot", Price: shape.Money(rapid.IntRange(1, 9).Draw(t, "price"))}},
			},
		)
	}
	return translate.NewOffer(types, pick(t, "trouble", "", "sold out"))
}

func drawWish(t *rapid.T) resourcev1.DeviceClaim {
	r := resourcev1.DeviceRequest{Name: "r", Exactly: &resourcev1.ExactDeviceRequest{
		DeviceClassName: "gpu", AllocationMode: resourcev1.DeviceAllocationModeExactCount,
		Count: int64(rapid.IntRange(1, 2).Draw(t, "devices")),
	}}
	if maybe(t, "all devices") {
		r.Exactly.AllocationMode, r.Exactly.Count = resourcev1.DeviceAllocationModeAll, 0
	}
	return resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{r}}
}

func drawResourceClaim(t *rapid.T) client.Object {
	c := &resourcev1.ResourceClaim{}
	c.Namespace, c.Name = pick(t, "namespace", "a", "b"), pick(t, "resource claim", "d0", "d1")
	c.Spec.Devices = drawWish(t)
	if maybe(t, "allocated") {
		c.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{
			Results: []resourcev1.DeviceRequestAllocationResult{
				{Request: "r", Driver: "gpu", Pool: pick(t, "node", "n0", "n1"), Device: "d0"}}}}
		c.Status.ReservedFor = []resourcev1.ResourceClaimConsumerReference{
			{Resource: "pods", Name: pick(t, "pod", "p0", "p1")},
		}
	}
	return c
}

func drawResourceTemplate(t *rapid.T) client.Object {
	c := &resourcev1.ResourceClaimTemplate{}
	c.Namespace, c.Name = pick(t, "namespace", "a", "b"), pick(t, "resource template", "t0", "t1")
	c.Spec.Spec.Devices = drawWish(t)
	return c
}

func drawDeviceClass(*rapid.T) client.Object {
	c := &resourcev1.DeviceClass{}
	c.Name = "gpu"
	return c
}

// sold is what nodes of a type publish.
func sold(instanceType string) []*resourcev1.ResourceSlice {
	if instanceType != "big" {
		return nil
	}
	return []*resourcev1.ResourceSlice{published("big", 2)}
}

func published(pool string, n int) *resourcev1.ResourceSlice {
	s := &resourcev1.ResourceSlice{}
	s.Spec.Driver = "gpu"
	s.Spec.Pool = resourcev1.ResourcePool{Name: pool, Generation: 1, ResourceSliceCount: 1}
	for i := range n {
		s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{Name: fmt.Sprint("d", i)})
	}
	return s
}

func drawResourceSlice(t *rapid.T) client.Object {
	node := nodeName(t)
	s := published(node, rapid.IntRange(1, 3).Draw(t, "published"))
	s.Name, s.Spec.NodeName = "slice-"+node, &node
	return s
}

func drawService(t *rapid.T) client.Object {
	s := &corev1.Service{}
	s.Namespace, s.Name = pick(t, "namespace", "a", "b"), pick(t, "service", "s0", "s1")
	s.Spec.Selector = map[string]string{pick(t, "key", "app", "tier"): pick(t, "value", "x", "y")}
	return s
}

func drawReplicaSet(t *rapid.T) client.Object {
	r := &appsv1.ReplicaSet{}
	r.Namespace, r.Name = pick(t, "namespace", "a", "b"), pick(t, "owner", "r0", "r1")
	r.Spec.Selector = selector(t)
	return r
}

var draws = []func(*rapid.T) client.Object{
	drawPod,
	drawPod,
	drawPod,
	drawNode,
	drawNode,
	drawClaim,
	drawClaim,
	drawPool,
	drawDaemonSet,
	drawVolumeClaim,
	drawVolume,
	drawStorageClass,
	drawNamespace,
	drawCSINode,
	drawService,
	drawReplicaSet,
	drawRuntimeClass,
	drawLimitRange,
	drawResourceClaim,
	drawResourceTemplate,
	drawDeviceClass,
	drawResourceSlice,
}

func selectorFor(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}
