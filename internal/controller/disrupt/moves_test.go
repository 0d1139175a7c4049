package disrupt

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// fleet is a cluster of one pool that sells machines of 4 cores at 4 and of 8 cores at 8 dollars.
type fleet struct {
	pool *karpenterv1.NodePool
	all  []seen
	snap shape.Snapshot
	pods map[shape.PodID]*corev1.Pod
	pdbs []policyv1.PodDisruptionBudget

	payback time.Duration // 0 counts any saving as enough
	first   map[karpenterv1.DisruptionReason]bool
	devices *devices.World
}

// classes of pods by their cores: index i asks for i+1 cores.
const mostCores = 8

func newFleet(change ...func(*karpenterv1.NodePool)) *fleet {
	f := &fleet{pool: poolWith("100%"), pods: map[shape.PodID]*corev1.Pod{}}
	f.pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	for _, c := range change {
		c(f.pool)
	}
	f.snap.Now = noon
	for i := range mostCores {
		f.snap.Classes = append(
			f.snap.Classes,
			&shape.Class{Namespace: "default", Requests: shape.Vector{CPU: int64(i+1) * 1000, Pods: 1}},
		)
	}
	f.snap.Profiles = []*shape.Profile{{Labels: []shape.Label{{Key: shape.LabelNodePool, Value: "default"}}}}
	for i, cores := range []int64{4, 8} {
		size := shape.Vector{CPU: cores * 1000, Pods: 10}
		f.snap.Types = append(f.snap.Types, &shape.InstanceType{
			Name: fmt.Sprintf("c%d", cores), Capacity: size, Allocatable: size,
			Offerings: []shape.Offering{
				{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Money(cores) * shape.Dollar, Available: true},
			},
		})
		f.snap.Pools = []*shape.Pool{{Name: "default", Types: []int32{0, int32(i)}}}
	}
	return f
}

// node adds a node with so many cores and pods of so many cores each.
func (f *fleet) node(name string, cores int64, pods []int, change ...func(*seen)) *fleet {
	s := quiet(name, f.pool)
	s.claim.UID = types.UID(name)
	s.pods = &shape.Node{
		Name:        name,
		Hostname:    name,
		Claim:       name,
		Pool:        "default",
		Stage:       shape.Ready,
		Allocatable: shape.Vector{CPU: cores * 1000, Pods: 10},
		InstanceType: fmt.Sprintf(
			"c%d",
			cores,
		),
		Zone:         "a",
		CapacityType: shape.OnDemand,
		Price:        shape.Money(cores) * shape.Dollar,
	}
	for i, size := range pods {
		id := shape.PodID(fmt.Sprintf("default/%s-%d", name, i))
		s.pods.Pods = append(s.pods.Pods, shape.Pod{ID: id, Class: int32(size - 1), EvictionCost: 1000})
		f.pods[id] = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default",
				Name:      string(id[8:]),
				Labels:    map[string]string{"on": name},
			},
			Spec: corev1.PodSpec{NodeName: name},
		}
	}
	for _, c := range change {
		c(&s)
	}
	f.all = append(f.all, s)
	f.snap.Nodes = append(f.snap.Nodes, s.pods)
	slices.SortFunc(
		f.snap.Nodes,
		func(a, b *shape.Node) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) },
	)
	return f
}

func (f *fleet) budget(app string) *fleet {
	b := policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "guard"}}
	b.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"on": app}}
	f.pdbs = append(f.pdbs, b)
	return f
}

func (f *fleet) plan(m *memory, now time.Time) []string {
	if m == nil {
		fresh := newMemory()
		m = &fresh
	}
	return words(f.pass(m, now))
}

func (f *fleet) pass(m *memory, now time.Time) moves {
	policy := engine.DefaultPolicy()
	policy.Effort = 0
	return view{
		all:      f.all,
		snapshot: f.snap,
		guards:   compileGuards(f.pdbs, nil),
		podOf:    func(id shape.PodID) *corev1.Pod { return f.pods[id] },
		now:      now,
		policy:   policy,
		devices:  f.devices,
		rules:    Rules{MinSaving: 0.05, Payback: f.payback, First: f.first},
	}.plan(m)
}

