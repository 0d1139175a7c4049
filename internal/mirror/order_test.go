package mirror

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// When a plan does not hold and a node has room for some of its pods only, those get it that could hardly go elsewhere.
func TestPlannedPodsAreTakenInTheOrderOfDrains(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	plan := func(name string, age time.Duration, class shape.Class) Plan {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
		return Plan{Pod: pod, Class: &class}
	}
	small, large := shape.Vector{CPU: 100}, shape.Vector{CPU: 4000}
	plans := []Plan{
		plan("younger", time.Minute, shape.Class{Requests: small}),
		plan("older", time.Hour, shape.Class{Requests: small}),
		plan("larger", time.Second, shape.Class{Requests: large}),
		plan("pickier", time.Second, shape.Class{Requests: small, NodeTerms: []shape.NodeTerm{{}}}),
		plan("more-important", time.Second, shape.Class{Requests: small, Priority: 1}),
	}
	slices.SortFunc(plans, ComparePlans)
	var got []string
	for _, p := range plans {
		got = append(got, p.Pod.Name)
	}
	want := []string{"more-important", "pickier", "larger", "older", "younger"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
