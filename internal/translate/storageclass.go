package translate

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Annotations that make a storage class the default one. The second is the older name, which still counts.
const (
	defaultClass     = "storageclass.kubernetes.io/is-default-class"
	betaDefaultClass = "storageclass.beta.kubernetes.io/is-default-class"
)

// noProvisioner is the provisioner of classes whose volumes somebody makes by hand.
const noProvisioner = "kubernetes.io/no-provisioner"

// ClassName is the storage class that a claim names: the annotation from before there was a field counts first. nil if
// it names none, and so gets the default class; the empty name means that it wants no class.
func ClassName(claim *corev1.PersistentVolumeClaim) *string {
	if name, ok := claim.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return &name
	}
	return claim.Spec.StorageClassName
}

// classNameOf is the storage class of a volume.
func classNameOf(pv *corev1.PersistentVolume) string {
	if name, ok := pv.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return name
	}
	return pv.Spec.StorageClassName
}

// DefaultClass is the class of claims that name none: of those that are marked the newest, and of equally new ones the
// first by name. nil if none is marked.
func DefaultClass[Classes ~map[K]*storagev1.StorageClass, K comparable](classes Classes) *storagev1.StorageClass {
	var best *storagev1.StorageClass
	for _, c := range classes {
		if c.Annotations[defaultClass] != "true" && c.Annotations[betaDefaultClass] != "true" {
			continue
		}
		if best == nil ||
			cmp.Or(best.CreationTimestamp.Compare(c.CreationTimestamp.Time), strings.Compare(c.Name, best.Name)) < 0 {
			best = c
		}
	}
	return best
}

// classOf finds the storage class of a claim; the default one when the claim names none.
func (w *World) classOf(claim *corev1.PersistentVolumeClaim) *storagev1.StorageClass {
	if name := ClassName(claim); name != nil {
		return w.StorageClasses[*name]
	}
	return DefaultClass(w.StorageClasses)
}

// immediate reports whether claims of a class are bound before a pod of theirs has a node.
func immediate(class *storagev1.StorageClass) bool {
	return class.VolumeBindingMode == nil || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer
}

func provisions(class *storagev1.StorageClass) bool {
	return class.Provisioner != "" && class.Provisioner != noProvisioner
}

// allowedTopologies says where volumes of a class may be made; nil for everywhere.
func allowedTopologies(class *storagev1.StorageClass, aliases karpenterv1.LabelAliases) []shape.NodeTerm {
	var terms []shape.NodeTerm
	for i := range class.AllowedTopologies {
		var term shape.NodeTerm
		for _, e := range class.AllowedTopologies[i].MatchLabelExpressions {
			term.Labels = append(term.Labels, shape.Requirement{
				Key: aliases.Normalize(e.Key), Operator: shape.In, Values: ascending(e.Values)})
		}
		if term.Labels = sortRequirements(term.Labels); len(term.Labels) > 0 {
			terms = append(terms, term)
		}
	}
	if len(terms) == 0 && len(class.AllowedTopologies) > 0 {
		return []shape.NodeTerm{nowhere} // terms without conditions match no node
	}
	return terms
}

// keysOfDrivers tells by driver which label of a node a new volume is tied to, for drivers that are known to tie it.
// The others tie it to nothing (file systems), or say it in their classes' allowedTopologies.
var keysOfDrivers = map[string]string{
	"ebs.csi.aws.com":            shape.LabelZone,
	"ebs.csi.eks.amazonaws.com":  shape.LabelZone,
	"pd.csi.storage.gke.io":      shape.LabelZone,
	"disk.csi.azure.com":         shape.LabelZone,
	"cinder.csi.openstack.org":   shape.LabelZone,
	"csi.hetzner.cloud":          shape.LabelRegion,
	"dobs.csi.digitalocean.com":  shape.LabelRegion,
	"rancher.io/local-path":      shape.LabelHostname,
	"topolvm.io":                 shape.LabelHostname,
	"topolvm.cybozu.com":         shape.LabelHostname,
	"local.csi.openebs.io":       shape.LabelHostname,
	"openebs.io/local":           shape.LabelHostname,
	"zfs.csi.openebs.io":         shape.LabelHostname,
	"localvolume.csi.openebs.io": shape.LabelHostname,
}

// keyOf is the label of which a volume of the class takes the value from the node that it is made for, empty for none.
// Of several the narrowest counts.
func keyOf(class *storagev1.StorageClass, aliases karpenterv1.LabelAliases) string {
	if key := keysOfDrivers[csiName(class.Provisioner)]; key != "" {
		return key
	}
	key := ""
	for i := range class.AllowedTopologies {
		for _, e := range class.AllowedTopologies[i].MatchLabelExpressions {
			if next := aliases.Normalize(e.Key); breadth(next) > breadth(key) {
				key = next
			}
		}
	}
	return key
}

// MadeAnywhere reports whether the volume of a claim, which no server has seen, will be made before a pod of it has a
// node, and in a place that cannot be known before. class is the claim's, nil for none.
func MadeAnywhere(
	claim *corev1.PersistentVolumeClaim,
	class *storagev1.StorageClass,
	aliases karpenterv1.LabelAliases,
) bool {
	return claim.UID == "" && claim.Spec.VolumeName == "" && class != nil && immediate(class) && provisions(class) &&
		!settledTopology(class, aliases)
}

// settledTopology reports whether it is known where a volume will be that is made for no node in particular.
func settledTopology(class *storagev1.StorageClass, aliases karpenterv1.LabelAliases) bool {
	key := keyOf(class, aliases)
	if key == "" {
		return true
	}
	terms := allowedTopologies(class, aliases)
	return len(terms) == 1 &&
		slices.ContainsFunc(
			terms[0].Labels,
			func(r shape.Requirement) bool { return r.Key == key && len(r.Values) == 1 },
		)
}

// breadth orders keys of topologies: the narrower the higher.
func breadth(key string) int {
	switch key {
	case "":
		return 0
	case shape.LabelRegion:
		return 1
	case shape.LabelZone:
		return 2
	case shape.LabelHostname:
		return 4
	}
	return 3
}
