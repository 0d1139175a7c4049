package translate

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// nowhere matches no node.
var nowhere = shape.NodeTerm{Names: []shape.Requirement{{Key: metav1.ObjectNameField, Operator: shape.In}}}

// claims reports whether a volume is kept for a claim. Whoever keeps one by hand may leave out the claim's UID.
func claims(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	ref := pv.Spec.ClaimRef
	return ref != nil && ref.Name == claim.Name && ref.Namespace == claim.Namespace &&
		(ref.UID == "" || ref.UID == claim.UID)
}

// volumeOf is the volume that a claim is bound to or will be as soon as the volume controller looks at it: it names the
// volume, or the volume names it. nil for none.
func (in *Interner) volumeOf(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	if claim.Spec.VolumeName != "" {
		return in.world.Volumes[claim.Spec.VolumeName]
	}
	if claim.Name == "" {
		return nil
	}
	var found *corev1.PersistentVolume
	for name := range in.world.Kept[types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}] {
		pv := in.world.Volumes[name]
		if pv != nil && claims(pv, claim) && Suits(pv, claim) && (found == nil || name < found.Name) {
			found = pv
		}
	}
	return found
}

// notWhere says which nodes do not reach a volume. ok is false if there are none, and for volumes whose nodes more than
// one label tells.
func notWhere(pv *corev1.PersistentVolume, aliases karpenterv1.LabelAliases) (terms []shape.NodeTerm, ok bool) {
	reach, err := volumeTerms(pv, aliases)
	if err != nil || len(reach) != 1 || len(reach[0].Names) > 0 || len(reach[0].Labels) != 1 ||
		reach[0].Labels[0].Operator != shape.In {
		return nil, false
	}
	not := reach[0].Labels[0]
	not.Operator = shape.NotIn
	return []shape.NodeTerm{{Labels: []shape.Requirement{not}}}, true
}

// PutVolume notes a volume, also in place of one of that name.
func (w *World) PutVolume(pv *corev1.PersistentVolume) {
	w.DropVolume(pv.Name)
	w.Volumes[pv.Name] = pv
	if disk := DiskOf(pv); disk.Handle != "" {
		w.Disks[disk]++
	}
	if ref := pv.Spec.ClaimRef; ref != nil {
		key := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
		if w.Kept[key] == nil {
			w.Kept[key] = map[string]struct{}{}
		}
		w.Kept[key][pv.Name] = struct{}{}
	}
}

// DropVolume forgets a volume.
func (w *World) DropVolume(name string) {
	pv := w.Volumes[name]
	if pv == nil {
		return
	}
	delete(w.Volumes, name)
	if disk := DiskOf(pv); w.Disks[disk] > 1 {
		w.Disks[disk]--
	} else {
		delete(w.Disks, disk)
	}
	if ref := pv.Spec.ClaimRef; ref != nil {
		key := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
		delete(w.Kept[key], name)
		if len(w.Kept[key]) == 0 {
			delete(w.Kept, key)
		}
	}
}

// Suits reports whether a volume may be bound to a claim as far as size and modes say. That is all that is asked of a
// volume which is kept for the claim.
func Suits(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	return holds(pv, claim) &&
		!slices.ContainsFunc(
			claim.Spec.AccessModes,
			func(m corev1.PersistentVolumeAccessMode) bool { return !slices.Contains(pv.Spec.AccessModes, m) },
		)
}

// holds is Suits but for the access modes. kube-scheduler asks no more of a volume that is kept for a claim.
func holds(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	have, want := pv.Spec.Capacity[corev1.ResourceStorage], claim.Spec.Resources.Requests[corev1.ResourceStorage]
	return pv.DeletionTimestamp == nil && have.Cmp(want) >= 0 &&
		volumeMode(pv.Spec.VolumeMode) == volumeMode(claim.Spec.VolumeMode) &&
		orNone(pv.Spec.VolumeAttributesClassName) == orNone(claim.Spec.VolumeAttributesClassName)
}

// misfit is a volume of a storage class that is kept for a claim and lacks one of its access modes; nil for none.
// kube-scheduler takes it for the claim's where it can be reached, and the volume controller does not bind it, so that
// pods with the claim wait there for ever.
func (w *World) misfit(claim *corev1.PersistentVolumeClaim, class string) *corev1.PersistentVolume {
	if claim.Name == "" {
		return nil
	}
	for name := range w.Kept[types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}] {
		pv := w.Volumes[name]
		if pv != nil && claims(pv, claim) && classNameOf(pv) == class && holds(pv, claim) && !Suits(pv, claim) {
			return pv
		}
	}
	return nil
}

// SuitsByName is Suits for a claim that names the volume, which is kept for nobody: their classes must be one.
func SuitsByName(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	return Suits(pv, claim) && classNameOf(pv) == orNone(ClassName(claim))
}

// Free reports whether a volume is there for any claim of a storage class that it suits, and suits this one. From where
// it can be reached is not looked at.
func Free(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, class string) bool {
	if pv.Spec.ClaimRef != nil || pv.Status.Phase != "" && pv.Status.Phase != corev1.VolumeAvailable ||
		classNameOf(pv) != class ||
		!Suits(pv, claim) {
		return false
	}
	if claim.Spec.Selector == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(claim.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(pv.Labels))
}

