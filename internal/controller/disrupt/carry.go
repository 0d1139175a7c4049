package disrupt

import (
	"slices"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/backoff"
)

// carryOn takes a move that has begun one step further.
func (p *planner) carryOn(g group) {
	blocked := p.blocked(g, p.guards)
	if p.draining(g) {
		g.drained = p.now
	}
	passes := blocked != "" && g.held(p.now) <= moveLimit && p.blocked(g, p.guards.lasting()) == ""
	if late := p.now.Sub(g.drained) > moveLimit; blocked != "" && late && !passes {
		p.release(g, failedCheck, blocked)
		return
	} else if len(g.nodes) == 0 && late {
		p.release(g, failedMove, "")
		return
	}
	if g.mended() {
		p.release(g, failedCheck, over[g.reason])
		return
	}
	if g.first != "" {
		slots{p}.carryFirst(g, blocked)
		return
	}
	next := p.follow(g.course())
	p.want(next.Place)
	g.heed(next)
	if next.Why.Kind == refit.SavesTooLittle {
		p.release(g, failedCheck, "replacing it would no longer save anything")
		return
	} else if next.Why.Kind != "" {
		p.release(g, failedCheck, next.Why.Sentence())
		return
	}
	p.takeTurns(g)
	held := g.held(p.now)
	switch {
	case p.fence(g) || len(g.nodes) == 0:
	case blocked != "":
		p.soon(settle) // pods that were drained are on their way back
	case held < settle:
		p.soon(settle - held)
	case next.Ready():
		p.remove(g)
	case held > moveLimit:
		p.release(g, failedMove, "the nodes that replace it were not ready in time")
	case len(next.Open) > 0 && g.opens >= maxOpens(g.reason):
		p.release(g, failedMove, "the room on the nodes that replace it is gone")
	case len(next.Open) > 0:
		o := opening{nodes: next.Open, move: g.move, replaced: g.all()}
		p.out.open = append(p.out.open, o)
		p.soon(moveLimit - held)
	default:
		p.out.waiting = append(p.out.waiting, g.claims...)
		p.soon(moveLimit - held)
	}
}

// blocked says why one of the chosen nodes of a move must not go now, or nothing. That ends the move, unless some of
// its nodes have drained, or those of other moves: then what holds the rest may be no more than their pods, which are
// not ready again yet.
func (p *planner) blocked(g group, by guards) string {
	for _, s := range g.nodes {
		if why := s.obstacle(g.reason, p.podOf, by); why != "" {
			return why
		}
	}
	return ""
}

// draining reports whether any node of a move is on its way out.
func (p *planner) draining(g group) bool {
	return slices.ContainsFunc(p.all, func(s seen) bool {
		return !s.claim.DeletionTimestamp.IsZero() && slices.Contains(g.members, s.claim.UID)
	})
}

// fence taints those of a move's nodes that are chosen and have no taint, which a crash between the two writes leaves,
// and reports whether there are any.
func (p *planner) fence(g group) bool {
	bare := false
	for _, s := range g.nodes {
		if !tainted(s.node) {
			bare = true
			p.out.choices = append(
				p.out.choices,
				choice{seen: s, step: fence, why: because(g.reason), reason: g.reason},
			)
		}
	}
	return bare
}

// Nodes are opened so often for one move. Room that was opened may be taken by other pods before it is used; a drifted
// or sick node must go all the same, but not at the price of nodes without end. Consolidation opens once more if what
// is missing still costs less than what goes: what took the room would have needed other nodes.
const (
	mandatoryOpens = 6
	voluntaryOpens = 2
)

// maxOpens is how often nodes are opened for one move.
func maxOpens(reason karpenterv1.DisruptionReason) int {
	if mandatory(reason) {
		return mandatoryOpens
	}
	return voluntaryOpens
}

