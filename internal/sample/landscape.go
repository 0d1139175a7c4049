package sample

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

const Driver = "ebs.csi.aws.com"

var (
	zones      = []string{"zone-a", "zone-b", "zone-c"}
	namespaces = []*corev1.Namespace{
		namespace("default", map[string]string{"tier": "front"}),
		namespace("team-a", map[string]string{"tier": "front", "team": "a"}),
		namespace("team-b", map[string]string{"tier": "back", "team": "b"}),
		namespace("kube-system", nil),
	}
	// appNamespaces is how many of namespaces pods live in.
	appNamespaces = 3
)

// volumesPerKind is how many volume claims of each kind a namespace has.
const volumesPerKind = 6

func namespace(name string, labels map[string]string) *corev1.Namespace {
	labels = map[string]string{"kubernetes.io/metadata.name": name, "tier": labels["tier"], "team": labels["team"]}
	for key, value := range labels {
		if value == "" {
			delete(labels, key)
		}
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// Landscape is what all random clusters share: namespaces and storage. It never changes, so that one
// scheduler serves for all of them. The objects are the caller's own: clients write versions into them.
func Landscape() []runtime.Object {
	var out []runtime.Object
	o := Storage()
	for _, n := range namespaces {
		out = append(out, n.DeepCopy())
	}
	for _, c := range o.StorageClasses {
		out = append(out, c)
	}
	for _, v := range o.Volumes {
		out = append(out, v)
	}
	for _, c := range o.Claims {
		out = append(out, c)
	}
	return out
}

// Storage has, in each namespace, volumes that are bound in each zone and claims that wait for their first pod,
// anywhere ("anywhere-…") or in two of the zones ("partly-…"), for one of the free volumes that are there ("static-…"),
// for one of those or one that is made ("mixed-…"), for a volume that is kept for them ("kept-…"), or that one pod may
// use at a time ("once-…"): their volumes stand for the same disks as some of those that are bound in the zones.
func Storage() translate.Objects {
	o := translate.Objects{Namespaces: namespaces, StorageClasses: []*storagev1.StorageClass{
		storageClass(
			"anywhere",
		),
		storageClass("partly", zones[:2]...),
		storageClass("static"),
		storageClass("mixed", zones[:1]...),
	}}
	o.StorageClasses[2].Provisioner = "kubernetes.io/no-provisioner"
	o.Volumes = freeVolumes()
	for _, ns := range namespaces[:appNamespaces] {
		for i := range volumesPerKind {
			for _, zone := range zones {
				claim, volume := boundVolume(ns.Name, zone, i)
				o.Claims, o.Volumes = append(o.Claims, claim), append(o.Volumes, volume)
			}
			for _, class := range o.StorageClasses {
				o.Claims = append(o.Claims, volumeClaim(ns.Name, fmt.Sprintf("%s-%d", class.Name, i), class.Name))
			}
			demanding(o.Claims[len(o.Claims)-2], i) // static
			once, own := boundVolume(ns.Name, zones[i%len(zones)], i)
			once.Name, once.Spec.AccessModes = fmt.Sprintf(
				"once-%d",
				i,
			), []corev1.PersistentVolumeAccessMode{
				corev1.ReadWriteOncePod,
			}
			own.Name, own.Spec.ClaimRef.Name, own.Spec.AccessModes = ns.Name+"-"+once.Name, once.Name,
				once.Spec.AccessModes
			once.Spec.VolumeName = own.Name
			kept, volume := boundVolume(ns.Name, zones[i%len(zones)], i)
			kept.Name, kept.Spec.VolumeName, kept.Annotations, kept.Status.Phase = fmt.Sprintf(
				"kept-%d",
				i,
			), "", nil, corev1.ClaimPending
			kept.Spec.StorageClassName = &o.StorageClasses[2].Name
			volume.Name, volume.Spec.StorageClassName, volume.Spec.ClaimRef.Name = ns.Name+"-"+kept.Name, "static",
				kept.Name
			volume.Spec.CSI.VolumeHandle = volume.Name
			o.Claims, o.Volumes = append(o.Claims, once, kept), append(o.Volumes, own, volume)
		}
	}
	return o
}

// freeVolumes are of several sizes, modes and labels, for all namespaces together.
func freeVolumes() []*corev1.PersistentVolume {
	var out []*corev1.PersistentVolume
	for i, zone := range []string{"zone-a", "zone-b", "zone-b", "zone-c", "zone-a", "zone-c"} {
		for _, class := range []string{"static", "mixed"} {
			if class == "mixed" && i%2 == 0 {
				continue
			}
			_, v := boundVolume("free", zone, i)
			v.Name, v.Spec.StorageClassName, v.Spec.ClaimRef, v.Status.Phase = fmt.Sprintf(
				"%s-%d",
				class,
				i,
			), class, nil, corev1.VolumeAvailable
			v.Spec.CSI.VolumeHandle = v.Name
			v.Spec.Capacity = corev1.ResourceList{
				corev1.ResourceStorage: *resource.NewQuantity(int64(1+i%3)<<30, resource.BinarySI),
			}
			v.Labels = map[string]string{"tier": []string{"gold", "tin"}[i%2]}
			if i%3 == 0 {
				v.Spec.AccessModes = append(slices.Clone(v.Spec.AccessModes), corev1.ReadWriteMany)
			}
			if i == 4 {
				block := corev1.PersistentVolumeBlock
				v.Spec.VolumeMode = &block
			}
			out = append(out, v)
		}
	}
	return out
}

// demanding claims want more of their volume than others do.
func demanding(c *corev1.PersistentVolumeClaim, i int) {
	switch i {
	case 1:
		c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}
	case 2:
		c.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
	case 3:
		c.Spec.AccessModes = append(slices.Clone(c.Spec.AccessModes), corev1.ReadWriteMany)
	case 4:
		block := corev1.PersistentVolumeBlock
		c.Spec.VolumeMode = &block
	}
}

func storageClass(name string, only ...string) *storagev1.StorageClass {
	wait := storagev1.VolumeBindingWaitForFirstConsumer
	c := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: name},
		Provisioner:       Driver,
		VolumeBindingMode: &wait,
	}
	if len(only) > 0 {
		c.AllowedTopologies = []corev1.TopologySelectorTerm{
			{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
				{Key: corev1.LabelTopologyZone, Values: only},
			}},
		}
	}
	return c
}

func volumeClaim(namespace, name, class string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:        corev1.VolumeResourceRequirements{Requests: gibibyte()},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
}

func boundVolume(namespace, zone string, i int) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume) {
	name := fmt.Sprintf("%s-%d", zone, i)
	claim := volumeClaim(namespace, name, "anywhere")
	claim.Spec.VolumeName = namespace + "-" + name
	claim.Annotations = map[string]string{"pv.kubernetes.io/bind-completed": "yes"}
	claim.Status.Phase = corev1.ClaimBound
	return claim, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: claim.Spec.VolumeName},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:         gibibyte(),
			AccessModes:      claim.Spec.AccessModes,
			StorageClassName: "anywhere",
			ClaimRef: &corev1.ObjectReference{
				Kind:      "PersistentVolumeClaim",
				Namespace: namespace,
				Name:      name,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: Driver, VolumeHandle: claim.Spec.VolumeName},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{
				Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
					{
						MatchExpressions: []corev1.NodeSelectorRequirement{
							{
								Key:      corev1.LabelTopologyZone,
								Operator: corev1.NodeSelectorOpIn,
								Values:   []string{zone},
							},
						},
					},
				}},
			},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
	}
}

func gibibyte() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
}
