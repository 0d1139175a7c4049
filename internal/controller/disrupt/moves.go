package disrupt

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

const (
	// moveLimit is how long a node may wait for the nodes that replace it. Karpenter's figure.
	moveLimit = 10 * time.Minute

	// retryFirst and retryLast bound how long a node is left alone after a move of it failed; the time doubles.
	retryFirst, retryLast = time.Minute, 10 * time.Minute

	// maxForesights bounds the what-if plans of one pass. What is left is looked at in the next.
	maxForesights = 40

	// sweepEvery is how often the fleet is searched for nodes to consolidate.
	sweepEvery = 10 * time.Second
)

// view is all that the moves of one pass are decided from.
type view struct {
	all      []seen // as sorted by decide
	snapshot shape.Snapshot
	budgets  []policyv1.PodDisruptionBudget
	podOf    func(shape.PodID) *corev1.Pod
	now      time.Time
	policy   engine.Policy
	rules    Rules
}

// Rules say which moves are worth it.
type Rules struct {
	// SpotToSpot allows to replace spot nodes by cheaper spot nodes.
	SpotToSpot bool
	// MinSaving is the least share of a node's price that replacing it must save, 0 to 1.
	MinSaving float64
}

// memory is what is kept from one pass to the next. To lose it costs a few what-ifs.
type memory struct {
	attempts map[types.UID]attempt
	from     string    // the candidate at which the next sweep begins
	swept    time.Time // when the last sweep was
}

// attempt is a move that failed, or that opened nodes.
type attempt struct {
	failures int
	notUntil time.Time
	opened   bool // in the present try
}

// moves is what a pass decides beyond emptiness.
type moves struct {
	choices []choice
	open    []opening
	wanted  map[string]struct{} // nodes that take pods of nodes that go: they are not empty
	again   time.Duration
}

// chose reports whether a claim's node was chosen to go.
func (m moves) chose(claim *karpenterv1.NodeClaim) bool {
	return slices.ContainsFunc(m.choices, func(c choice) bool { return c.step == reserve && c.claim.Name == claim.Name })
}

// opening are nodes that are to be opened for a reason.
type opening struct {
	nodes  []engine.NewNode
	reason karpenterv1.DisruptionReason
	claim  *karpenterv1.NodeClaim // that they replace
}

// plan carries moves on that have begun and looks for new ones: first drifted nodes, then nodes whose pods fit
// elsewhere for less.
func (v view) plan(m *memory) moves {
	p := &planner{view: v, memory: m, left: map[karpenterv1.DisruptionReason]map[string]int{}}
	p.out.wanted = map[string]struct{}{}
	var going []seen
	for _, s := range v.all {
		mark := markOf(s.claim)
		if s.pool != nil && s.pool.Spec.Replicas != nil {
			continue // static sees to its own
		}
		if s.claim.DeletionTimestamp.IsZero() && s.node != nil && s.pods != nil && (mark == karpenterv1.DisruptionReasonDrifted || mark == karpenterv1.DisruptionReasonUnderutilized) {
			going = append(going, s)
			p.leaving = append(p.leaving, s.node.Name)
			if chosen := p.now.Add(-s.reservedFor(p.now)); p.began.IsZero() || chosen.Before(p.began) {
				p.began = chosen
			}
		}
	}
	if len(going) > 0 {
		p.current = p.foresee(nil)
		p.carryOn(going)
	}
	p.drifted()
	p.underutilized()
	for node := range p.current.wanted {
		p.out.wanted[node] = struct{}{}
	}
	return p.out
}

// planner is one pass.
type planner struct {
	view
	memory  *memory
	leaving []string  // nodes that go
	began   time.Time // when the first of them was chosen
	current prospect  // with all of them gone
	left    map[karpenterv1.DisruptionReason]map[string]int
	looks   int
	out     moves
}

func (p *planner) foresee(also []string) prospect {
	p.looks++
	return foresee(p.snapshot, append(slices.Clone(p.leaving), also...), p.began, p.policy)
}

func (p *planner) soon(d time.Duration) {
	p.out.again = minPositive(p.out.again, max(d, time.Second/10))
}

// carryOn takes each move that has begun one step further.
func (p *planner) carryOn(going []seen) {
	for _, s := range going {
		reason := markOf(s.claim)
		f := p.current.fates[s.node.Name]
		held := s.reservedFor(p.now)
		tried := p.memory.attempts[s.claim.UID]
		why := s.obstacle(reason, p.podOf, p.budgets)
		switch {
		case why != "":
			p.release(s, why)
		case f.stuck != "":
			p.release(s, f.stuck)
		case held < settle:
			p.soon(settle - held)
		case f.ready():
			delete(p.memory.attempts, s.claim.UID)
			p.out.choices = append(p.out.choices, choice{seen: s, step: remove, why: because(reason), reason: reason, replaced: tried.opened})
		case held > moveLimit:
			p.release(s, "the nodes that replace it were not ready in time")
		case len(f.opens) > 0 && tried.opened:
			p.release(s, "the room on the nodes that replace it is gone")
		case len(f.opens) > 0:
			p.openFor(s, reason, f)
		default:
			p.soon(moveLimit - held)
		}
	}
}

