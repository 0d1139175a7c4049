package disrupt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// allow sets the pool's budget.
func (f *fleet) allow(nodes string) *fleet {
	f.pool.Spec.Disruption.Budgets[0].Nodes = nodes
	return f
}

// rehearsal carries out what passes decide: new nodes are ready in the next pass, drained ones are gone in the one after it.
type rehearsal struct {
	*fleet
	memory memory
	now    time.Time
	log    []string
	bought int
	most   int // nodes that went at once
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
		r.memory.forget(r.all)
		r.memory.surge(r.all)
		out := r.pass(&r.memory, r.now)
		for _, word := range words(out) {
			if !strings.HasPrefix(word, "keep") {
				r.log = append(r.log, fmt.Sprintf("%s %s", r.now.Sub(noon), strings.TrimSuffix(word, " Underutilized")))
			}
		}
		for _, c := range out.choices {
			r.act(t, c)
		}
		for _, o := range out.open {
			r.launch(o)
		}
		r.most = max(r.most, r.going())
	}
	return r.log
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
			"Their PodDisruptionBudget allows no eviction for two minutes, and then the move goes on.", 15 * time.Second,
			func(r *rehearsal) {
				r.budget("b").budget("c")
				r.pdbs[1].Name = "second"
			}, []string{"2m0s reserve b", "2m5s remove b", "2m15s reserve c", "2m20s remove c"}, "new-1",
		},
		"AfterARestart": {
			"Nobody knows of the move any more. The new node has pods and room, and the others go one by one.", 15 * time.Second,
			func(r *rehearsal) { r.memory = newMemory() }, []string{"25s reserve b", "30s remove b", "45s reserve c", "50s remove c"}, "new-1",
		},
		"ANodeThatWaitsLosesItsPod": {
			"Emptiness sees to it, and the others go on.", 15 * time.Second,
			func(r *rehearsal) { r.all[1].pods.Pods = nil }, []string{"20s reserve c", "25s remove c"}, "b new-1",
		},
		"ANodeThatWaitsMustStay": {
			"The others go; the new node is cheaper than they were.", 15 * time.Second,
			func(r *rehearsal) { r.all[1].pods.Kept = "it must stay" }, []string{"20s reserve c", "25s remove c"}, "b new-1",
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

// A budget that closes while a move is under way ends it after ten minutes: nothing holds the room that was bought any more.
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