func words(out moves) []string {
	names := map[step]string{
		reserve: "reserve",
		fence:   "fence",
		remove:  "remove",
		release: "release",
		explain: "keep",
		reboot:  "reboot",
		hasten:  "hasten",
	}
	var got []string
	for _, c := range out.choices {
		got = append(got, fmt.Sprintf("%s %s %s", names[c.step], c.claim.Name, c.reason))
	}
	for _, o := range out.open {
		for _, n := range o.nodes {
			got = append(got, fmt.Sprintf("open %s for %s", n.Options[0].Type, o.replaced[0].claim.Name))
		}
	}
	return got
}

func drifted(s *seen) {
	s.claim.Status.Conditions = append(s.claim.Status.Conditions, metav1.Condition{
		Type:               karpenterv1.ConditionDrifted,
		Status:             metav1.ConditionTrue,
		Reason:             "NodePoolDrifted",
		LastTransitionTime: metav1.NewTime(noon.Add(-time.Minute)),
	})
}

// marked nodes were chosen so long ago.
func marked(reason string, ago time.Duration) func(*seen) {
	return func(s *seen) {
		reserved(ago)(s)
		s.claim.Status.Conditions[len(s.claim.Status.Conditions)-1].Reason = reason
	}
}

// unsettled nodes are inside consolidateAfter.
func unsettled(age time.Duration) func(*seen) {
	return func(s *seen) {
		s.pods.Unsettled, s.pods.Created = true, noon.Add(-age)
		s.claim.Status.Conditions = slices.DeleteFunc(
			s.claim.Status.Conditions,
			func(c metav1.Condition) bool { return c.Type == karpenterv1.ConditionConsolidatable },
		)
	}
}

func launching(s *seen) { s.pods.Stage = shape.Launching; s.claim.Status.Conditions = nil }

