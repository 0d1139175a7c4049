package disrupt

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

const (
	// MinQuiet is how long a node must have seen no pod come or go before it may be called empty, however short
	// consolidateAfter is. It keeps a node between two jobs; Karpenter waits as long before it validates.
	MinQuiet = 15 * time.Second

	// settle is how long a node carries the disrupted taint before it is looked at a last time. A pod
	// that the scheduler was binding when the taint came is seen by then.
	settle = 2 * time.Second
)

// seen is one claim with all that the decision needs.
type seen struct {
	claim *karpenterv1.NodeClaim
	pool  *karpenterv1.NodePool // nil if it is gone
	node  *corev1.Node          // nil if it has not joined
	// pods is the planner's view of the node, nil if it has none yet. Pods that are planned
	// for the node and not bound yet are in it.
	pods *shape.Node
	// hold says why nothing of the pool is given up by choice just now; empty if nothing holds it.
	hold string
	// sick is what is wrong with the node; zero while nobody repairs nodes.
	sick nodehealth.Diagnosis
	// surge is set on a node that was opened for others which are still there.
	surge bool
}

// step is what to do with one claim.
type step uint8

const (
	keep    step = iota
	reserve      // mark the claim and taint the node, so that nothing new comes, and look again
	fence        // taint the node of a claim that is marked already: the taint was lost
	remove       // delete the claim
	release      // take the taint away: the node is needed after all
	explain      // say why the node is kept
	reboot       // ask for a reboot of the node
	hasten       // limit a drain that is under way
)

// choice is a step for a claim, and why.
type choice struct {
	seen
	step     step
	why      string // without a full stop
	reason   karpenterv1.DisruptionReason
	replaced bool // nodes were opened for its pods, or will be
	multi    bool // other nodes go with it
	failed   failure
	kind     refit.Kind     // why consolidation keeps it
	bound    *time.Duration // of the drain of a sick node; nil for none
	first    string         // as in move
	nodes    int            // as in ending
	breaker  bool           // the node is kept because too many are sick
	score    float64        // of the move, for its pool; 0 if there is none
}

// takes reports whether a choice uses a budget up.
func (c choice) takes() bool { return (c.step == reserve || c.step == reboot) && c.pool != nil }

// decide picks the empty nodes that may go now, oldest claim first, at most as many as their pools' budgets allow.
// Moves come first: what they chose uses budgets up, and nodes that take pods of nodes that go are not empty. Its again
// is when to look again without a change in the cluster, 0 for never.
func (v view) decide(first moves) (out moves) {
	slices.SortFunc(v.all, func(a, b seen) int {
		return cmp.Or(
			a.claim.CreationTimestamp.Compare(b.claim.CreationTimestamp.Time),
			cmp.Compare(a.claim.Name, b.claim.Name),
		)
	})
	left := allowances(v.all, v.now, karpenterv1.DisruptionReasonEmpty)
	for _, c := range first.choices {
		if c.takes() {
			left[c.pool.Name]--
		}
	}
	soon := func(d time.Duration) { out.again = minPositive(out.again, max(d, soonest)) }
	choose := func(s seen, what step, why string) {
		out.choices = append(
			out.choices,
			choice{seen: s, step: what, why: why, reason: karpenterv1.DisruptionReasonEmpty},
		)
	}
	for _, s := range v.all {
		if !s.claim.DeletionTimestamp.IsZero() || s.node == nil || !s.node.DeletionTimestamp.IsZero() {
			continue
		}
		reserved, mark := tainted(s.node), markOf(s.claim)
		if mark != "" && mark != karpenterv1.DisruptionReasonEmpty || first.chose(s.claim) {
			continue // it goes for another reason
		}
		ripe, in := s.ripe(v.now)
		if _, taken := first.wanted[s.node.Name]; taken {
			ripe, in = false, 0
		}
		held := ""
		if ripe {
			held = v.guards.heldEmpty(s, v.podOf)
		}
		switch {
		case reserved && mark == "":
			choose(
				s,
				release,
				"nobody chose it",
			) // the taint is somebody else's, or of a daemon that did not get further
		case held != "" && mark != "":
			choose(s, release, held)
		case held != "":
			choose(s, explain, held)
		case !ripe && mark != "":
			choose(s, release, "it is not empty any more")
		case !ripe && in > 0:
			soon(in)
		case !ripe:
		case reserved && s.reservedFor(v.now) < settle:
			soon(settle - s.reservedFor(v.now))
		case reserved:
			choose(s, remove, "it is empty")
		case mark != "": // it is in the budget already
			choose(s, fence, "it is empty")
		case left[s.pool.Name] <= 0:
			// Budgets change with the time of day, and nodes that are going away free them.
			soon(budgetEvery)
			if !slices.Contains(out.spent, s.pool.Name) {
				out.spent = append(out.spent, s.pool.Name)
			}
		default:
			left[s.pool.Name]--
			choose(s, reserve, "it is empty")
		}
	}
	return out
}

