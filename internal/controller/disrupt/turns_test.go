package disrupt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// allow sets the pool's budget.
func (f *fleet) allow(nodes string) *fleet {
	f.pool.Spec.Disruption.Budgets[0].Nodes = nodes
	return f
}

// rehearsal carries out what passes decide: new nodes are ready in the next pass, drained ones are gone in the one
// after it.
type rehearsal struct {
	*fleet
	memory memory
	now    time.Time
	log    []string
	bought int
	most   int // nodes that went at once
	// dies has the controller die before a pass, and another one begin that knows nothing.
	dies func(now time.Duration) bool
}

func rehearse(f *fleet) *rehearsal { return &rehearsal{fleet: f, memory: newMemory(), now: noon} }

// until makes a pass every five seconds for a time, and returns what was done, each with its time.
func (r *rehearsal) until(t *testing.T, end time.Duration) []string {
	t.Helper()
	for ; r.now.Before(noon.Add(end)); r.now = r.now.Add(5 * time.Second) {
		r.leave()
		for i := range r.all {
			if s := &r.all[i]; s.pods.Unwelcome && r.now.Sub(s.pods.Created) > time.Minute {
				s.pods.Unwelcome = false
			}
		}
		r.snap.Now = r.now
		r.snap.Revision++
		if r.dies != nil && r.dies(r.now.Sub(noon)) {
			r.memory = newMemory()
		}
		r.memory.forget(r.all)
		r.memory.surge(r.all)
		out := r.pass(&r.memory, r.now)
		for _, word := range words(out) {
			if !strings.HasPrefix(word, "keep") {
				r.log = append(
					r.log,
					fmt.Sprintf("%s %s", r.now.Sub(noon), strings.TrimSuffix(word, " Underutilized")),
				)
			}
		}
		for _, n := range out.notes {
			r.write(n)
		}
		for _, c := range out.choices {
			r.act(t, c)
		}
		for _, o := range out.open {
			r.launch(o)
			for _, s := range o.replaced {
				r.write(note{s.claim, o.move.noteOf(s)})
			}
		}
		r.most = max(r.most, r.going())
	}
	return r.log
}

// write writes what a move is on a claim.
func (r *rehearsal) write(n note) {
	n.claim.Annotations = map[string]string{AnnotationMove: n.text}
	if n.text == "" {
		n.claim.Annotations = nil
	}
}

func (r *rehearsal) going() (n int) {
	for _, s := range r.all {
		if tainted(s.node) || !s.claim.DeletionTimestamp.IsZero() {
			n++
		}
	}
	return n
}

func (r *rehearsal) act(t *testing.T, c choice) {
	t.Helper()
	s := &r.all[slices.IndexFunc(r.all, func(s seen) bool { return s.claim.Name == c.claim.Name })]
	switch c.step {
	case reserve:
		marked(string(c.reason), noon.Sub(r.now))(s)
	case release:
		s.node.Spec.Taints = nil
		s.claim.Status.Conditions = s.claim.Status.Conditions[:2]
	case remove:
		s.claim.DeletionTimestamp = &metav1.Time{Time: r.now}
		homes := r.memory.moves[s.claim.UID].homes
		for _, pod := range s.pods.Pods {
			home := slices.IndexFunc(r.all, func(s seen) bool { return s.claim.Name == homes[pod.ID] })
			if home < 0 {
				t.Fatalf("%s is drained, and pod %s has no place", c.claim.Name, pod.ID)
			}
			r.all[home].pods.Pods = append(r.all[home].pods.Pods, pod)
		}
		s.pods.Pods = nil
	}
}

// leave drops the nodes that were drained in the pass before.
func (r *rehearsal) leave() {
	r.all = slices.DeleteFunc(slices.Clone(r.all), func(s seen) bool {
		return !s.claim.DeletionTimestamp.IsZero() && r.now.Sub(s.claim.DeletionTimestamp.Time) > 5*time.Second
	})
	r.snap.Nodes = nil
	for _, s := range r.all {
		r.snap.Nodes = append(r.snap.Nodes, s.pods)
	}
	slices.SortFunc(r.snap.Nodes, func(a, b *shape.Node) int { return strings.Compare(a.Name, b.Name) })
}

