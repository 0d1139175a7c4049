package static

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// member is one claim of the pool that is not being deleted.
type member struct {
	claim *karpenterv1.NodeClaim
	node  *shape.Node // the planner's view; nil if it has none yet
	// ready nodes serve pods: they are initialized, and their kubelets answer.
	ready bool
	// sick nodes are to be replaced, if nothing else holds them.
	sick bool
	// slot is set on nodes that hold a place in a reservation which has none left.
	slot bool
}

// allowance is what budgets say for one reason.
type allowance struct {
	// all is how many nodes may be missing or going away at once.
	all int
	// left is all less those that are going, or not ready.
	left int
	// first says that nodes may be ended before their replacement is there, where there is no room for both.
	first bool
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
	// full is set while all that the pool may buy is in reservations with no machine left.
	full bool
	// launches is set while the pool may open nodes: it is ready.
	launches       bool
	drift, repairs allowance
	leaving        int // claims that are being deleted
	// held is set while somebody holds disruption: nothing goes because it has drifted.
	held bool
	// probing is set while it is not known whether what could not be bought a while ago can be had again: one claim
	// tries.
	probing bool
}

// step is what to do.
type step struct {
	open   int                      // so many new nodes
	remove []*karpenterv1.NodeClaim // because there are too many, or because others have replaced them
	reason string                   // of remove, as metrics name it
	first  string                   // why remove comes before any replacement, as metrics name it; empty if it does not
	mark   []*karpenterv1.NodeClaim // to be replaced, because they have drifted or are sick
	unmark []*karpenterv1.NodeClaim // not to be replaced after all
	// blocked are to be replaced, and there is no room for their replacement; why says which room.
	blocked []*karpenterv1.NodeClaim
	why     string
}

// Reasons for which claims are removed, as metrics name them.
const (
	reasonDrifted   = "drifted"
	reasonUnhealthy = "unhealthy"
	reasonScaleDown = "underutilized"
)

// Why there is no room for a node and its replacement, as metrics name it.
const (
	firstAtLimit = "static-at-limit"
	firstFull    = "no-reserved-capacity"
)

// next decides. Nodes that are marked do not count, so others are opened for them; when those are ready the marked ones
// go. Where there is no room for a surplus they go first, if that is switched on: see first.
func next(s sight) step {
	var marked, counted []member
	for _, m := range s.members {
		if isMarked(m.claim) {
			marked = append(marked, m)
		} else {
			counted = append(counted, m)
		}
	}
	if back := keep(marked, func(m member) bool { return !s.stands(m) }); len(back) > 0 {
		return step{unmark: claims(back)} // what was wrong was mended or taken back, or nothing is to go now
	}
	unseen := max(s.known-len(s.members), 0) // just made
	have := len(counted) + unseen
	tight := s.tight(unseen)
	switch {
	case have > s.replicas && unseen == 0:
		order(counted)
		return step{remove: claims(counted[:have-s.replicas]), reason: reasonScaleDown}
	case have < s.replicas && len(marked) > 0 && tight != "":
		return s.first(marked, tight)
	case have < s.replicas:
		return s.replenish(have, unseen)
	case len(marked) > 0:
		if len(keep(counted, initialized)) >= s.replicas {
			return removal(marked)
		}
		return step{}
	}
	return s.choose(counted, tight)
}

// replenish opens what is missing.
func (s sight) replenish(have, unseen int) step {
	room := s.replicas - have
	if s.limit >= 0 {
		room = min(room, s.limit-len(s.members)-unseen-s.leaving)
	}
	if s.probing {
		room = min(room, 1-len(keep(s.members, unlaunched))-unseen)
	}
	return step{open: max(room, 0)}
}

// tight says why there is no room for one more node, as metrics name it; empty if there is.
func (s sight) tight(unseen int) string {
	switch {
	case s.limit >= 0 && len(s.members)+unseen+s.leaving >= s.limit:
		return firstAtLimit
	case s.full:
		return firstFull
	}
	return ""
}

// stands reports whether a marked node still is to be replaced.
func (s sight) stands(m member) bool {
	if markOf(m.claim) == karpenterv1.DisruptionReasonUnhealthy {
		return m.sick
	}
	return isDrifted(m) && !s.held
}

// removal is the end of marked nodes that have been replaced: those of one reason at a time.
func removal(marked []member) step {
	sick := keep(marked, func(m member) bool { return markOf(m.claim) == karpenterv1.DisruptionReasonUnhealthy })
	if len(sick) > 0 {
		return step{remove: claims(sick), reason: reasonUnhealthy}
	}
	return step{remove: claims(marked), reason: reasonDrifted}
}

