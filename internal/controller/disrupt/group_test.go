package disrupt

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// sell adds a size of machine at a price in dollars.
func (f *fleet) sell(name string, cores, dollars int64) *fleet {
	size := shape.Vector{CPU: cores * 1000, Pods: 10}
	f.snap.Types = append(f.snap.Types, &shape.InstanceType{
		Name:        name,
		Capacity:    size,
		Allocatable: size,
		Offerings: []shape.Offering{
			{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Money(dollars) * shape.Dollar, Available: true},
		},
	})
	f.snap.Pools[0].Types = append(f.snap.Pools[0].Types, int32(len(f.snap.Types)-1))
	return f
}

// three nodes of which no one can be had for less, and all three together can.
func three(change ...func(*seen)) *fleet {
	return newFleet().sell("c16", 16, 17).
		node("a", 8, []int{5}, change...).
		node("b", 8, []int{5}, change...).
		node("c", 8, []int{5}, change...)
}

func TestAMoveOfSeveralNodes(t *testing.T) {
	t.Parallel()
	chosen := marked("Underutilized", 3*time.Second)
	long := marked("Underutilized", time.Minute)
	fresh := func(s *seen) {
		unsettled(30 * time.Second)(s)
		s.pods.InstanceType = "c16"
		s.pods.Price = 17 * shape.Dollar
	}
	cases := map[string]struct {
		why   string
		fleet *fleet
		want  []string
	}{
		"Chosen": {
			"The three go together.",
			three(),
			[]string{"reserve a Underutilized", "reserve b Underutilized", "reserve c Underutilized"},
		},
		"Opens": {
			"One node is opened for all of them, though after a restart nobody knows that they belong together.",
			three(chosen),
			[]string{"open c16 for a"},
		},
		"Goes": {"It is ready, so all three go.", three(long).node("d", 16, nil, fresh),
			[]string{"remove a Underutilized", "remove b Underutilized", "remove c Underutilized"}},
		"OnlyAll": {"A pod that must not be disrupted came to one of them: none goes.", func() *fleet {
			f := three(chosen)
			f.all[1].pods.Pods[0].Role = shape.Pinned
			return f
		}(), []string{"release a Underutilized", "release b Underutilized", "release c Underutilized"}},
		"UnderABudget": {"A budget lets two of them go now. The third waits for its turn.", three().allow("2"),
			[]string{"reserve a Underutilized", "reserve b Underutilized"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := gocmp.Diff(tc.want, tc.fleet.plan(nil, noon)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestBalancedWeighsAMoveAgainstItsPool(t *testing.T) {
	t.Parallel()
	// Four small pods on a third of the price: they are four fifths of what can be disturbed.
	build := func(policy karpenterv1.ConsolidationPolicy) *fleet {
		f := newFleet(func(p *karpenterv1.NodePool) { p.Spec.Disruption.ConsolidationPolicy = policy })
		return f.node("a", 4, []int{1, 1, 1, 1}).
			node("b", 8, []int{4}, func(s *seen) { s.pods.Pods[0].Role = shape.Pinned })
	}
	if diff := gocmp.Diff(
		[]string{"keep a Underutilized", "keep b Underutilized"},
		build(karpenterv1.ConsolidationPolicyBalanced).plan(nil, noon),
	); diff != "" {
		t.Errorf("Balanced: -want +got\n%s", diff)
	}
	if diff := gocmp.Diff(
		[]string{"reserve a Underutilized", "keep b Underutilized"},
		build(karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized).plan(nil, noon),
	); diff != "" {
		t.Errorf("WhenEmptyOrUnderutilized: -want +got\n%s", diff)
	}
}

func TestNodesOfASetThatBalancedRefusesSaySo(t *testing.T) {
	t.Parallel()
	f := three()
	f.pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyBalanced
	m := newMemory()
	choices := f.pass(&m, noon).choices
	if len(choices) != 3 {
		t.Fatalf("%d choices for three nodes", len(choices))
	}
	for _, c := range choices {
		const want = "moving it with 2 more disturbs more than it saves: it scores 0.29 of at least 0.50 in NodePool " +
			"default"
		if c.step != explain || c.why != want || c.kind != refit.Unbalanced || c.score == 0 {
			t.Errorf("%s, step %d: %s (score %.2f), want %s", c.claim.Name, c.step, c.why, c.score, want)
		}
	}
}

func TestIndependentMovesBeginAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet().node("a", 8, []int{3}).node("b", 8, []int{3}).node("c", 8, []int{3}).node("d", 8, []int{8})
	got := f.plan(nil, noon)
	want := []string{
		"reserve a Underutilized",
		"reserve b Underutilized",
		"keep c Underutilized",
		"keep d Underutilized",
	}
	// a fits on c; b is had for half the price in the same pass.
	if diff := gocmp.Diff(want, sortedByNode(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func sortedByNode(list []string) []string {
	return slices.SortedFunc(
		slices.Values(list),
		func(a, b string) int { return cmp.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) },
	)
}

func TestTheSearchRestsWhileNothingChanges(t *testing.T) {
	t.Parallel()
	fresh := newMemory()
	m := &fresh
	f := newFleet().node("a", 4, []int{4})
	if got := f.plan(m, noon); len(got) != 1 {
		t.Fatalf("got %v, want the node to be kept", got)
	}
	if got := f.plan(m, noon.Add(time.Minute)); got != nil {
		t.Errorf("nothing has changed, and it was searched again: %v", got)
	}
	f.snap.Revision++
	if got := f.plan(m, noon.Add(time.Minute)); len(got) != 1 {
		t.Errorf("something has changed, and it was not searched again: %v", got)
	}
	if got := f.plan(m, noon.Add(time.Minute+sweepAnyway)); len(got) != 1 {
		t.Errorf("after %s it was not searched again: %v", sweepAnyway, got)
	}
}

func TestDriftOfOnePoolDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	fresh := newMemory()
	m := &fresh
	whenEmpty := func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
		p.Spec.Disruption.Budgets[0].Nodes = "1"
	}
	f := newFleet(whenEmpty)
	f.node("a1", 4, []int{4}, drifted, marked("Drifted", 11*time.Minute)).
		node("a2", 4, []int{4}, drifted).
		node("x", 4, nil, launching)
	other := newFleet(whenEmpty)
	other.pool.Name = "other"
	f.snap.Pools = append(f.snap.Pools, &shape.Pool{Name: "other", Types: f.snap.Pools[0].Types})
	other.node("b1", 4, []int{4}, drifted).node("b2", 4, []int{4}, drifted)
	for _, s := range other.all {
		s.pods.Pool = "other"
	}
	f.all = append(f.all, other.all...)
	f.snap.Nodes = append(f.snap.Nodes, other.snap.Nodes...)
	for id, pod := range other.pods {
		f.pods[id] = pod
	}
	// The replacement of a1 did not come in time: its whole pool rests, the other one goes on within its budget.
	if diff := gocmp.Diff([]string{"release a1 Drifted", "reserve b1 Drifted"}, f.plan(m, noon)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	rest := m.pools[poolReason{"default", karpenterv1.DisruptionReasonDrifted}].Left(noon)
	if rest < 48*time.Second || rest > time.Minute {
		t.Errorf("the pool rests %s, want a minute less up to a fifth", rest)
	}
	f.all[0].claim.Status.Conditions = f.all[0].claim.Status.Conditions[:3] // released
	f.all[0].node.Spec.Taints = nil
	f.all = f.all[:3]
	if got := f.plan(m, noon.Add(rest-time.Second)); got != nil {
		t.Errorf("the pool rests, and got %v", got)
	}
	if diff := gocmp.Diff([]string{"reserve a2 Drifted"}, f.plan(m, noon.Add(rest))); diff != "" {
		t.Errorf("after its rest: -want +got\n%s", diff)
	}
}

func TestNodesInTurnWaitForEachOther(t *testing.T) {
	t.Parallel()
	fresh := newMemory()
	m := &fresh
	f := newFleet().node("a", 4, []int{2}, marked("Underutilized", time.Minute)).
		node("b", 4, []int{2}, marked("Underutilized", time.Minute)).
		node("c", 8, []int{4})
	both := &move{Move: refit.Move{InTurn: true}, reason: karpenterv1.DisruptionReasonUnderutilized}
	for _, s := range f.all[:2] {
		both.members = append(both.members, s.claim.UID)
		m.moves[s.claim.UID] = both
	}
	m.sweep.at = noon // no search in this pass
	if diff := gocmp.Diff([]string{"remove a Underutilized"}, f.plan(m, noon)); diff != "" {
		t.Errorf("the first: -want +got\n%s", diff)
	}
	f.all[0].claim.DeletionTimestamp = f.all[0].claim.CreationTimestamp.DeepCopy()
	if got := f.plan(m, noon); got != nil {
		t.Errorf("the first is still draining, and got %v", got)
	}
	f.all, f.snap.Nodes = f.all[1:], f.snap.Nodes[1:]
	if diff := gocmp.Diff([]string{"remove b Underutilized"}, f.plan(m, noon)); diff != "" {
		t.Errorf("the second: -want +got\n%s", diff)
	}
}

// tied nodes have a pod each that must not be with another one of the same kind.
func tied(nodes ...func(*seen)) *fleet {
	f := newFleet().node("a", 4, []int{2}, nodes...).
		node("b", 4, []int{2}, nodes...).
		node("c", 8, []int{4}).
		node("d", 8, []int{4})
	apart := *f.snap.Classes[1]
	apart.Labels = []shape.Label{{Key: "app", Value: "web"}}
	apart.Affinity = []shape.PodTerm{
		{
			Key:  shape.LabelHostname,
			Anti: true,
			Selector: shape.Selector{
				Requirements: []shape.Requirement{{Key: "app", Operator: shape.In, Values: []string{"web"}}},
			},
		},
	}
	f.snap.Classes[1] = &apart
	return f
}

func TestNodesWhosePodsAreTiedGoInTurnAfterARestart(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.sweep.at = noon // no search in this pass
	if diff := gocmp.Diff(
		[]string{"remove a Underutilized"},
		tied(marked("Underutilized", time.Minute)).plan(&m, noon),
	); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNodesInTurnWaitForPodsOfTheLast(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.sweep.at = noon.Add(time.Hour) // no search
	f := tied(marked("Underutilized", time.Minute))
	if diff := gocmp.Diff([]string{"remove a Underutilized"}, f.plan(&m, noon)); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	f.all, f.snap.Nodes = f.all[1:], f.snap.Nodes[1:]
	f.budget("b") // the pod of a is not ready yet
	if got := f.plan(&m, noon.Add(moveLimit)); got != nil {
		t.Errorf("its PodDisruptionBudget allows nothing for now, and got %v", got)
	}
	if diff := gocmp.Diff(
		[]string{"release b Underutilized"},
		f.plan(&m, noon.Add(moveLimit+time.Second)),
	); diff != "" {
		t.Errorf("after ten minutes: -want +got\n%s", diff)
	}
	f.pdbs = nil
	m.moves["b"] = &move{
		Move:    refit.Move{InTurn: true},
		reason:  karpenterv1.DisruptionReasonUnderutilized,
		members: []types.UID{"a", "b"},
		drained: noon,
	}
	if diff := gocmp.Diff([]string{"remove b Underutilized"}, f.plan(&m, noon.Add(time.Minute))); diff != "" {
		t.Errorf("once it does: -want +got\n%s", diff)
	}
}

// Pods of 4, 4, 3, 3, 3 and 3 cores fit two nodes of 10 as they were planned, but not when the largest are placed
// first.
func TestAMoveKeepsToItsPlan(t *testing.T) {
	t.Parallel()
	long, fresh := marked("Underutilized", time.Minute), unsettled(30*time.Second)
	f := newFleet().sell("c10", 10, 9).
		node("a", 20, []int{4, 4, 3, 3, 3, 3}, long).
		node("x", 10, nil, fresh).
		node("y", 10, nil, fresh)
	begun := &move{reason: karpenterv1.DisruptionReasonUnderutilized, opens: 1, members: []types.UID{"a"}}
	for pod, home := range map[shape.PodID]string{
		"default/a-0": "x", "default/a-2": "x", "default/a-3": "x",
		"default/a-1": "y", "default/a-4": "y", "default/a-5": "y",
	} {
		begun.settle(pod, home)
	}
	m := newMemory()
	m.moves["a"] = begun
	m.sweep.at = noon // no search in this pass
	if diff := gocmp.Diff([]string{"remove a Underutilized"}, f.plan(&m, noon)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	delete(m.moves, "a")
	if diff := gocmp.Diff([]string{"open c4 for a"}, f.plan(&m, noon)); diff != "" {
		t.Errorf("without its plan: -want +got\n%s", diff)
	}
}

func TestRunningOldAndNewNodesHasToPay(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		launch time.Duration
		want   string
	}{
		"Soon": {
			"The new node runs beside the old one for a minute, which comes back within eight.",
			time.Minute,
			"reserve a Underutilized",
		},
		"Late": {
			"It does so for ten minutes, which costs more than is saved in the eight that follow.",
			10 * time.Minute,
			"keep a Underutilized",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The pod moves from a node for 8 dollars to one for 4.
			f := newFleet().node("a", 8, []int{3}, func(s *seen) {
				up := condition.Get(s.claim, karpenterv1.ConditionInitialized).LastTransitionTime
				s.claim.CreationTimestamp = metav1.NewTime(up.Add(-tc.launch))
			})
			f.payback = 8 * time.Minute
			if diff := gocmp.Diff([]string{tc.want}, f.plan(nil, noon)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