func TestMoves(t *testing.T) {
	t.Parallel()
	graceful := func(s *seen) {
		s.claim.Spec.TerminationGracePeriod = &metav1.Duration{Duration: time.Minute}
	}
	whenEmpty := func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}
	cases := map[string]struct {
		why   string
		fleet *fleet
		want  []string
	}{
		"NothingToGain": {
			"Full nodes stay.",
			newFleet().node("a", 4, []int{4}).node("b", 4, []int{4}),
			[]string{"keep a Underutilized", "keep b Underutilized"},
		},
		"FitsElsewhere": {
			"Two half-full nodes: one goes, and then the other is needed.",
			newFleet().node("a", 4, []int{2}).node("b", 4, []int{2}),
			[]string{"reserve a Underutilized", "keep b Underutilized"},
		},
		"StuckLaunch": {
			"A claim whose machine does not come holds up no other node.",
			newFleet().node("a", 4, []int{2}).node("b", 4, []int{2}).node("c", 8, []int{8}, launching),
			[]string{"reserve a Underutilized", "keep b Underutilized"},
		},
		"StuckReplacement": {
			"One drifted node waits for a machine that does not come, and another node goes.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute)).
				node("b", 4, nil, launching).
				node("c", 4, []int{4}, drifted),
			[]string{"reserve c Drifted"},
		},
		"CheaperOne": {
			"A pod on a machine twice its size moves to a cheaper one.",
			newFleet().node("a", 8, []int{3}),
			[]string{"reserve a Underutilized"},
		},
		"PolicyWhenEmpty": {
			"Only empty nodes go, and those are not moves.",
			newFleet(whenEmpty).node("a", 4, []int{2}).node("b", 4, []int{2}),
			nil,
		},
		"Budget": {
			"The budget allows none.",
			newFleet(
				func(p *karpenterv1.NodePool) { p.Spec.Disruption.Budgets[0].Nodes = "0" },
			).node("a", 4, []int{2}, drifted).
				node("b", 4, []int{2}),
			[]string{"keep a Underutilized", "keep b Underutilized"},
		},
		"Guarded": {
			"A PodDisruptionBudget would stop the drain half way, so it is not begun.",
			newFleet(whenEmpty).node("a", 4, []int{2}, drifted).budget("a"),
			[]string{"keep a Drifted"},
		},
		"GuardedForATime": {
			"terminationGracePeriod bounds the drain of a drifted node, so its budget does not hold it.",
			newFleet(whenEmpty).node("a", 4, []int{2}, drifted, graceful).budget("a"),
			[]string{"reserve a Drifted"},
		},
		"Expected": {
			"A pod is on its way to the node.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{2}, drifted, func(s *seen) { s.pods.Pods[0].ID = "default/unbound" }),
			[]string{"keep a Drifted"},
		},
		"Drifted": {
			"A drifted node goes though its pods need a new one.",
			newFleet(whenEmpty).node("a", 4, []int{4}, drifted),
			[]string{"reserve a Drifted"},
		},
		"Settling": {
			"A pod may be bound just now: first the taint settles.",
			newFleet(whenEmpty).node("a", 4, []int{4}, drifted, marked("Drifted", time.Second)),
			nil,
		},
		"TaintLost": {
			"A crash came between mark and taint: the node is tainted before anything else.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute),
				func(s *seen) { s.node.Spec.Taints = nil }).
				node("b", 4, nil),
			[]string{"fence a Drifted"},
		},
		"OpensFirst": {
			"The replacement is opened before a pod moves.",
			newFleet(whenEmpty).node("a", 4, []int{4}, drifted, marked("Drifted", 3*time.Second)),
			[]string{"open c4 for a"},
		},
		"WaitsForIt": {
			"The replacement is on its way.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute)).
				node("b", 4, nil, launching),
			nil,
		},
		"ThenGoes": {
			"The replacement is ready: the node goes.",
			newFleet(whenEmpty).node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute)).node("b", 4, nil),
			[]string{"remove a Drifted"},
		},
		"FreshReplacement": {
			"What was opened for the move takes its pods, though it is inside consolidateAfter.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute)).
				node("b", 4, nil, unsettled(30*time.Second)),
			[]string{"remove a Drifted"},
		},
		"Unsettled": {
			"A node inside consolidateAfter stays, and takes pods of one that goes.",
			newFleet().node("a", 4, []int{2}).node("b", 4, []int{1}, unsettled(time.Hour)),
			[]string{"reserve a Underutilized"},
		},
		"EmptyUnsettled": {
			"A node that is about to go since it is empty takes no pods that would keep it.",
			newFleet().node("a", 4, []int{4}).node("b", 4, nil, unsettled(time.Hour)),
			[]string{"keep a Underutilized"},
		},
		"GivesUp": {
			"A replacement that does not come in time ends the move.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{4}, drifted, marked("Drifted", 11*time.Minute)).
				node("b", 4, nil, launching),
			[]string{"release a Drifted"},
		},
		"PoolDeleted": {
			"Its pool was deleted while the move was under way.",
			newFleet(
				whenEmpty,
			).node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute), func(s *seen) { s.pool = nil }).
				node("b", 4, nil),
			[]string{"remove a Drifted"},
		},
		"NoRoomAnywhere": {
			"Nothing that is sold holds the pod.",
			newFleet(whenEmpty).node("a", 9, []int{8}, drifted, func(s *seen) { s.pods.Pods[0].Class = 99 }),
			[]string{"keep a Drifted"},
		},
		"NoLongerSaves": {
			"Prices moved while the taint settled.",
			newFleet().node("a", 4, []int{4}, marked("Underutilized", 3*time.Second)),
			[]string{"release a Underutilized"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, tc.fleet.plan(nil, noon)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestAFailedMoveRestsLongerEachTime(t *testing.T) {
	t.Parallel()
	fresh := newMemory()
	m := &fresh
	late := newFleet(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}).
		node("a", 4, []int{4}, drifted, marked("Drifted", 11*time.Minute)).node("b", 4, nil, launching)
	again := newFleet(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}).
		node("a", 4, []int{4}, drifted)
	now := noon
	for _, rest := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute,
		10 * time.Minute, 10 * time.Minute} {
		if got := late.plan(m, now); len(got) != 1 || got[0] != "release a Drifted" {
			t.Fatalf("the move did not fail: %v", got)
		}
		if got := again.plan(m, now.Add(rest-time.Second)); got != nil {
			t.Errorf("after %s: %v, want rest", rest-time.Second, got)
		}
		now = now.Add(rest)
		if got := again.plan(m, now); len(got) != 1 {
			t.Errorf("after %s: %v, want another try", rest, got)
		}
	}
}