// openFor opens what a node's pods need, unless that is no longer worth it.
func (p *planner) openFor(s seen, reason karpenterv1.DisruptionReason, f fate) {
	nodes, price := p.current.opened(f.opens)
	if reason == karpenterv1.DisruptionReasonUnderutilized && s.pods.Price <= price {
		p.release(s, "replacing it would no longer save anything")
		return
	}
	for _, o := range p.out.open {
		nodes = slices.DeleteFunc(nodes, func(n engine.NewNode) bool {
			return slices.ContainsFunc(o.nodes, func(other engine.NewNode) bool { return other.ID == n.ID })
		})
	}
	tried := p.memory.attempts[s.claim.UID]
	tried.opened = true
	p.memory.attempts[s.claim.UID] = tried
	p.out.open = append(p.out.open, opening{nodes, reason, s.claim})
	p.soon(moveLimit - s.reservedFor(p.now))
}

// release gives a move up for now.
func (p *planner) release(s seen, why string) {
	tried := p.memory.attempts[s.claim.UID]
	wait := min(retryFirst<<min(tried.failures, 10), retryLast)
	p.memory.attempts[s.claim.UID] = attempt{failures: tried.failures + 1, notUntil: p.now.Add(wait)}
	p.out.choices = append(p.out.choices, choice{seen: s, step: release, why: why, reason: markOf(s.claim)})
}

// rested reports whether a node may be tried again.
func (p *planner) rested(s seen) bool {
	until := p.memory.attempts[s.claim.UID].notUntil
	if p.now.Before(until) {
		p.soon(until.Sub(p.now))
		return false
	}
	return true
}

// allowed reports whether the pool's budgets let one more node go, and takes it if take is set.
func (p *planner) allowed(s seen, reason karpenterv1.DisruptionReason, take bool) bool {
	if p.left[reason] == nil {
		p.left[reason] = allowances(p.all, p.now, reason)
	}
	if p.left[reason][s.pool.Name] <= 0 {
		p.soon(budgetEvery)
		return false
	}
	if take {
		for _, other := range p.left {
			other[s.pool.Name]-- // a node that goes counts against every budget
		}
	}
	return true
}

// drifted chooses drifted nodes, those that drifted first before others.
func (p *planner) drifted() {
	var list []seen
	for _, s := range p.all {
		if s.movable() && condition.IsTrue(s.claim, karpenterv1.ConditionDrifted) && p.rested(s) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b seen) int { return cmp.Compare(since(a), since(b)) })
	for _, s := range list {
		if !p.allowed(s, karpenterv1.DisruptionReasonDrifted, false) {
			continue
		}
		if p.looks >= maxForesights {
			p.soon(time.Second)
			return
		}
		why := s.obstacle(karpenterv1.DisruptionReasonDrifted, p.podOf, p.budgets)
		if why == "" {
			next := p.foresee([]string{s.node.Name})
			if why = next.fates[s.node.Name].stuck; why == "" {
				p.choose(s, karpenterv1.DisruptionReasonDrifted, next)
				continue
			}
		}
		p.block(s, karpenterv1.DisruptionReasonDrifted, why)
	}
}

func since(s seen) int64 {
	return condition.Get(s.claim, karpenterv1.ConditionDrifted).LastTransitionTime.UnixNano()
}

func (p *planner) choose(s seen, reason karpenterv1.DisruptionReason, next prospect) {
	p.allowed(s, reason, true)
	p.leaving = append(p.leaving, s.node.Name)
	p.current = next
	p.out.choices = append(p.out.choices, choice{seen: s, step: reserve, why: because(reason), reason: reason})
	p.soon(settle)
}

// block says why a node stays, and leaves it alone for a while.
func (p *planner) block(s seen, reason karpenterv1.DisruptionReason, why string) {
	tried := p.memory.attempts[s.claim.UID]
	tried.notUntil = p.now.Add(retryFirst)
	p.memory.attempts[s.claim.UID] = tried
	p.soon(retryFirst)
	p.out.choices = append(p.out.choices, choice{seen: s, step: explain, why: why, reason: reason})
}

// because is why a node goes, in words.
func because(reason karpenterv1.DisruptionReason) string {
	switch reason {
	case karpenterv1.DisruptionReasonDrifted:
		return "it has drifted"
	case karpenterv1.DisruptionReasonUnderutilized:
		return "its pods fit elsewhere for less"
	case karpenterv1.DisruptionReasonEmpty:
		return "it is empty"
	}
	return fmt.Sprintf("of %s", reason)
}