func (r *rehearsal) launch(o opening) {
	for _, n := range o.nodes {
		r.bought++
		name := fmt.Sprintf("new-%d", r.bought)
		var cores int64
		for _, it := range r.snap.Types {
			if it.Name == n.Options[0].Type {
				cores = it.Capacity.CPU / 1000
			}
		}
		r.node(name, cores, nil, unsettled(noon.Sub(r.now)), func(s *seen) { s.pods.Price = n.Price })
		o.move.claims = append(o.move.claims, name)
		o.move.boarded(o.nodes, n.ID, name)
	}
}

func (r *rehearsal) names() string {
	var out []string
	for _, n := range r.snap.Nodes {
		out = append(out, n.Name)
	}
	return strings.Join(out, " ")
}

func TestAMoveTakesTurnsUnderABudget(t *testing.T) {
	t.Parallel()
	r := rehearse(three().allow("1"))
	want := []string{
		"0s reserve a", "5s open c16 for a", "10s remove a",
		"20s reserve b", "25s remove b",
		"35s reserve c", "40s remove c",
	}
	if diff := cmp.Diff(want, r.until(t, 10*time.Minute)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if r.most > 1 || r.names() != "new-1" {
		t.Errorf("%d nodes went at once, %s are left", r.most, r.names())
	}
}

func TestTurnsOfAMove(t *testing.T) {
	t.Parallel()
	first := []string{"0s reserve a", "5s open c16 for a", "10s remove a"}
	cases := map[string]struct {
		why    string
		after  time.Duration // something happens
		change func(*rehearsal)
		want   []string // beyond the first turn
		left   string
	}{
		"PodsOfTheLastTurnAreNotReadyYet": {
			"Their PodDisruptionBudget allows no eviction for two minutes, and then the move goes on.",
			15 * time.Second,
			func(r *rehearsal) {
				r.budget("b").budget("c")
				r.pdbs[1].Name = "second"
			},
			[]string{"2m0s reserve b", "2m5s remove b", "2m15s reserve c", "2m20s remove c"},
			"new-1",
		},
		"AfterARestart": {
			"The move is written on its claims, and goes on as if nothing had been.",
			15 * time.Second,
			func(r *rehearsal) { r.memory = newMemory() },
			[]string{"20s reserve b", "25s remove b", "35s reserve c", "40s remove c"},
			"new-1",
		},
		"ANodeThatWaitsLosesItsPod": {
			"Emptiness sees to it, and the others go on.", 15 * time.Second,
			func(r *rehearsal) { r.all[1].pods.Pods = nil }, []string{"20s reserve c", "25s remove c"}, "b new-1",
		},
		"ANodeThatWaitsMustStay": {
			"The others go; the new node is cheaper than they were.",
			15 * time.Second,
			func(r *rehearsal) { r.all[1].pods.Kept = "it must stay" },
			[]string{"20s reserve c", "25s remove c"},
			"b new-1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rehearse(three().allow("1"))
			r.until(t, tc.after)
			tc.change(r)
			r.until(t, 2*time.Minute)
			r.pdbs = nil
			got := r.until(t, 5*time.Minute)
			if diff := cmp.Diff(slices.Concat(first, tc.want), got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
			if r.names() != tc.left || r.most > 1 {
				t.Errorf("%s are left, want %s; %d nodes went at once", r.names(), tc.left, r.most)
			}
		})
	}
}

// A budget that closes while a move is under way ends it after ten minutes: nothing holds the room that was bought any
// more.
func TestAMoveDoesNotWaitForItsTurnForever(t *testing.T) {
	t.Parallel()
	r := rehearse(three().allow("1"))
	r.until(t, 15*time.Second)
	r.allow("0")
	done := slices.Clone(r.until(t, 10*time.Minute))
	if waiting := slices.Sorted(maps.Keys(r.memory.moves)); len(waiting) != 2 {
		t.Errorf("after ten minutes %v wait, want b and c", waiting)
	}
	if got := r.until(t, 11*time.Minute); len(r.memory.moves) > 0 || !slices.Equal(got, done) {
		t.Errorf("after eleven minutes %v wait, and %v", r.memory.moves, got)
	}
}

// TestAControllerMayDieAtAnyPassOfAMove lets the controller die before random passes: whoever takes over carries the
// same moves on, does the same things and no more, and comes to the same end.
func TestAControllerMayDieAtAnyPassOfAMove(t *testing.T) {
	t.Parallel()
	fleets := map[string]func() *fleet{
		"InTurns":  func() *fleet { return three().allow("1") },
		"AtOnce":   func() *fleet { return three() },
		"TwoMoves": func() *fleet { return three().allow("2").sell("c3", 3, 2).node("d", 4, []int{3}) },
		"Drifted": func() *fleet {
			return newFleet(func(p *karpenterv1.NodePool) {
				p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
			}).
				node("a", 4, []int{4}, drifted).node("b", 4, []int{4}, drifted).allow("1")
		},
	}
	for name, build := range fleets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm := rehearse(build())
			want := calm.until(t, 2*time.Minute)
			if len(want) < 4 {
				t.Fatalf("only %v: nothing is tried", want)
			}
			rapid.Check(t, func(rt *rapid.T) {
				dead := map[time.Duration]bool{}
				for _, at := range rapid.SliceOf(rapid.IntRange(1, 24)).Draw(rt, "deaths") {
					dead[time.Duration(at)*5*time.Second] = true
				}
				r := rehearse(build())
				r.dies = func(now time.Duration) bool { return dead[now] }
				got := r.until(t, 2*time.Minute)
				if diff := cmp.Diff(untimed(want), untimed(got)); diff != "" || r.bought != calm.bought ||
					r.names() != calm.names() {
					rt.Fatalf(
						"%d nodes were bought, want %d; %s are left, want %s\n-want +got\n%s",
						r.bought,
						calm.bought,
						r.names(),
						calm.names(),
						diff,
					)
				}
			})
		})
	}
}

