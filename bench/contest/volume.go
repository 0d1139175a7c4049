package contest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// storage is that of all clusters, by name.
type storage struct {
	claims  map[string]*corev1.PersistentVolumeClaim // by namespace/name
	volumes map[string]*corev1.PersistentVolume
	classes map[string]*storagev1.StorageClass
}

func newStorage() storage {
	s := storage{
		map[string]*corev1.PersistentVolumeClaim{}, map[string]*corev1.PersistentVolume{},
		map[string]*storagev1.StorageClass{},
	}
	o := sample.Storage()
	for _, c := range o.Claims {
		s.claims[c.Namespace+"/"+c.Name] = c
	}
	for _, v := range o.Volumes {
		s.volumes[v.Name] = v
	}
	for _, c := range o.StorageClasses {
		s.classes[c.Name] = c
	}
	return s
}

// reaches reports whether kube-scheduler would find a volume for each of a pod's claims on a node of a zone if the pod
// were alone in the cluster: with its own search, the smallest claim first.
func (s storage) reaches(pod *corev1.Pod, zone string) bool {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{shape.LabelZone: zone}}}
	var claims []*corev1.PersistentVolumeClaim
	for i := range pod.Spec.Volumes {
		if source := pod.Spec.Volumes[i].PersistentVolumeClaim; source != nil {
			claims = append(claims, s.claims[pod.Namespace+"/"+source.ClaimName])
		}
	}
	slices.SortStableFunc(claims, func(a, b *corev1.PersistentVolumeClaim) int {
		return a.Spec.Resources.Requests.Storage().Cmp(*b.Spec.Resources.Requests.Storage())
	})
	taken := map[string]*corev1.PersistentVolume{}
	for i, c := range claims {
		if !slices.Contains(claims[:i], c) && !s.gets(c, node, taken) {
			return false
		}
	}
	return true
}

// gets reports whether a claim has, gets or is made a volume that a node reaches, besides those that are taken.
func (s storage) gets(
	claim *corev1.PersistentVolumeClaim,
	node *corev1.Node,
	taken map[string]*corev1.PersistentVolume,
) bool {
	if v := s.volumes[claim.Spec.VolumeName]; v != nil {
		return volume.CheckNodeAffinity(v, node.Labels) == nil
	}
	class := s.classes[*claim.Spec.StorageClassName]
	var free []*corev1.PersistentVolume
	for _, v := range s.volumes {
		if v.Spec.StorageClassName == class.Name {
			free = append(free, v)
		}
	}
	v, err := volume.FindMatchingVolume(claim, free, node, taken, true, true)
	if err != nil {
		return false
	}
	if v != nil {
		taken[v.Name] = v
		return true
	}
	return class.Provisioner != volume.NotSupportedProvisioner && makes(class, node)
}

// makes reports whether a class makes volumes in a node's zone.
func makes(class *storagev1.StorageClass, node *corev1.Node) bool {
	return len(class.AllowedTopologies) == 0 ||
		slices.ContainsFunc(class.AllowedTopologies, func(t corev1.TopologySelectorTerm) bool {
			return !slices.ContainsFunc(t.MatchLabelExpressions, func(r corev1.TopologySelectorLabelRequirement) bool {
				return !slices.Contains(r.Values, node.Labels[r.Key])
			})
		})
}

// outOfReach reports whether kube-scheduler would bind none of the pods that only the peer places where the peer has
// them: their claims find no volumes there. The peer looks at each claim alone, and at its storage class where a volume
// is kept for it.
func (m *match) outOfReach() bool {
	zones := map[shape.PodID]string{}
	for _, n := range m.theirs.Decision.Open {
		for _, id := range n.Pods {
			zones[id] = n.Options[0].Zone
		}
	}
	s := newStorage()
	return !slices.ContainsFunc(m.cluster.Pods, func(pod *corev1.Pod) bool {
		id := translate.IDOf(pod)
		return slices.Contains(m.fewer, id) && s.reaches(pod, zones[id])
	})
}