func TestANodeThatTakesPodsIsNotEmpty(t *testing.T) {
	t.Parallel()
	f := newFleet().node("a", 4, []int{4}, drifted, marked("Drifted", time.Second)).node("b", 4, nil)
	policy := engine.DefaultPolicy()
	m := newMemory()
	v := view{
		all:      f.all,
		snapshot: f.snap,
		podOf:    func(id shape.PodID) *corev1.Pod { return f.pods[id] },
		now:      noon,
		policy:   policy,
	}
	out := v.plan(&m)
	if _, wanted := out.wanted["b"]; !wanted {
		t.Fatalf("wanted %v, b is to take the pod of a", out.wanted)
	}
	if choices := v.decide(out).choices; len(choices) != 0 {
		t.Errorf("%d nodes are called empty, b is a replacement", len(choices))
	}
}

// TestAMoveEndsWithItsDrift has somebody take back what made a node drift, before it is gone.
func TestAMoveEndsWithItsDrift(t *testing.T) {
	t.Parallel()
	f := newFleet().node("a", 4, []int{4}, marked("Drifted", time.Minute))
	if diff := cmp.Diff([]string{"release a Drifted"}, f.plan(nil, noon)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestABudgetThatIsUsedUpForTheMomentIsWaitedFor has a drifted node whose pods share a PodDisruptionBudget with pods
// that are on their way from another node. What was opened for the node would stand idle if it were left alone for
// minutes.
func TestABudgetThatIsUsedUpForTheMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	chosen := marked("Drifted", time.Minute)
	cases := map[string]struct {
		why      string
		healthy  int32 // of three
		allowed  int32
		change   []func(*seen)
		want     []string
		againMax time.Duration
	}{
		"Passes": {"A pod elsewhere is not ready yet.", 2, 0, []func(*seen){drifted, chosen}, nil, settle},
		"Lasts": {
			"All are ready, and none may go: that is not a matter of time.",
			3,
			0,
			[]func(*seen){drifted, chosen},
			[]string{"release a Drifted"},
			time.Hour,
		},
		"TooLong": {
			"Ten minutes are enough.",
			2,
			0,
			[]func(*seen){drifted, marked("Drifted", 11*time.Minute)},
			[]string{"release a Drifted"},
			time.Hour,
		},
		"NotBegun": {
			"A node that is not chosen yet is looked at again soon.",
			2,
			0,
			[]func(*seen){drifted},
			nil,
			settle,
		},
		"NeverBegun": {"Or only after a while.", 3, 0, []func(*seen){drifted}, []string{"keep a Drifted"}, time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(func(p *karpenterv1.NodePool) {
				p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
			}).node("a", 4, []int{4}, tc.change...).node("b", 4, nil)
			f.budget("a")
			f.pdbs[0].Status = policyv1.PodDisruptionBudgetStatus{
				ExpectedPods:       3,
				CurrentHealthy:     tc.healthy,
				DisruptionsAllowed: tc.allowed,
			}
			m := newMemory()
			out := f.pass(&m, noon)
			if diff := cmp.Diff(tc.want, words(out)); diff != "" || out.again > tc.againMax {
				t.Errorf("%s\nagain in %s, want %s at most; -want +got\n%s", tc.why, out.again, tc.againMax, diff)
			}
		})
	}
}