// untimed is what was done, whenever it was: a search comes sooner or later after a restart.
func untimed(log []string) (out []string) {
	for _, line := range log {
		_, what, _ := strings.Cut(line, " ")
		out = append(out, what)
	}
	slices.Sort(out)
	return out
}

// TestStepChangesNothing decides twice by the same: both times the same comes of it, and neither the memory nor what
// was seen is another one afterwards.
func TestStepChangesNothing(t *testing.T) {
	t.Parallel()
	r := rehearse(three().allow("1"))
	r.until(t, 20*time.Second) // a move is under way
	r.leave()
	before, claims := fmt.Sprintf("%+v", *r.memory.moves["b"]), len(r.memory.moves)
	v := view{
		all:      r.all,
		snapshot: r.snap,
		podOf:    func(id shape.PodID) *corev1.Pod { return r.pods[id] },
		now:      r.now,
		policy:   engine.DefaultPolicy(),
		rules:    Rules{MinSaving: 0.05},
	}
	first, then := Step(v, r.memory)
	second, again := Step(v, r.memory)
	if diff := cmp.Diff(words(first), words(second)); diff != "" {
		t.Errorf("two answers: -first +second\n%s", diff)
	}
	if len(words(first)) == 0 {
		t.Error("nothing is decided: nothing is tried")
	}
	if now := fmt.Sprintf("%+v", *r.memory.moves["b"]); now != before || len(r.memory.moves) != claims {
		t.Errorf("the move was %s and is %s", before, now)
	}
	if then.moves["b"] == r.memory.moves["b"] || len(then.moves) != len(again.moves) {
		t.Error("what comes of it shares moves with what there was")
	}
}
