package objects

import (
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func newStore() *Store {
	world := translate.WorldOf(translate.Objects{})
	return NewStore(&world, CompactSlack)
}

func pod(name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	p.CreationTimestamp = metav1.NewTime(noon)
	if change != nil {
		change(p)
	}
	return p
}

func mounts(claim string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}}
	}
}

// changed drains the pods whose views are new.
func changed(s *Store) []shape.PodID {
	ids := map[shape.PodID]struct{}{}
	s.Changed(func(id shape.PodID, _ *Pod) { ids[id] = struct{}{} })
	return slices.Sorted(maps.Keys(ids))
}

func TestAVolumeClaimChangesItsPodsOnly(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.PutPod(pod("with", mounts("data")))
	s.PutPod(pod("without", nil))
	s.Settle()
	changed(s)

	s.Put(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"}})
	if got, want := changed(s), []shape.PodID{"default/with"}; !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
	if got := changed(s); len(got) != 0 {
		t.Errorf("told twice: %v", got)
	}
}

func TestPodsAreFoundByWhatTheyName(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.PutPod(pod("a", func(p *corev1.Pod) { p.Status.NominatedNodeName = "n0" }))
	if got := s.Naming("n0"); !slices.Equal(got, []shape.PodID{"default/a"}) {
		t.Errorf("n0 is named by %v", got)
	}
	s.PutPod(pod("a", func(p *corev1.Pod) { p.Spec.NodeName = "n1" }))
	if got := s.Naming("n0"); len(got) != 0 {
		t.Errorf("n0 is still named by %v", got)
	}
	if got := s.Naming("n1"); !slices.Equal(got, []shape.PodID{"default/a"}) {
		t.Errorf("n1 is named by %v", got)
	}
	s.DropPod("default/a")
	if got := s.Naming("n1"); len(got) != 0 {
		t.Errorf("n1 is named by %v, which is gone", got)
	}
}

func TestAHoldEndsOnce(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.PutPod(pod("a", func(p *corev1.Pod) {
		p.Spec.NodeName = "n0"
		p.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "5m"}
	}))
	until := s.Pods["default/a"].View.Until
	if until.IsZero() {
		t.Fatal("the pod is not held for a while")
	}
	s.EndHolds(until.Add(-time.Second))
	if got := changed(s); len(got) != 0 {
		t.Errorf("a second before its end changed %v", got)
	}
	s.EndHolds(until)
	if got := changed(s); !slices.Equal(got, []shape.PodID{"default/a"}) {
		t.Errorf("at its end changed %v", got)
	}
	s.EndHolds(until.Add(time.Hour))
	if got := changed(s); len(got) != 0 {
		t.Errorf("an hour later changed %v", got)
	}
}
