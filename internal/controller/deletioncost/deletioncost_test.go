package deletioncost

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func number(t *rapid.T, s disrupt.Standing) int {
	text := valueOf(s)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatalf("a value must be an int32, got %q", text)
	}
	return int(n)
}

// Pods of nodes whose turn comes sooner cost less, whatever the nodes are; among Spare nodes those that save more do;
// and a node that changes a little keeps its value or moves by one.
func TestValuesFollowTheTurn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) disrupt.Standing {
			return disrupt.Standing{
				Turn:   disrupt.Turn(rapid.IntRange(int(disrupt.Stays), int(disrupt.Going)).Draw(t, name)),
				Saving: rapid.Float64Range(0, 1e12).Draw(t, name+" saves"),
			}
		}
		a, b := draw("a"), draw("b")
		x, y := number(t, a), number(t, b)
		switch {
		case a.Turn != b.Turn:
			if cmp.Compare(a.Turn, b.Turn) != -cmp.Compare(x, y) {
				t.Errorf("turns %d and %d have the values %d and %d", a.Turn, b.Turn, x, y)
			}
		case a.Turn == disrupt.Spare && a.Saving > b.Saving && x > y:
			t.Errorf("%v saves more than %v, and the values are %d and %d", a.Saving, b.Saving, x, y)
		}
		near := a
		near.Saving *= rapid.Float64Range(0.75, 1.3).Draw(t, "change")
		if z := number(t, near); z-x > 1 || x-z > 1 {
			t.Errorf("from %v to %v the value goes from %d to %d", a.Saving, near.Saving, x, z)
		}
	})
}

// pod is one of a ReplicaSet on a node.
func pod(name, node string, changes ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "default", UID: types.UID(name),
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs", Controller: &yes},
		},
	}}
	p.Spec.NodeName = node
	for _, change := range changes {
		change(p)
	}
	return p
}

func costing(value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: value} }
}

// stage is a Reconciler before an API server.
type stage struct {
	*Reconciler
	kube client.Client
}

