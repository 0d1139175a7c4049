package translate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// volumeNeeds is what a pod's volumes ask of its node.
type volumeNeeds struct {
	terms   []shape.NodeTerm
	attach  []shape.Attach
	refused string
}

// maxVolumeTerms bounds the alternatives that several volumes make together; zones are a handful.
const maxVolumeTerms = 256

// VolumeClaims lists the names of the volume claims, in the pod's namespace, that a pod uses.
func VolumeClaims(pod *corev1.Pod) []string {
	var out []string
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			out = append(out, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			out = append(out, pod.Name+"-"+v.Name)
		}
	}
	return out
}

// volumesOf works out what a pod's volumes ask for; nil for pods without such volumes.
func (in *Interner) volumesOf(pod *corev1.Pod) (*volumeNeeds, error) {
	var needs *volumeNeeds
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.PersistentVolumeClaim == nil && v.Ephemeral == nil {
			continue
		}
		if needs == nil {
			needs = &volumeNeeds{}
		}
		var err error
		if v.PersistentVolumeClaim != nil {
			err = in.addClaim(needs, pod, v.PersistentVolumeClaim.ClaimName, nil)
		} else {
			err = in.addClaim(needs, pod, pod.Name+"-"+v.Name, v.Ephemeral.VolumeClaimTemplate)
		}
		if err != nil {
			return needs, err
		}
	}
	if needs != nil {
		slices.SortFunc(needs.attach, func(a, b shape.Attach) int {
			return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Volume, b.Volume))
		})
	}
	return needs, nil
}

func (n *volumeNeeds) refuse(words ...string) {
	if n.refused == "" {
		n.refused = strings.Join(words, "")
	}
}

// addClaim adds one volume claim; template stands in for the claim of an ephemeral volume
// that has not been made yet.
func (in *Interner) addClaim(needs *volumeNeeds, pod *corev1.Pod, name string, template *corev1.PersistentVolumeClaimTemplate) error {
	claim := in.world.Claims[types.NamespacedName{Namespace: pod.Namespace, Name: name}]
	if claim == nil && template != nil {
		claim = &corev1.PersistentVolumeClaim{Spec: template.Spec}
	}
	switch {
	case claim == nil:
		needs.refuse("its volume claim ", name, " does not exist")
		return nil
	case claim.DeletionTimestamp != nil:
		needs.refuse("its volume claim ", name, " is being deleted")
		return nil
	case claim.Status.Phase == corev1.ClaimLost:
		needs.refuse("its volume claim ", name, " has lost its volume")
		return nil
	}
	shared := pod.Namespace + "/" + name
	if template != nil || strings.HasSuffix(name, "-"+pod.Name) {
		shared = "" // made for this pod alone
	}
	if claim.Spec.VolumeName != "" {
		return in.addBound(needs, name, shared, claim)
	}
	return in.addUnbound(needs, name, shared, claim)
}

func (in *Interner) addBound(needs *volumeNeeds, name, shared string, claim *corev1.PersistentVolumeClaim) error {
	pv := in.world.Volumes[claim.Spec.VolumeName]
	if pv == nil {
		needs.refuse("volume ", claim.Spec.VolumeName, " of its volume claim ", name, " does not exist")
		return nil
	}
	if driver := driverOf(pv); driver != "" {
		needs.attach = append(needs.attach, shape.Attach{Driver: driver, Volume: shared})
	}
	terms, err := volumeTerms(pv)
	if err != nil {
		return err
	}
	needs.and(terms)
	return nil
}

// volumeTerms says which nodes reach a volume; nil for all.
func volumeTerms(pv *corev1.PersistentVolume) ([]shape.NodeTerm, error) {
	var terms []shape.NodeTerm
	if pv.Spec.NodeAffinity != nil && pv.Spec.NodeAffinity.Required != nil {
		at := field.NewPath("PersistentVolume").Key(pv.Name).Child("spec", "nodeAffinity", "required", "nodeSelectorTerms")
		for i := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
			term, ok, err := nodeTermOf(at.Index(i), &pv.Spec.NodeAffinity.Required.NodeSelectorTerms[i])
			if err != nil {
				return nil, err
			}
			if ok {
				terms = append(terms, term)
			}
		}
	}
	// Volumes from before CSI carry their zone as a label, several with "__" in between.
	var zones shape.NodeTerm
	for _, key := range slices.Sorted(maps.Keys(pv.Labels)) {
		stable := karpenterv1.NormalizeLabel(key)
		if stable == shape.LabelZone || stable == shape.LabelRegion {
			zones.Labels = append(zones.Labels, shape.Requirement{Key: stable, Operator: shape.In, Values: ascending(strings.Split(pv.Labels[key], "__"))})
		}
	}
	if len(zones.Labels) == 0 {
		return terms, nil
	}
	zones.Labels = sortRequirements(zones.Labels)
	n := volumeNeeds{terms: terms}
	n.and([]shape.NodeTerm{zones})
	return n.terms, nil
}

