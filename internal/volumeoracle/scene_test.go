package volumeoracle

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	namespace   = "default"
	provisioner = "ebs.csi.aws.com"
	handMade    = "kubernetes.io/no-provisioner"
)

var zones = []string{"a", "b", "c"}

// scene is one pod with its claims, and the classes and volumes that could be theirs. Nothing of it matters to another
// scene.
type scene struct {
	name    string
	class   *storagev1.StorageClass // nil for a class that does not exist
	volumes []*corev1.PersistentVolume
	claims  []*corev1.PersistentVolumeClaim
	pod     *corev1.Pod
}

type dice struct{ *rand.Rand }

func (d dice) percent(p int) bool { return d.IntN(100) < p }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// newScene draws a scene.
func newScene(seed uint64) *scene {
	d := dice{rand.New(rand.NewPCG(seed, 11))}
	s := &scene{name: fmt.Sprintf("s%d", seed)}
	className := s.name
	switch {
	case d.percent(8):
		className = "" // no class at all: the volumes of other scenes would suit too, so theirs carry a label
	case d.percent(8): // volumes and claims of a class that nobody made
	default:
		s.class = d.class(s.name)
	}
	for i := range d.IntN(4) {
		s.volumes = append(s.volumes, d.volume(s, className, i))
	}
	for i := range 1 + d.IntN(2) {
		s.claims = append(s.claims, d.claim(s, className, i))
	}
	if len(s.volumes) > 0 && d.percent(25) {
		d.keep(s)
	}
	s.pod = d.pod(s)
	return s
}

func (d dice) class(name string) *storagev1.StorageClass {
	mode := pick(
		d,
		storagev1.VolumeBindingWaitForFirstConsumer,
		storagev1.VolumeBindingWaitForFirstConsumer,
		storagev1.VolumeBindingImmediate,
	)
	c := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: name},
		Provisioner:       pick(d, provisioner, handMade, handMade),
		VolumeBindingMode: &mode,
	}
	if c.Provisioner == provisioner && (mode == storagev1.VolumeBindingImmediate || d.percent(50)) {
		for _, zone := range d.Perm(len(zones))[:1+d.IntN(2)] { // a server refuses terms that are equal
			c.AllowedTopologies = append(
				c.AllowedTopologies,
				corev1.TopologySelectorTerm{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
					{Key: corev1.LabelTopologyZone, Values: []string{zones[zone]}}}},
			)
		}
		if mode == storagev1.VolumeBindingImmediate {
			c.AllowedTopologies = c.AllowedTopologies[:1]
		}
	}
	return c
}

func gibibytes(n int) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(n)<<30, resource.BinarySI)}
}

func (d dice) modes() []corev1.PersistentVolumeAccessMode {
	return pick(
		d,
		[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		[]corev1.PersistentVolumeAccessMode{
			corev1.ReadWriteOnce,
			corev1.ReadWriteMany,
		},
		[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
	)
}

// volume draws a volume of a size that no other volume of the scene has: which of equal ones is taken is anybody's
// guess.
func (d dice) volume(s *scene, class string, i int) *corev1.PersistentVolume {
	v := newVolume(fmt.Sprintf("%s-v%d", s.name, i), class, pick(d, zones...))
	v.Spec.Capacity, v.Spec.AccessModes = gibibytes(1+4*d.IntN(3)+i), d.modes()
	v.Labels = map[string]string{"scene": s.name, "tier": pick(d, "gold", "tin")}
	if d.percent(15) {
		v.Spec.NodeAffinity = nil
	}
	if d.percent(15) {
		block := corev1.PersistentVolumeBlock
		v.Spec.VolumeMode = &block
	}
	return v
}

func newVolume(name, class, zone string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
	v.Spec.StorageClassName = class
	v.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: provisioner, VolumeHandle: name}
	v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
	v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{
		Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{
				MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}},
				},
			},
		}},
	}
	return v
}

func (d dice) claim(s *scene, class string, i int) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-c%d", s.name, i)},
	}
	c.Spec.StorageClassName, c.Spec.AccessModes = &class, d.modes()
	c.Spec.Resources.Requests = gibibytes(1 + 3*d.IntN(3) + i)
	if d.percent(20) && s.class != nil {
		c.Annotations, c.Spec.StorageClassName = map[string]string{corev1.BetaStorageClassAnnotation: class}, nil
	}
	if d.percent(10) {
		block := corev1.PersistentVolumeBlock
		c.Spec.VolumeMode = &block
	}
	if class == "" {
		c.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"scene": s.name}}
	} else if d.percent(15) && (s.class == nil || s.class.Provisioner == handMade) {
		c.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
	}
	return c
}

// keep binds a volume and a claim beforehand, from one side or the other.
func (d dice) keep(s *scene) {
	v, c := pick(d, s.volumes...), s.claims[0]
	if d.percent(50) {
		c.Spec.VolumeName = v.Name
		return
	}
	v.Spec.ClaimRef = &corev1.ObjectReference{
		Kind:       "PersistentVolumeClaim",
		APIVersion: "v1",
		Namespace:  namespace,
		Name:       c.Name,
	}
	if d.percent(20) {
		v.Spec.ClaimRef.Name = "somebody"
	}
}

// pod uses all claims, and tolerates nodes that nobody looks after.
func (d dice) pod(s *scene) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: s.name}}
	p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "app"}}
	for i, c := range s.claims {
		p.Spec.Volumes = append(
			p.Spec.Volumes,
			corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name}}},
		)
	}
	if d.percent(25) {
		p.Spec.NodeSelector = map[string]string{corev1.LabelTopologyZone: pick(d, zones...)}
	}
	return p
}

// objects lists all of a scene in the order in which they are made.
func (s *scene) objects() []runtime.Object {
	var out []runtime.Object
	if s.class != nil {
		out = append(out, s.class)
	}
	for _, v := range s.volumes {
		out = append(out, v)
	}
	for _, c := range s.claims {
		out = append(out, c)
	}
	return append(out, s.pod)
}

// nodes are one in each zone.
func nodes() []*corev1.Node {
	var out []*corev1.Node
	for _, zone := range zones {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-" + zone, Labels: map[string]string{
			corev1.LabelTopologyZone: zone,
			corev1.LabelHostname:     "node-" + zone,
			corev1.LabelOSStable:     "linux",
			corev1.LabelArchStable:   "amd64",
		}}}
		n.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("1000"),
			corev1.ResourceMemory: resource.MustParse("1Ti"),
			corev1.ResourcePods:   resource.MustParse("100000"),
		}
		n.Status.Capacity = n.Status.Allocatable
		n.Status.Conditions = []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"},
		}
		out = append(out, n)
	}
	return out
}
