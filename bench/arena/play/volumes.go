package play

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// zones are where volumes are made; the kwok cloud has a fourth one.
var zones = []string{"test-zone-a", "test-zone-b", "test-zone-c"}

// volumes has sets whose volumes were made long ago, in three zones by turns.
func volumes(ctx context.Context, s *Stage) error {
	const sets = 3
	replicas := part(s.Pods, 1./sets)
	pods := sets * int(replicas)
	for i := range sets {
		if err := s.makeVolumes(ctx, setName(i), int(replicas)); err != nil {
			return err
		}
	}
	s.Watch.Expect(pods)
	for i := range sets {
		o := set(setName(i), replicas)
		if _, err := s.Kube.AppsV1().StatefulSets(namespace).Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating statefulset %s: %w", setName(i), err)
		}
	}
	if err := s.settle(ctx, pods); err != nil {
		return err
	}
	for _, n := range []int32{0, replicas} {
		for i := range sets {
			if err := s.scaleSet(ctx, setName(i), n); err != nil {
				return err
			}
		}
		if err := s.settle(ctx, sets*int(n)); err != nil {
			return err
		}
		if err := pause(ctx, s.For/2); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) scaleSet(ctx context.Context, name string, replicas int32) error {
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	sets := s.Kube.AppsV1().StatefulSets(namespace)
	if _, err := sets.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("scaling statefulset %s: %w", name, err)
	}
	return nil
}

func setName(i int) string { return fmt.Sprintf("set-%d", i+1) }

func set(name string, replicas int32) *appsv1.StatefulSet {
	labels := map[string]string{"app": name}
	out := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	out.Spec.Replicas = &replicas
	out.Spec.ServiceName = name
	out.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
	out.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	out.Spec.Template = template(labels, "1", "4Gi")
	out.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{
		ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: claimSpec(""),
	}}
	return out
}

// claimSpec asks for no class, so that nobody provisions anything.
func claimSpec(volume string) corev1.PersistentVolumeClaimSpec {
	return corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{
			corev1.ReadWriteOnce,
		}, StorageClassName: new(string), VolumeName: volume,
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
		},
	}
}

// makeVolumes makes the volumes of a set and the claims that its pods will find.
func (s *Stage) makeVolumes(ctx context.Context, set string, n int) error {
	for i := range n {
		claim := fmt.Sprintf("data-%s-%d", set, i)
		v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: claim}}
		v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}
		v.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		v.Spec.ClaimRef = &corev1.ObjectReference{
			Kind:       "PersistentVolumeClaim",
			APIVersion: "v1",
			Namespace:  namespace,
			Name:       claim,
		}
		v.Spec.HostPath = &corev1.HostPathVolumeSource{Path: "/nowhere"}
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
				Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zones[i%len(zones)]},
			}}}},
		}}
		if _, err := s.Kube.CoreV1().PersistentVolumes().Create(ctx, v, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating volume %s: %w", claim, err)
		}
		c := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: claim},
			Spec:       claimSpec(claim),
		}
		claims := s.Kube.CoreV1().PersistentVolumeClaims(namespace)
		if _, err := claims.Create(ctx, c, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating claim %s: %w", claim, err)
		}
	}
	return nil
}
