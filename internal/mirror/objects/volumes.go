package objects

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

func (s *Store) putVolumeClaim(key types.NamespacedName, pvc *corev1.PersistentVolumeClaim) {
	if old := s.World.Claims[key]; old != nil {
		s.claimsByVolume.Remove(old.Spec.VolumeName, key)
	}
	if pvc == nil {
		delete(s.World.Claims, key)
	} else {
		s.World.Claims[key] = pvc
		s.claimsByVolume.Add(pvc.Spec.VolumeName, key)
	}
	s.retranslateUsers(key)
}

func (s *Store) putVolume(name string, pv *corev1.PersistentVolume) {
	old := s.World.Volumes[name]
	moved := old == nil || pv == nil || translate.DiskOf(old) != translate.DiskOf(pv)
	shares := old != nil && s.World.Shares(old)
	if pv == nil {
		s.World.DropVolume(name)
	} else {
		s.World.PutVolume(pv)
		shares = shares || s.World.Shares(pv)
	}
	// A volume that is free, or was, may be any claim's. One that shares its disk, or did, matters to the other
	// volume's pods.
	if moved && shares || old != nil && old.Spec.ClaimRef == nil || pv != nil && pv.Spec.ClaimRef == nil {
		s.stale.volumes = true
		return
	}
	for key := range s.claimsByVolume[name] {
		s.retranslateUsers(key)
	}
	for _, v := range [2]*corev1.PersistentVolume{old, pv} {
		if v != nil {
			s.retranslateUsers(types.NamespacedName{Namespace: v.Spec.ClaimRef.Namespace, Name: v.Spec.ClaimRef.Name})
		}
	}
}