// remove gives up the move's nodes: all of them, or the next one when their pods stand in each other's way.
func (p *planner) remove(g group) {
	nodes := g.nodes
	if g.InTurn {
		if p.draining(g) {
			p.soon(time.Second)
			return
		}
		nodes = nodes[:1]
	}
	g.drained = p.now
	for _, s := range nodes {
		delete(p.memory.attempts, attemptOf(s, g.reason))
		if mandatory(g.reason) && s.pool != nil {
			delete(p.memory.pools, poolReason{s.pool.Name, g.reason})
		}
		c := choice{
			seen:     s,
			step:     remove,
			why:      s.because(g.reason),
			reason:   g.reason,
			replaced: g.opened,
			multi:    len(g.members) > 1,
			first:    g.first,
		}
		if g.first != "" {
			c.nodes = slots{p}.ready(g.first)
		}
		if g.reason == karpenterv1.DisruptionReasonUnhealthy {
			c.bound = s.bound(g.reason)
		}
		p.out.choices = append(p.out.choices, c)
	}
}

// surge marks the nodes that were opened for moves, as many as nodes of the move are still there. A restart forgets
// which they were; they then count like any other node.
func (m *memory) surge(all []seen) {
	still := map[*move]int{}
	for _, s := range all {
		if of := m.moves[s.claim.UID]; of != nil {
			still[of]++
		}
	}
	opened := map[string]*move{}
	for of := range still {
		for _, claim := range of.claims {
			opened[claim] = of
		}
	}
	for i := range all {
		if of := opened[all[i].claim.Name]; of != nil && still[of] > 0 {
			still[of]--
			all[i].surge = true
		}
	}
}

// mended reports whether the mandatory reason has ended for which a move's nodes were to go.
func (g group) mended() bool {
	return mandatory(g.reason) && !slices.ContainsFunc(g.nodes, func(s seen) bool { return s.stands(g.reason) })
}

// over is why a node stays whose mandatory reason to go has ended.
var over = map[karpenterv1.DisruptionReason]string{
	karpenterv1.DisruptionReasonDrifted:   "it has not drifted any more",
	karpenterv1.DisruptionReasonUnhealthy: "it is healthy again",
}

// failure is at which stage a move failed.
type failure uint8

const (
	notFailed   failure = iota
	failedCheck         // it no longer holds
	failedMove          // its replacements did not come
)

// release gives a move up for now.
func (p *planner) release(g group, how failure, why string) {
	for _, s := range g.all() {
		at := attemptOf(s, g.reason)
		p.memory.attempts[at] = p.memory.attempts[at].Fail(p.now, retry)
		delete(p.memory.moves, s.claim.UID)
	}
	for _, s := range g.nodes {
		p.out.choices = append(
			p.out.choices,
			choice{
				seen:     s,
				step:     release,
				why:      why,
				reason:   g.reason,
				replaced: g.opened,
				multi:    len(g.members) > 1,
				failed:   how,
			},
		)
	}
	if mandatory(g.reason) && how == failedMove && g.nodes[0].pool != nil {
		replacer{p}.restPool(g.nodes[0], g.reason)
	}
}

// over reports whether a rest is, and comes back when it is.
func (p *planner) over(r backoff.Rest) bool {
	left := r.Left(p.now)
	if left > 0 {
		p.soon(left)
	}
	return left == 0
}

// heed notes where a plan has the move's pods go, but for those that need nodes which are yet to be opened, and whether
// its nodes go one after the other: a restart forgets that.
func (m *move) heed(o refit.Outlook) {
	m.InTurn = m.InTurn || o.InTurn
	for pod, home := range o.Homes {
		m.settle(pod, home)
	}
}

// boarded notes which pods go to a claim that was opened for one of the nodes of a plan.
func (m *move) boarded(nodes []engine.NewNode, id, claim string) {
	for _, n := range nodes {
		if n.ID == id {
			for _, pod := range n.Pods {
				m.settle(pod, claim)
			}
		}
	}
}
