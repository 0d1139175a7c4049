package oracle

import (
	"context"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// otherOptions replays the placements on new nodes that come up as any of their options.
func (t *trial) otherOptions(ctx context.Context, d sample.Dice) []Disagreement {
	picks := map[string]int{}
	for _, n := range t.decision.Open {
		picks[n.ID] = d.IntN(len(n.Options))
	}
	out := t.replay(ctx, d, RefusedOption, func(n engine.NewNode) int { return picks[n.ID] })
	if len(out) == 0 {
		return nil
	}
	for _, n := range t.decision.Open {
		if t.held(n) {
			picks[n.ID] = 0
		}
	}
	if len(t.replay(ctx, d, RefusedOption, func(n engine.NewNode) int { return picks[n.ID] })) == 0 {
		for i := range out {
			out[i].Kind = HeldOption
		}
	}
	return out
}

// held reports whether a launch keeps options in other domains than planned only because there would be too few
// instance types without them. The domains are those over which pending pods spread.
func (t *trial) held(n engine.NewNode) bool {
	planned := t.cluster.launched(n, n.Options[0]).node.Labels
	types := map[string]bool{}
	for _, o := range n.Options {
		labels := t.cluster.launched(n, o).node.Labels
		if !slices.ContainsFunc(t.spreadKeys(), func(key string) bool { return labels[key] != planned[key] }) {
			types[o.Type] = true
		}
	}
	return len(types) < t.cluster.minValues(n.Pool)
}

// spreadKeys are the labels over which pending pods must spread.
func (t *trial) spreadKeys() []string {
	var out []string
	for _, pod := range t.pods {
		for _, c := range pod.Spec.TopologySpreadConstraints {
			if c.WhenUnsatisfiable == corev1.DoNotSchedule && c.TopologyKey != shape.LabelHostname &&
				!slices.Contains(out, c.TopologyKey) {
				out = append(out, c.TopologyKey)
			}
		}
	}
	return out
}

// narrows reports whether a pod that is let on a new node would be on too few of its options for the pool's minValues.
func (t *trial) narrows(ctx context.Context, pod *corev1.Pod, node string) bool {
	at := slices.IndexFunc(t.decision.Open, func(n engine.NewNode) bool { return "new-"+n.ID == node })
	if at < 0 {
		return false
	}
	n := t.decision.Open[at]
	before := t.scheduler.board
	defer func() { t.scheduler.board = before }()
	types := map[string]bool{}
	for _, o := range n.Options {
		machines := before.machines()
		i := slices.IndexFunc(machines, func(m machine) bool { return m.node.Name == node })
		placed := machines[i].pods[daemonsOf(machines[i]):]
		machines[i] = t.cluster.launched(n, o)
		machines[i].pods = append(slices.Clone(machines[i].pods), placed...)
		t.scheduler.board = newBoard(machines)
		t.scheduler.board.claims = before.claims
		if plugin, _ := t.scheduler.attempt(ctx, pod).refusal(t.scheduler.board.byName[node]); plugin == "" {
			types[o.Type] = true
		}
	}
	return len(types) < t.cluster.minValues(n.Pool)
}
