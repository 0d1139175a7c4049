package mirror

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// After a start no node may be given up before somebody has planned for the buffers.
func TestNodesAreKeptUntilBuffersWerePlanned(t *testing.T) {
	t.Parallel()
	m := New(Options{Buffers: true})
	n := &corev1.Node{}
	n.Name = "n"
	m.Put(n)
	kept := func() bool { return m.Snapshot().Nodes[0].Kept != "" }
	if !kept() {
		t.Error("nobody has said what buffers there are")
	}
	m.Seat(nil)
	if !kept() {
		t.Error("a plan without the buffers says nothing of them")
	}
	m.Keep(nil)
	m.Seat(nil)
	if kept() {
		t.Error("there are no buffers, and the node is kept")
	}
}

// Stand-ins are seated where the plan has them, until the plan or the buffer says otherwise; no scheduler hears of
// them.
func TestSeats(t *testing.T) {
	t.Parallel()
	m := New(Options{Buffers: true})
	n := &corev1.Node{}
	n.Name = "n"
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("10")}
	m.Put(n)
	var heard Change
	m.Hear(func(c Change) { heard |= c })
	keep := func(pods int) {
		m.Keep(
			[]Buffer{
				{
					Name:     types.NamespacedName{Namespace: "default", Name: "b"},
					Template: &corev1.PodTemplateSpec{},
					Pods:     pods,
				},
			},
		)
	}
	keep(2)
	if heard&Wanted == 0 {
		t.Error("nobody hears that room is wanted")
	}
	s := m.Snapshot()
	if len(s.Pods) != 2 || !s.Classes[s.Pods[0].Class].Buffer {
		t.Fatalf("pods that wait: %+v", s.Pods)
	}
	m.Seat(map[shape.PodID]string{s.Pods[0].ID: "n", s.Pods[1].ID: "n"})
	s = m.Snapshot()
	if len(s.Pods) != 0 || len(s.Nodes[0].Pods) != 2 || s.Nodes[0].Pods[0].EvictionCost != 0 {
		t.Errorf("waiting %+v, seated %+v", s.Pods, s.Nodes[0].Pods)
	}
	keep(1)
	if got := len(m.Snapshot().Nodes[0].Pods); got != 1 {
		t.Errorf("%d stand-ins of a buffer of one", got)
	}
	heard = 0
	m.Put(&corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}})
	if heard&Taken == 0 {
		t.Error("nobody hears that a pod has come to the node")
	}
	m.Drop(n)
	if s := m.Snapshot(); len(s.Pods) != 1 {
		t.Errorf("the node is gone, and %d stand-ins wait for room", len(s.Pods))
	}
}

// A stand-in of a StatefulSet can be only where the volumes of the next pod will be, or are from when the set was
// larger.
func TestStandInsKeepWhatVolumesSay(t *testing.T) {
	t.Parallel()
	m := New(Options{Buffers: true})
	class := &storagev1.StorageClass{
		Provisioner: "ebs.csi.aws.com",
		AllowedTopologies: []corev1.TopologySelectorTerm{
			{
				MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
					{Key: corev1.LabelTopologyZone, Values: []string{"b", "c"}},
				},
			},
		},
	}
	waits := storagev1.VolumeBindingWaitForFirstConsumer
	class.Name, class.VolumeBindingMode = "disk", &waits
	m.Put(class)
	claim := corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &class.Name}}
	claim.Name = "data"
	template := translate.Mounted(&corev1.PodTemplateSpec{}, []corev1.PersistentVolumeClaim{claim})
	m.Keep(
		[]Buffer{
			{
				Name:     types.NamespacedName{Namespace: "default", Name: "b"},
				Template: template,
				Pods:     2,
				Set:      "db",
				Next:     3,
			},
		},
	)
	zones := func() (out [2]string) {
		s := m.Snapshot()
		for i := range s.Pods {
			c := s.Classes[s.Pods[i].Class]
			out[i] = fmt.Sprint(c.Refused, c.VolumeTerms, len(c.Attach))
		}
		return out
	}
	made := fmt.Sprint(
		[]shape.NodeTerm{{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{"b", "c"}}}}},
		1,
	)
	if got := zones(); got != [2]string{made, made} {
		t.Errorf("got %v, want both in zones b and c", got)
	}
	kept := claim.DeepCopy()
	kept.Namespace, kept.Name, kept.UID, kept.Spec.VolumeName = "default", "data-db-4", "1", "pv"
	pv := &corev1.PersistentVolume{
		Spec: corev1.PersistentVolumeSpec{ClaimRef: &corev1.ObjectReference{Namespace: "default", Name: "data-db-4"}},
	}
	pv.Name, pv.Labels = "pv", map[string]string{corev1.LabelTopologyZone: "c"}
	m.Put(kept)
	m.Put(pv)
	there := fmt.Sprint(
		[]shape.NodeTerm{{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{"c"}}}}},
		0,
	)
	if got := zones(); got != [2]string{made, there} {
		t.Errorf("got %v, want the second where the volume of claim data-db-4 is", got)
	}
	class = class.DeepCopy()
	class.VolumeBindingMode = nil
	m.Put(class)
	if got := zones(); !strings.Contains(got[0], "where the volume will be is not known") {
		t.Errorf("got %v for a volume that is made before anybody knows where", got)
	}
}