// budgetEvery is how often nodes that only a budget holds back are looked at again.
const budgetEvery = 10 * time.Second

// ripe reports whether a node is empty and its time has come. If only time is missing, in says how much.
func (s seen) ripe(now time.Time) (ripe bool, in time.Duration) {
	switch {
	case s.pool == nil || s.pool.Spec.Replicas != nil || s.pods == nil,
		!condition.IsTrue(s.claim, karpenterv1.ConditionInitialized),
		!condition.IsTrue(s.claim, karpenterv1.ConditionConsolidatable),
		!empty(s.pods):
		return false, 0
	}
	since := condition.Get(s.claim, karpenterv1.ConditionInitialized).LastTransitionTime.Time
	if last := s.claim.Status.LastPodEventTime; last != nil && last.After(since) {
		since = last.Time
	}
	in = since.Add(MinQuiet).Sub(now)
	return in <= 0, in
}

// empty reports whether nothing on the node needs room elsewhere when it goes.
func empty(n *shape.Node) bool {
	for _, pod := range n.Pods {
		if onlyMoved(&pod) {
			return false
		}
	}
	return true
}

// onlyMoved reports whether a pod needs another place when its node goes.
func onlyMoved(pod *shape.Pod) bool { return pod.Role == shape.Movable || pod.Role == shape.Pinned }

// allowances is how many more nodes each pool may give up now for a reason. Nodes that are going away, reserved,
// booting or not ready use the budget up; that a node is not ready is no reason not to repair it. A percentage is one
// of the pool without its surge: a third node of three must not go because two new ones are ready before the first two
// are gone. A budget that cannot be read allows none.
func allowances(all []seen, now time.Time, reason karpenterv1.DisruptionReason) map[string]int {
	nodes, going := map[string]int{}, map[string]int{}
	pools := map[string]*karpenterv1.NodePool{}
	for _, s := range all {
		booting := nodehealth.Rebooting(s.claim)
		if s.pool == nil || s.node == nil ||
			!condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) && !booting {
			continue
		}
		pools[s.pool.Name] = s.pool
		if !s.surge {
			nodes[s.pool.Name]++
		}
		idle := reason != karpenterv1.DisruptionReasonUnhealthy && !condition.NodeReady(s.node)
		if s.leaves() || tainted(s.node) || markOf(s.claim) != "" || booting || idle {
			going[s.pool.Name]++
		}
	}
	left := map[string]int{}
	for name, pool := range pools {
		allowed, err := pool.AllowedDisruptions(now, nodes[name], reason)
		if err != nil {
			allowed = 0
		}
		left[name] = allowed - going[name]
	}
	return left
}

// leaves reports whether a node is being deleted.
func (s seen) leaves() bool {
	return !s.claim.DeletionTimestamp.IsZero() || !s.node.DeletionTimestamp.IsZero()
}

func (s seen) reservedFor(now time.Time) time.Duration {
	c := condition.Get(s.claim, karpenterv1.ConditionDisruptionReason)
	if c == nil {
		return 0
	}
	return now.Sub(c.LastTransitionTime.Time)
}

func tainted(node *corev1.Node) bool {
	disrupted := karpenterv1.DisruptedTaint()
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&disrupted) })
}
