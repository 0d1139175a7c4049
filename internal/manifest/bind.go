package manifest

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// chooseStorage gives claims without a class the default one, and classes their default binding.
func (s *Set) chooseStorage() {
	classes := s.classes()
	for _, c := range classes {
		if c.VolumeBindingMode == nil {
			immediate := storagev1.VolumeBindingImmediate
			c.VolumeBindingMode = &immediate
		}
	}
	standard := translate.DefaultClass(classes)
	for _, c := range s.Claims {
		if standard != nil && translate.ClassName(c) == nil && c.Spec.VolumeName == "" {
			c.Spec.StorageClassName = &standard.Name
		}
	}
}

func (s *Set) classes() map[string]*storagev1.StorageClass {
	out := map[string]*storagev1.StorageClass{}
	for _, c := range s.StorageClasses {
		out[c.Name] = c
	}
	return out
}

// bindClaims binds claims to volumes that exist, as the volume controller does before any pod has a node: those that
// name a volume or are named by one, and those whose class does not wait for a pod. Claims that a server has seen are
// bound as far as they say.
func (s *Set) bindClaims() {
	byName := map[string]*corev1.PersistentVolume{}
	for _, pv := range s.Volumes {
		byName[pv.Name] = pv
	}
	var open []*corev1.PersistentVolumeClaim
	for _, c := range s.Claims {
		pv := byName[c.Spec.VolumeName]
		switch {
		case c.UID != "" || c.Status.Phase != "":
		case c.Spec.VolumeName == "":
			open = append(open, c)
		case pv != nil && (kept(pv, c) || pv.Spec.ClaimRef == nil && translate.SuitsByName(pv, c)):
			bindClaim(c, pv)
		}
	}
	classes := s.classes()
	for _, c := range open {
		if pv := s.best(c, waits(classes[className(c)])); pv != nil {
			bindClaim(c, pv)
		}
	}
}

// kept reports whether somebody has written into a volume that it is for a claim.
func kept(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) bool {
	ref := pv.Spec.ClaimRef
	return ref != nil && ref.UID == "" && ref.Namespace == c.Namespace && ref.Name == c.Name
}

func className(c *corev1.PersistentVolumeClaim) string {
	if name := translate.ClassName(c); name != nil {
		return *name
	}
	return ""
}

// waits reports whether claims of a class are bound when a pod of theirs gets a node. Without a class they are not.
func waits(class *storagev1.StorageClass) bool {
	return class != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
}

// best is the volume that a claim gets: of those with the fewest access modes one that is kept for it, else the
// smallest that is free. A volume with more modes loses to a free one with fewer even if it is kept for the claim. A
// claim whose class waits for a pod gets only what is kept for it.
func (s *Set) best(c *corev1.PersistentVolumeClaim, waits bool) *corev1.PersistentVolume {
	var best *corev1.PersistentVolume
	for _, pv := range s.Volumes {
		suits := kept(pv, c) && translate.Suits(pv, c) || !waits && translate.Free(pv, c, className(c))
		if suits && (best == nil || before(pv, best)) {
			best = pv
		}
	}
	return best
}

// before compares two volumes that suit a claim.
func before(a, b *corev1.PersistentVolume) bool {
	if x, y := len(a.Spec.AccessModes), len(b.Spec.AccessModes); x != y {
		return x < y
	}
	if x, y := a.Spec.ClaimRef != nil, b.Spec.ClaimRef != nil; x != y {
		return x
	}
	x, y := a.Spec.Capacity[corev1.ResourceStorage], b.Spec.Capacity[corev1.ResourceStorage]
	return cmp.Or(x.Cmp(y), strings.Compare(a.Name, b.Name)) < 0
}

func bindClaim(c *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume) {
	if pv.Spec.ClaimRef == nil {
		pv.Spec.ClaimRef = &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name}
	}
	c.Spec.VolumeName = pv.Name
}
