package disrupt

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// Turn is how soon a node is to go.
type Turn int

// Turns, the later ones sooner.
const (
	Stays   Turn = iota // as far as anybody can say
	Spare               // consolidation may give it up, and has not found how
	Drifted             // it is to be replaced when its turn comes
	Planned             // a move gives it up that waits for its budget, for its replacements or for other moves
	Going               // it is being given up
)

// Standing is what a pass knows of one node.
type Standing struct {
	Node string
	Pool string
	Turn Turn

	// Saving is the node's price for each thousandth of an ordinary pod's eviction that its end would take, in
	// micro-dollars an hour; for Spare nodes only.
	Saving float64
}

// report tells what is known of every managed node; to may be nil.
func (v view) report(to func([]Standing), m *memory, found moves) {
	if to != nil {
		to(v.standings(m, found))
	}
}

// standings say of every managed node when its turn is.
func (v view) standings(m *memory, found moves) []Standing {
	chosen := map[string]bool{}
	if found.found != nil {
		for _, move := range found.found.Moves {
			for _, node := range move.Remove {
				chosen[node] = true
			}
		}
	}
	out := make([]Standing, 0, len(v.all))
	for _, s := range v.all {
		if s.node == nil || s.pool == nil {
			continue
		}
		standing := Standing{Node: s.node.Name, Pool: s.pool.Name}
		switch {
		case s.going():
			standing.Turn = Going
		case m.moves[s.claim.UID] != nil || chosen[s.node.Name]:
			standing.Turn = Planned
		case !s.movable():
		case isDrifted(s):
			standing.Turn = Drifted
		case s.spare(v.podOf, v.guards):
			standing.Turn, standing.Saving = Spare, saving(s.pods)
		}
		out = append(out, standing)
	}
	return out
}

func (s seen) going() bool {
	return !s.claim.DeletionTimestamp.IsZero() || !s.node.DeletionTimestamp.IsZero() || tainted(s.node) ||
		markOf(s.claim) != "" && !nodehealth.Rebooting(s.claim) // a node that boots comes back
}

// spare reports whether consolidation may give a movable node up now, if only its pods were fewer.
func (s seen) spare(podOf func(shape.PodID) *corev1.Pod, g guards) bool {
	return consolidates(s.pool) && condition.IsTrue(s.claim, karpenterv1.ConditionConsolidatable) &&
		s.pods.Price > 0 &&
		s.obstacle(karpenterv1.DisruptionReasonUnderutilized, podOf, g) == ""
}

// saving is Standing's: a node that costs much and holds little is worth most.
func saving(node *shape.Node) float64 {
	cost := float64(1)
	for _, p := range node.Pods {
		if p.Role == shape.Movable {
			cost += float64(max(p.EvictionCost, 0))
		}
	}
	return float64(node.Price) / cost
}