func newStage(t *testing.T, off bool) *stage {
	t.Helper()
	kube := fake.NewClientBuilder().WithReturnManagedFields().Build()
	r, err := New(
		Deps{
			Client:  kube,
			Live:    kube,
			Clock:   clocktesting.NewFakeClock(time.Unix(0, 0)),
			Metrics: observe.NewMetrics().Costs,
			Off:     off,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{r, kube}
}

// create makes pods as somebody, whose values they carry.
func (s *stage) create(t *testing.T, as string, pods ...*corev1.Pod) {
	t.Helper()
	for _, p := range pods {
		if err := s.kube.Create(t.Context(), p, client.FieldOwner(as)); err != nil {
			t.Fatal(err)
		}
	}
}

// pass makes a pass and lists the values that pods have after it.
func (s *stage) pass(t *testing.T) map[string]string {
	t.Helper()
	if left, err := s.Pass(t.Context()); err != nil || left != 0 {
		t.Fatalf("%d left, %v", left, err)
	}
	var pods corev1.PodList
	if err := s.kube.List(t.Context(), &pods); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range pods.Items {
		if v, ok := p.Annotations[corev1.PodDeletionCost]; ok {
			out[p.Name] = v
		}
	}
	return out
}

func (s *stage) expect(t *testing.T, why string, want map[string]string) {
	t.Helper()
	if diff := gocmp.Diff(want, s.pass(t)); diff != "" {
		t.Errorf("%s\n-want +got\n%s", why, diff)
	}
}

func (s *stage) wrote(result string) float64 {
	return testutil.ToFloat64(s.Metrics.Writes.WithLabelValues(result))
}

func TestTheAnnotationFollowsThePlan(t *testing.T) {
	t.Parallel()
	s := newStage(t, false)
	s.create(
		t,
		"kube-controller-manager",
		pod("a", "n1"),
		pod("b", "n2"),
		pod("c", "n3"),
		pod("theirs", "n1", costing("7")),
		pod(
			"job",
			"n1",
			func(p *corev1.Pod) { p.OwnerReferences[0].Kind, p.OwnerReferences[0].APIVersion = "Job", "batch/v1" },
		),
		pod("bare", "n1", func(p *corev1.Pod) { p.OwnerReferences = nil }),
		pod("pending", ""),
		pod("ended", "n1", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
	)
	s.expect(t, "nothing is known of the plan", map[string]string{"theirs": "7"})

	s.Note(
		[]disrupt.Standing{
			{Node: "n1", Pool: "p", Turn: disrupt.Planned},
			{Node: "n2", Pool: "p", Turn: disrupt.Spare, Saving: 8},
			{Node: "n3", Pool: "p"},
		},
	)
	s.expect(
		t,
		"pods of the node that the plan gives up go first",
		map[string]string{"a": "-3000", "b": "-1003", "theirs": "7"},
	)
	if n := s.wrote(updated); n != 2 {
		t.Errorf("%v writes, want 2", n)
	}
	if n := s.wrote(conflict); n != 1 {
		t.Errorf("%v conflicts with users, want 1", n)
	}
	s.expect(t, "nothing changed", map[string]string{"a": "-3000", "b": "-1003", "theirs": "7"})
	if n := s.wrote(updated) + s.wrote(conflict); n != 3 {
		t.Errorf("%v writes after a pass in which nothing changed, want 3 still", n)
	}

	s.Note(
		[]disrupt.Standing{
			{Node: "n1", Pool: "p", Turn: disrupt.Going},
			{Node: "n2", Pool: "p"},
			{Node: "n3", Pool: "p", Turn: disrupt.Drifted},
		},
	)
	s.expect(t, "the plan changed, and the pod of a node that stays is as before", map[string]string{
		"a": strconv.Itoa(math.MinInt32), "c": "-2000", "theirs": "7",
	})
	if n := testutil.ToFloat64(s.Metrics.Pending.WithLabelValues("p")); n != 0 {
		t.Errorf("%v nodes wait for their values", n)
	}
}

// What an earlier process or Karpenter has written is taken over, or back when the gate is closed.
func TestOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	earlier := newStage(t, false)
	earlier.create(
		t,
		"kube-controller-manager",
		pod("ours", "n1"),
		pod("users", "n1", costing("7")),
		pod("stays", "n2"),
	)
	earlier.create(t, predecessor, pod("karpenters", "n1", costing("-5")), pod("old", "n2", costing("-6")))
	earlier.Note([]disrupt.Standing{{Node: "n1", Pool: "p", Turn: disrupt.Drifted}, {Node: "n2", Pool: "p"}})
	earlier.expect(
		t,
		"Karpenter's values are taken over",
		map[string]string{"ours": "-2000", "users": "7", "karpenters": "-2000"},
	)

	closed := newStage(t, true)
	closed.kube, closed.Client, closed.Live = earlier.kube, earlier.kube, earlier.kube
	closed.create(t, predecessor, pod("late", "n1", costing("-9")))
	closed.Note([]disrupt.Standing{{Node: "n1", Pool: "p", Turn: disrupt.Going}})
	closed.expect(t, "the gate is closed: what users wrote is all that is left", map[string]string{"users": "7"})
}

// A pass writes so much and no more, and begins with what goes soonest.
func TestAPassIsBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t, false)
	var pods []corev1.Pod
	for i := range writesAPass + 1 {
		pods = append(pods, *pod("p"+strconv.Itoa(i), "n1"))
	}
	pods = append(pods, *pod("first", "n2"))
	todo := s.changes(
		pods,
		[]disrupt.Standing{
			{Node: "n1", Pool: "p", Turn: disrupt.Spare},
			{Node: "n2", Pool: "p", Turn: disrupt.Going},
		},
	)
	if len(todo) != len(pods) || todo[0].pod.Name != "first" {
		t.Errorf("%d writes of %d pods, the first is %s", len(todo), len(pods), todo[0].pod.Name)
	}
	if !slices.IsSortedFunc(todo, func(a, b write) int { return -cmp.Compare(a.turn, b.turn) }) {
		t.Error("what goes later is written before what goes sooner")
	}
	s.gauge(todo[1:], []disrupt.Standing{{Node: "n1", Pool: "p"}, {Node: "n2", Pool: "q"}})
	waiting := func(pool string) float64 { return testutil.ToFloat64(s.Metrics.Pending.WithLabelValues(pool)) }
	if p, q := waiting("p"), waiting("q"); p != 1 || q != 0 {
		t.Errorf("%v and %v nodes wait, want 1 and 0", p, q)
	}
}
