package oracle

import (
	"flag"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

var admissions = flag.Int("admissions", 2_000, "how many pods that are bound at once to check")

// TestTheSchedulerWouldBindWhatIsBound asks which pods may be bound to nodes at random, and then kube-scheduler's
// filters about each of them at the moment when it would be.
func TestTheSchedulerWouldBindWhatIsBound(t *testing.T) {
	t.Parallel()
	s, err := newScheduler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, shy, clusters, wrong := 0, 0, 0, 0
	for seed := *firstSeed; now < *admissions && wrong < 3 && t.Context().Err() == nil; seed++ {
		c := newCluster(t.Context(), s, seed)
		c.machines = slices.DeleteFunc(c.machines, func(m machine) bool { return m.claim != nil || m.leaving })
		snapshot, _ := translate.Snapshot(c.objects(), noon) // what cannot be translated is refused
		want := asked(snapshot, sample.NewDice(seed))
		if len(want) == 0 {
			continue
		}
		clusters++
		pods := map[shape.PodID]*corev1.Pod{}
		for _, p := range c.pending {
			pods[translate.IDOf(p)] = p
		}
		s.board = newBoard(c.machines)
		answer := engine.Admit(snapshot, want)
		for _, p := range answer.Now {
			node := s.board.byName[p.Node]
			if plugin, why := s.attempt(t.Context(), pods[p.Pod]).refusal(node); plugin != "" {
				t.Errorf("seed %d: %s would be bound to %s as number %d, and %s says no: %s", seed, p.Pod, p.Node,
					now, plugin, why)
				wrong++
				break
			}
			bound := pods[p.Pod].DeepCopy()
			bound.Spec.NodeName = p.Node
			s.board.seat(bound, node)
			now++
		}
		for _, p := range slices.Concat(answer.Later, answer.Never) {
			if plugin, _ := s.attempt(t.Context(), pods[p.Pod]).refusal(s.board.byName[p.Node]); plugin == "" {
				shy++
			}
		}
	}
	t.Logf("%d clusters, %d bindings, %d pods not bound that the filters would let in", clusters, now, shy)
	if shy > 0 {
		t.Errorf("the filters would let %d pods in that are not bound", shy)
	}
}

// asked puts those pods of a snapshot that may be bound at all onto its nodes at random.
func asked(s shape.Snapshot, d sample.Dice) (want []engine.Placement) {
	if len(s.Nodes) == 0 {
		return nil
	}
	for _, p := range s.Pods {
		if c := s.Classes[p.Class]; p.From == "" && c.Refused == "" && len(c.Bindings) == 0 {
			want = append(want, engine.Placement{Pod: p.ID, Node: sample.Pick(d, s.Nodes...).Name})
		}
	}
	return want
}
