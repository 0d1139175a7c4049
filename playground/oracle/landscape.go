package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

const driver = "ebs.csi.aws.com"

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

// landscape is what all random clusters share: namespaces and storage. It never changes, so that one
// scheduler serves for all of them.
func landscape() []runtime.Object {
	var out []runtime.Object
	o := storage()
	for _, n := range namespaces {
		out = append(out, n)
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

// storage has, in each namespace, volumes that are bound in each zone and claims that wait for their first pod,
// anywhere ("anywhere-…") or in two of the zones ("partly-…").
func storage() translate.Objects {
	o := translate.Objects{Namespaces: namespaces, StorageClasses: []*storagev1.StorageClass{
		storageClass("anywhere"), storageClass("partly", zones[:2]...),
	}}
	for _, ns := range namespaces[:appNamespaces] {
		for i := range volumesPerKind {
			for _, zone := range zones {
				claim, volume := boundVolume(ns.Name, zone, i)
				o.Claims, o.Volumes = append(o.Claims, claim), append(o.Volumes, volume)
			}
			for _, class := range o.StorageClasses {
				o.Claims = append(o.Claims, volumeClaim(ns.Name, fmt.Sprintf("%s-%d", class.Name, i), class.Name))
			}
		}
	}
	return o
}

func storageClass(name string, only ...string) *storagev1.StorageClass {
	wait := storagev1.VolumeBindingWaitForFirstConsumer
	c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: driver, VolumeBindingMode: &wait}
	if len(only) > 0 {
		c.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
			{Key: corev1.LabelTopologyZone, Values: only},
		}}}
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
			ClaimRef:         &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: claim.Spec.VolumeName},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}}},
			}}}},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
	}
}

func gibibyte() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
}
