package static

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// member is one claim of the pool that is not being deleted.
type member struct {
	claim *karpenterv1.NodeClaim
	node  *shape.Node // the planner's view; nil if it has none yet
}

// sight is all that a decision needs.
type sight struct {
	replicas int
	members  []member
	// known is how many nodes of the pool the planner knows of that are not leaving: members, and claims that
	// were made a moment ago and that no informer has shown.
	known int
	// limit is spec.limits.nodes; negative for none.
	limit int
	// budget is how many nodes may be going away at once for drift, those that are going or not ready already taken off.
	budget  int
	leaving int // claims that are being deleted
}

// step is what to do.
type step struct {
	open   int                      // so many new nodes
	remove []*karpenterv1.NodeClaim // because there are too many, or because a drifted one has been replaced
	reason string                   // of remove, as metrics name it
	mark   []*karpenterv1.NodeClaim // to be replaced, because they have drifted
	unmark []*karpenterv1.NodeClaim // not to be replaced after all
}

// Reasons for which claims are removed, as metrics name them.
const (
	reasonDrifted   = "drifted"
	reasonScaleDown = "underutilized"
)

// next decides. Nodes that are marked do not count, so others are opened for them; when those are
// ready, or where the limit leaves no room for a surplus, the marked ones go.
func next(s sight) step {
	var marked, counted []member
	for _, m := range s.members {
		if isMarked(m.claim) {
			marked = append(marked, m)
		} else {
			counted = append(counted, m)
		}
	}
	if back := keep(marked, func(m member) bool { return !isDrifted(m) }); len(back) > 0 {
		return step{unmark: claims(back)} // what made them drift was taken back
	}
	unseen := s.known - len(s.members) // just made
	have := len(counted) + max(unseen, 0)
	switch {
	case have > s.replicas && unseen <= 0:
		order(counted)
		return step{remove: claims(counted[:have-s.replicas]), reason: reasonScaleDown}
	case have < s.replicas:
		room := s.replicas - have
		if s.limit >= 0 {
			room = min(room, s.limit-len(s.members)-max(unseen, 0)-s.leaving)
		}
		if room <= 0 && len(marked) > 0 && s.leaving == 0 {
			return step{remove: claims(marked[:1]), reason: reasonDrifted} // a surplus is not allowed: one must go first
		}
		return step{open: max(room, 0)}
	case len(marked) > 0:
		if ready := len(keep(counted, initialized)); ready >= s.replicas {
			return step{remove: claims(marked), reason: reasonDrifted}
		}
		return step{}
	}
	return step{mark: drifted(counted, s.budget)}
}

func isMarked(claim *karpenterv1.NodeClaim) bool {
	return condition.IsTrue(claim, karpenterv1.ConditionDisruptionReason)
}

func initialized(m member) bool { return condition.IsTrue(m.claim, karpenterv1.ConditionInitialized) }

func isDrifted(m member) bool { return condition.IsTrue(m.claim, karpenterv1.ConditionDrifted) }

func keep(list []member, which func(member) bool) []member {
	var out []member
	for _, m := range list {
		if which(m) {
			out = append(out, m)
		}
	}
	return out
}

func claims(list []member) []*karpenterv1.NodeClaim {
	out := make([]*karpenterv1.NodeClaim, 0, len(list))
	for _, m := range list {
		out = append(out, m.claim)
	}
	return out
}

// drifted are at most so many drifted nodes, those that drifted first.
func drifted(list []member, most int) []*karpenterv1.NodeClaim {
	out := claims(keep(list, isDrifted))
	since := func(c *karpenterv1.NodeClaim) int64 {
		return condition.Get(c, karpenterv1.ConditionDrifted).LastTransitionTime.UnixNano()
	}
	slices.SortFunc(out, func(a, b *karpenterv1.NodeClaim) int {
		return cmp.Or(cmp.Compare(since(a), since(b)), cmp.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), max(most, 0))]
}

// order puts first what goes first: claims that are not launched, empty nodes, nodes whose pods are cheap to move,
// and last those that must not be disrupted.
func order(list []member) {
	slices.SortFunc(list, func(a, b member) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(cost(a), cost(b)),
			b.claim.CreationTimestamp.Compare(a.claim.CreationTimestamp.Time), // the youngest
			cmp.Compare(a.claim.Name, b.claim.Name),
		)
	})
}

func rank(m member) int {
	switch {
	case !condition.IsTrue(m.claim, karpenterv1.ConditionLaunched):
		return 0
	case m.node != nil && (m.node.Kept != "" || pinned(m.node)):
		return 3
	case m.node == nil || pods(m) == 0:
		return 1
	default:
		return 2
	}
}

// pinned reports whether a pod on the node must not be disrupted.
func pinned(n *shape.Node) bool {
	return slices.ContainsFunc(n.Pods, func(p shape.Pod) bool { return p.Role == shape.Pinned })
}

// pods that need room elsewhere.
func pods(m member) int {
	n := 0
	for _, p := range m.node.Pods {
		if p.Role == shape.Pinned || p.Role == shape.Movable {
			n++
		}
	}
	return n
}

// cost is what evicting the node's pods weighs.
func cost(m member) int64 {
	if m.node == nil {
		return 0
	}
	var sum int64
	for _, p := range m.node.Pods {
		if p.Role == shape.Pinned || p.Role == shape.Movable {
			sum += int64(max(p.EvictionCost, 0))
		}
	}
	return sum
}