// first ends marked nodes for which there is no room beside their replacement. After each of them no more nodes of the
// pool are missing or not ready than the budget lets be, whatever becomes of the replacements: one that never gets
// ready holds up the next. None is ended while nothing could be opened in its place.
func (s sight) first(marked []member, tight string) step {
	out := step{first: tight}
	serving := len(keep(s.members, func(m member) bool { return m.ready }))
	var stuck []member
	for _, m := range marked {
		by, reason := s.allowed(m)
		left := serving
		if m.ready {
			left--
		}
		switch {
		case !by.first || tight == firstFull && !m.slot:
			stuck = append(stuck, m)
		case !s.followed(tight) || out.reason != "" && out.reason != reason:
		case s.replicas-left > by.all || len(out.remove) >= s.replicas-s.coming():
		default:
			serving = left
			out.remove, out.reason = append(out.remove, m.claim), reason
		}
	}
	switch {
	case len(out.remove) > 0:
		return out
	case len(stuck) > 0:
		return step{unmark: claims(stuck), blocked: claims(stuck), why: noRoom[tight]}
	}
	return step{}
}

// allowed is what budgets say for the reason for which a node is marked, and that reason as metrics name it.
func (s sight) allowed(m member) (by allowance, reason string) {
	if markOf(m.claim) == karpenterv1.DisruptionReasonUnhealthy {
		return s.repairs, reasonUnhealthy
	}
	return s.drift, reasonDrifted
}

// followed reports whether something may be opened in place of a node that is ended: the pool is ready, and what it
// gives back is what it lacks, or nothing says that the cloud has none.
func (s sight) followed(tight string) bool {
	return s.launches && (!s.probing || tight == firstFull)
}

// coming is how many nodes are there for good, or on their way: so many need no replacement.
func (s sight) coming() int {
	return len(keep(s.members, func(m member) bool { return !isMarked(m.claim) }))
}

// noRoom is what is said of nodes that stay since there is no room for their replacement, without a full stop.
var noRoom = map[string]string{
	firstAtLimit: "the static NodePool is at its limit of nodes and cannot open a replacement first",
	firstFull:    "the capacity reservations of the static NodePool are full, and it cannot open a replacement first",
}

// choose marks nodes to be replaced: the sick ones before the drifted ones, within the budgets of each.
func (s sight) choose(counted []member, tight string) step {
	var out step
	taken := 0
	pick := func(list []*karpenterv1.NodeClaim, by allowance, slot func(*karpenterv1.NodeClaim) bool) {
		for _, c := range list {
			switch {
			case tight != "" && (!by.first || tight == firstFull && !slot(c)):
				out.blocked, out.why = append(out.blocked, c), noRoom[tight]
			case taken < by.left && !slices.Contains(out.mark, c):
				out.mark = append(out.mark, c)
				taken++
			}
		}
	}
	slots := map[*karpenterv1.NodeClaim]bool{}
	for _, m := range counted {
		slots[m.claim] = m.slot
	}
	holds := func(c *karpenterv1.NodeClaim) bool { return slots[c] }
	pick(claims(keep(counted, func(m member) bool { return m.sick })), s.repairs, holds)
	if !s.held {
		pick(drifted(keep(counted, func(m member) bool { return !m.sick })), s.drift, holds)
	}
	return out
}

// markOf is the reason for which a claim is chosen to be given up, or "". A node that is rebooted is not given up.
func markOf(claim *karpenterv1.NodeClaim) karpenterv1.DisruptionReason {
	c := condition.Get(claim, karpenterv1.ConditionDisruptionReason)
	if c == nil || c.Status != metav1.ConditionTrue || nodehealth.Rebooting(claim) {
		return ""
	}
	return karpenterv1.DisruptionReason(c.Reason)
}

func isMarked(claim *karpenterv1.NodeClaim) bool { return markOf(claim) != "" }

func unlaunched(m member) bool { return !condition.IsTrue(m.claim, karpenterv1.ConditionLaunched) }

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

// drifted are the drifted nodes, those that drifted first before others.
func drifted(list []member) []*karpenterv1.NodeClaim {
	out := claims(keep(list, isDrifted))
	since := func(c *karpenterv1.NodeClaim) int64 {
		return condition.Get(c, karpenterv1.ConditionDrifted).LastTransitionTime.UnixNano()
	}
	slices.SortFunc(out, func(a, b *karpenterv1.NodeClaim) int {
		return cmp.Or(cmp.Compare(since(a), since(b)), cmp.Compare(a.Name, b.Name))
	})
	return out
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