func (in *Interner) addUnbound(needs *volumeNeeds, name, shared string, claim *corev1.PersistentVolumeClaim) error {
	class := in.classOf(claim)
	switch {
	case class == nil && claim.Spec.StorageClassName != nil && *claim.Spec.StorageClassName != "":
		needs.refuse("storage class ", *claim.Spec.StorageClassName, " of its volume claim ", name, " does not exist")
		return nil
	case class == nil:
		needs.refuse("its volume claim ", name, " is not bound and has no storage class")
		return nil
	case class.VolumeBindingMode == nil || *class.VolumeBindingMode == storagev1.VolumeBindingImmediate:
		needs.refuse("its volume claim ", name, " is not bound yet, and storage class ", class.Name, " does not wait for a node")
		return nil
	case class.Provisioner == "kubernetes.io/no-provisioner":
		return in.addStatic(needs, name, class)
	}
	needs.attach = append(needs.attach, shape.Attach{Driver: csiName(class.Provisioner), Volume: shared})
	var terms []shape.NodeTerm
	for i := range class.AllowedTopologies {
		var term shape.NodeTerm
		for _, e := range class.AllowedTopologies[i].MatchLabelExpressions {
			term.Labels = append(term.Labels, shape.Requirement{
				Key: karpenterv1.NormalizeLabel(e.Key), Operator: shape.In, Values: ascending(e.Values)})
		}
		if term.Labels = sortRequirements(term.Labels); len(term.Labels) > 0 {
			terms = append(terms, term)
		}
	}
	needs.and(terms)
	return nil
}

// addStatic handles classes whose volumes exist before they are claimed: any free one will do.
func (in *Interner) addStatic(needs *volumeNeeds, name string, class *storagev1.StorageClass) error {
	var terms []shape.NodeTerm
	found := false
	for _, key := range slices.Sorted(maps.Keys(in.world.Volumes)) {
		pv := in.world.Volumes[key]
		if pv.Spec.StorageClassName != class.Name || pv.Spec.ClaimRef != nil {
			continue
		}
		more, err := volumeTerms(pv)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			return nil // reachable from everywhere
		}
		found = true
		terms = append(terms, more...)
	}
	if !found {
		needs.refuse("no volume of storage class ", class.Name, " is free for its volume claim ", name)
		return nil
	}
	needs.and(terms)
	return nil
}

// classOf finds the storage class of a claim; the default one when the claim names none.
func (in *Interner) classOf(claim *corev1.PersistentVolumeClaim) *storagev1.StorageClass {
	if claim.Spec.StorageClassName != nil {
		return in.world.StorageClasses[*claim.Spec.StorageClassName]
	}
	var newest *storagev1.StorageClass
	for _, name := range slices.Sorted(maps.Keys(in.world.StorageClasses)) {
		class := in.world.StorageClasses[name]
		if class.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" {
			continue
		}
		if newest == nil || class.CreationTimestamp.After(newest.CreationTimestamp.Time) {
			newest = class
		}
	}
	return newest
}

// and narrows the terms: one of the old ones and one of the new ones must hold.
func (n *volumeNeeds) and(terms []shape.NodeTerm) {
	if len(terms) == 0 {
		return
	}
	if len(n.terms) == 0 {
		n.terms = terms
		return
	}
	var out []shape.NodeTerm
	for _, a := range n.terms {
		for _, b := range terms {
			both := shape.NodeTerm{
				Labels: sortRequirements(slices.Concat(a.Labels, b.Labels)),
				Names:  sortRequirements(slices.Concat(a.Names, b.Names)),
			}
			if contradicts(both.Labels) || slices.ContainsFunc(out, func(t shape.NodeTerm) bool { return sameTerm(t, both) }) {
				continue
			}
			out = append(out, both)
		}
	}
	switch {
	case len(out) == 0:
		n.refuse("no node can reach all of its volumes")
	case len(out) > maxVolumeTerms:
		n.refuse("its volumes can be reached in more ways than are looked at")
	default:
		n.terms = out
	}
}

// contradicts reports whether two In requirements on one key share no value. reqs ascend by key.
func contradicts(reqs []shape.Requirement) bool {
	for i := 1; i < len(reqs); i++ {
		a, b := reqs[i-1], reqs[i]
		if a.Key != b.Key || a.Operator != shape.In || b.Operator != shape.In {
			continue
		}
		if !slices.ContainsFunc(a.Values, func(v string) bool { return slices.Contains(b.Values, v) }) {
			return true
		}
	}
	return false
}

func sameTerm(a, b shape.NodeTerm) bool {
	same := func(x, y shape.Requirement) bool { return compareRequirements(x, y) == 0 }
	return slices.EqualFunc(a.Labels, b.Labels, same) && slices.EqualFunc(a.Names, b.Names, same)
}

// driverOf is the CSI driver that attaches a volume, empty if none does.
func driverOf(pv *corev1.PersistentVolume) string {
	src := &pv.Spec.PersistentVolumeSource
	switch {
	case src.CSI != nil:
		return src.CSI.Driver
	case src.AWSElasticBlockStore != nil:
		return csiName("kubernetes.io/aws-ebs")
	case src.GCEPersistentDisk != nil:
		return csiName("kubernetes.io/gce-pd")
	case src.AzureDisk != nil:
		return csiName("kubernetes.io/azure-disk")
	}
	return ""
}

// csiName is the CSI driver that took over from an in-tree provisioner.
func csiName(provisioner string) string {
	switch provisioner {
	case "kubernetes.io/aws-ebs":
		return "ebs.csi.aws.com"
	case "kubernetes.io/gce-pd":
		return "pd.csi.storage.gke.io"
	case "kubernetes.io/azure-disk":
		return "disk.csi.azure.com"
	}
	return provisioner
}
