package disrupt

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func (f *fleet) foresee() Outlook {
	c := Cluster{
		Snapshot: f.snap, Budgets: f.pdbs, Pod: func(id shape.PodID) *corev1.Pod { return f.pods[id] },
		Now: noon, Policy: engine.DefaultPolicy(), Rules: Rules{MinSaving: 0.05, Payback: f.payback},
	}
	c.Policy.Effort = 0
	c.Pools = []karpenterv1.NodePool{*f.pool}
	for _, s := range f.all {
		claim := *s.claim
		claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: f.pool.Name}
		claim.Status.NodeName = s.node.Name
		c.Claims = append(c.Claims, claim)
		c.Nodes = append(c.Nodes, *s.node)
	}
	return Foresee(c)
}

// What is foreseen is what a pass begins: the same nodes are chosen, and the same stay.
func TestForeseeIsAPass(t *testing.T) {
	t.Parallel()
	budget := func(nodes string) func(*karpenterv1.NodePool) {
		return func(p *karpenterv1.NodePool) { p.Spec.Disruption.Budgets[0].Nodes = nodes }
	}
	for name, f := range map[string]*fleet{
		"FitsElsewhere": newFleet().node("a", 4, []int{2}).node("b", 4, []int{2}),
		"Cheaper":       newFleet().node("a", 8, []int{3}),
		"Full":          newFleet().node("a", 4, []int{4}).node("b", 4, []int{4}),
		"Empty":         newFleet().node("a", 4, nil).node("b", 4, []int{4}),
		"Drifted":       newFleet().node("a", 4, []int{4}, drifted).node("b", 4, nil),
		"Budget": newFleet(budget("1")).node("a", 4, []int{1}).node("b", 4, []int{1}).node("c", 4,
			[]int{2}).node("d", 4, nil).node("e", 4, nil),
		"None":    newFleet(budget("0")).node("a", 4, []int{2}, drifted).node("b", 4, []int{2}).node("c", 4, nil),
		"Guarded": newFleet().node("a", 4, []int{2}).node("b", 4, []int{2}).budget("a"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			first := f.pass(&m, noon)
			policy := engine.DefaultPolicy()
			empties := view{
				all:      f.all,
				snapshot: f.snap,
				guards:   compileGuards(f.pdbs, nil),
				podOf:    func(id shape.PodID) *corev1.Pod { return f.pods[id] },
				now:      noon,
				policy:   policy,
			}.decide(
				first,
			)
			var want, got []string
			for _, line := range append(words(first), words(empties)...) {
				if verb, rest, _ := strings.Cut(line, " "); verb == "reserve" {
					want = append(want, rest)
				}
			}
			seen := f.foresee()
			explained := map[string]bool{}
			for _, d := range seen.Go {
				for _, node := range slices.Concat(d.Now, d.Later) {
					explained[node] = true
				}
				for _, node := range d.Now {
					got = append(got, node+" "+string(d.Reason))
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("chosen -want +got\n%s", diff)
			}
			for _, s := range seen.Stay {
				explained[s.Node] = true
			}
			for _, s := range f.all {
				if !explained[s.node.Name] {
					t.Errorf("nothing is said of node %s: %+v", s.node.Name, seen)
				}
			}
		})
	}
}

// A move that opens nodes says which, also for a drifted node.
func TestForeseeTellsWhatIsOpened(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*fleet{"Cheaper": newFleet().node("a", 8, []int{3}),
		"Drifted": newFleet().node("a", 8, []int{4}, drifted)} {
		out := f.foresee()
		if len(out.Go) != 1 || len(out.Go[0].Move.Open) != 1 || out.Go[0].Move.Open[0].Options[0].Type != "c4" {
			t.Errorf("%s: %+v, want a c4 to be opened", name, out.Go)
		}
	}
}
