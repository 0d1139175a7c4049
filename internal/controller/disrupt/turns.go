package disrupt

import (
	"slices"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
)

// waits reports whether a node belongs to a move that has begun, and budgets did not let it go yet. It carries neither
// mark nor taint, so it counts against no budget.

func (p *planner) waits(s seen) bool {
	m := p.memory.moves[s.claim.UID]
	return m != nil && m.reason == karpenterv1.DisruptionReasonUnderutilized && s.movable()
}

// takeTurns chooses those of a move's waiting nodes that budgets let go now. What holds one of them for the moment does
// not end the move.
func (p *planner) takeTurns(g group) {
	for _, s := range g.later {
		busy := g.reason == karpenterv1.DisruptionReasonUnderutilized && !candidate(s)
		if busy || s.obstacle(g.reason, p.podOf, p.guards) != "" || !p.allowed(s, g.reason, false) {
			if g.InTurn {
				return
			}
			continue
		}
		p.allowed(s, g.reason, true)
		p.out.choices = append(p.out.choices, choice{
			seen:     s,
			step:     reserve,
			why:      g.why,
			reason:   g.reason,
			multi:    len(g.members) > 1,
			replaced: g.opened,
			score:    g.score(s.pool.Name),
		})
		p.soon(settle)
	}
}

// score is the move's for a pool, 0 if it has none.
func (m *move) score(pool string) float64 {
	k := slices.IndexFunc(m.Scores, func(s refit.Score) bool { return s.Pool == pool })
	if k < 0 {
		return 0
	}
	return m.Scores[k].Value
}

// unbegun forgets a move none of whose nodes could be chosen.
func (p *planner) unbegun(g group) bool {
	if len(g.nodes) > 0 || !g.drained.IsZero() {
		return false
	}
	for _, s := range g.later {
		delete(p.memory.moves, s.claim.UID)
	}
	return true
}