func volumeMode(mode *corev1.PersistentVolumeMode) corev1.PersistentVolumeMode {
	if mode == nil {
		return corev1.PersistentVolumeFilesystem
	}
	return *mode
}

func orNone(class *string) string {
	if class == nil {
		return ""
	}
	return *class
}

// slots lists the free volumes that a claim may get, the smallest first, and their driver if they have one in common.
func (in *Interner) slots(
	claim *corev1.PersistentVolumeClaim,
	class string,
) (out []shape.Slot, driver string, err error) {
	var suit []*corev1.PersistentVolume
	for _, pv := range in.world.Volumes {
		if Free(pv, claim, class) {
			suit = append(suit, pv)
		}
	}
	slices.SortFunc(suit, func(a, b *corev1.PersistentVolume) int {
		return cmp.Or(sizeOf(a).Cmp(*sizeOf(b)), strings.Compare(a.Name, b.Name))
	})
	for i, pv := range suit {
		terms, err := volumeTerms(pv, in.world.Aliases)
		if err != nil {
			return nil, "", err
		}
		out = append(out, shape.Slot{Volume: pv.Name, Terms: terms})
		if own := DiskOf(pv).Driver; i == 0 {
			driver = own
		} else if own != driver {
			driver = ""
		}
	}
	return out, driver, nil
}

func sizeOf(pv *corev1.PersistentVolume) *resource.Quantity {
	q := pv.Spec.Capacity[corev1.ResourceStorage]
	return &q
}

// volumeTerms says which nodes reach a volume; nil for all.
func volumeTerms(pv *corev1.PersistentVolume, aliases karpenterv1.LabelAliases) ([]shape.NodeTerm, error) {
	var terms []shape.NodeTerm
	if pv.Spec.NodeAffinity != nil && pv.Spec.NodeAffinity.Required != nil {
		at := field.NewPath("PersistentVolume").
			Key(pv.Name).
			Child("spec", "nodeAffinity", "required", "nodeSelectorTerms")
		for i := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
			term, ok, err := nodeTermOf(at.Index(i), &pv.Spec.NodeAffinity.Required.NodeSelectorTerms[i], aliases)
			if err != nil {
				return nil, err
			}
			if ok {
				terms = append(terms, term)
			}
		}
		if len(terms) == 0 {
			return []shape.NodeTerm{nowhere}, nil
		}
	}
	zones := labelledZones(pv, aliases)
	if len(zones.Labels) == 0 {
		return terms, nil
	}
	n := volumeNeeds{terms: terms}
	n.and([]shape.NodeTerm{zones})
	if n.refused != "" {
		return []shape.NodeTerm{nowhere}, nil
	}
	return n.terms, nil
}

// labelledZones is what volumes from before CSI carry as labels, several values with "__" in between. kube-scheduler
// looks at these four labels and no other.
func labelledZones(pv *corev1.PersistentVolume, aliases karpenterv1.LabelAliases) shape.NodeTerm {
	var zones shape.NodeTerm
	for _, key := range []string{corev1.LabelFailureDomainBetaRegion, corev1.LabelFailureDomainBetaZone, corev1.LabelTopologyRegion, corev1.LabelTopologyZone} {
		if value, ok := pv.Labels[key]; ok {
			zones.Labels = append(zones.Labels, shape.Requirement{
				Key: aliases.Normalize(key), Operator: shape.In, Values: ascending(strings.Split(value, "__"))})
		}
	}
	zones.Labels = sortRequirements(zones.Labels)
	return zones
}

// Disk is what a CSI driver attaches to a node.
type Disk struct{ Driver, Handle string }

// DiskOf is what is attached for a volume, nothing if none of the drivers attaches it. Several volumes may stand for
// one disk, such as when claims of several namespaces are to share it: a node that has it attached for one has it for
// all.
func DiskOf(pv *corev1.PersistentVolume) Disk {
	src := &pv.Spec.PersistentVolumeSource
	switch {
	case src.CSI != nil:
		return Disk{src.CSI.Driver, src.CSI.VolumeHandle}
	case src.AWSElasticBlockStore != nil:
		id := src.AWSElasticBlockStore.VolumeID // also as aws://zone/vol-0
		return Disk{csiName("kubernetes.io/aws-ebs"), id[strings.LastIndexByte(id, '/')+1:]}
	case src.GCEPersistentDisk != nil:
		return Disk{csiName("kubernetes.io/gce-pd"), src.GCEPersistentDisk.PDName}
	case src.AzureDisk != nil:
		return Disk{csiName("kubernetes.io/azure-disk"), src.AzureDisk.DataDiskURI}
	case src.Cinder != nil:
		return Disk{csiName("kubernetes.io/cinder"), src.Cinder.VolumeID}
	}
	return Disk{}
}

// Shares reports whether another volume stands for the same disk as a known one.
func (w *World) Shares(pv *corev1.PersistentVolume) bool { return w.Disks[DiskOf(pv)] > 1 }

// csiName is the CSI driver that took over from an in-tree provisioner.
func csiName(provisioner string) string {
	switch provisioner {
	case "kubernetes.io/aws-ebs":
		return "ebs.csi.aws.com"
	case "kubernetes.io/gce-pd":
		return "pd.csi.storage.gke.io"
	case "kubernetes.io/azure-disk":
		return "disk.csi.azure.com"
	case "kubernetes.io/cinder":
		return "cinder.csi.openstack.org"
	}
	return provisioner
}
