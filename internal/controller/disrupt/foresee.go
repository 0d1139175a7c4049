package disrupt

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// Cluster is a cluster that stands still. Claims must have UIDs of their own and carry the conditions that the other
// controllers would have set.
type Cluster struct {
	Claims   []karpenterv1.NodeClaim
	Pools    []karpenterv1.NodePool
	Nodes    []corev1.Node
	Budgets  []policyv1.PodDisruptionBudget
	Snapshot shape.Snapshot
	Pod      func(shape.PodID) *corev1.Pod
	Now      time.Time
	Policy   engine.Policy
	Rules    Rules
	// Devices is what Snapshot was shaped by; nil if claims for devices are not planned.
	Devices *devices.World

	// Effort is how many steps the search may take; 0 is what the controller spends at once.
	Effort int
}

// Departure is nodes that go together.
type Departure struct {
	Reason karpenterv1.DisruptionReason
	Why    string // without a full stop

	Now   []string // nodes that go at once, in the order in which they are drained
	Later []string // nodes for which budgets make it wait

	// Move is what it was found to be; of drifted and empty nodes only Open and Place are set.
	Move refit.Move
}

// Stay is a node that stays, and why. A node that several reasons were looked at for is there once for each.
type Stay struct {
	Node   string
	Reason karpenterv1.DisruptionReason
	Kind   refit.Kind // if consolidation keeps it
	Why    string     // without a full stop
}

// Outlook is what the controller would begin.
type Outlook struct {
	Go    []Departure
	Stay  []Stay
	Found *refit.Result // nil if consolidation had nothing to look at
}

// Foresee decides as the controller's first pass does, and does nothing about it. Equal input, equal output.
func Foresee(c Cluster) Outlook {
	m := newMemory()
	v := view{
		all: joined(
			c.Claims,
			c.Pools,
			c.Nodes,
			c.Snapshot,
			c.Now,
		), snapshot: c.Snapshot, guards: compileGuards(c.Budgets, nil), podOf: c.Pod,
		now: c.Now, policy: c.Policy, rules: c.Rules, effort: c.Effort, devices: c.Devices,
	}
	next := v.plan(&m)
	out := Outlook{Found: next.found}
	at := map[*move]int{}
	for _, choice := range slices.Concat(next.choices, v.decide(next).choices) {
		switch choice.step {
		case reserve, fence, remove:
			out.leave(choice, m.moves[choice.claim.UID], at)
		case explain, release:
			out.Stay = append(out.Stay, Stay{choice.node.Name, choice.reason, choice.kind, choice.why})
		}
	}
	out.wait(v.all, m.moves, at)
	out.limit(v, next)
	return out
}

// moveOf is what was found for a node that goes: nothing but the node if it is empty, or goes before its replacement.
func moveOf(m *move, node string) refit.Move {
	if m == nil || len(m.Remove) == 0 {
		return refit.Move{Remove: []string{node}}
	}
	return m.Move
}

// leave adds a node that goes now, to its move if it is of one.
func (o *Outlook) leave(c choice, of *move, at map[*move]int) {
	k, known := at[of]
	if of == nil || !known {
		k = len(o.Go)
		o.Go = append(o.Go, Departure{Reason: c.reason, Why: c.why, Move: moveOf(of, c.node.Name)})
	}
	if of != nil {
		at[of] = k
	}
	o.Go[k].Now = append(o.Go[k].Now, c.node.Name)
}

// wait adds the nodes of moves whose turn is still to come. A move none of whose nodes may go yet waits as a whole.
func (o *Outlook) wait(all []seen, moves map[types.UID]*move, at map[*move]int) {
	for _, s := range all {
		of := moves[s.claim.UID]
		if of == nil || s.node == nil {
			continue
		}
		k, begun := at[of]
		if !begun {
			k = len(o.Go)
			at[of] = k
			o.Go = append(o.Go, Departure{Reason: of.reason, Why: of.why, Move: moveOf(of, s.node.Name)})
		}
		if !slices.Contains(o.Go[k].Now, s.node.Name) {
			o.Go[k].Later = append(o.Go[k].Later, s.node.Name)
		}
	}
}

// limit says of nodes that would go by drift or emptiness that budgets let none go now: the controller only counts
// those.
func (o *Outlook) limit(v view, next moves) {
	why := func(s seen) string { return "the budgets of NodePool " + s.pool.Name + " let no further node go now" }
	goes := map[string]bool{}
	for _, d := range o.Go {
		for _, name := range slices.Concat(d.Now, d.Later) {
			goes[name] = true
		}
	}
	for _, s := range v.all {
		if !s.movable() || goes[s.node.Name] ||
			slices.ContainsFunc(o.Stay, func(k Stay) bool { return k.Node == s.node.Name }) {
			continue
		}
		_, wanted := next.wanted[s.node.Name]
		switch ripe, _ := s.ripe(v.now); {
		case wanted:
			o.Stay = append(
				o.Stay,
				Stay{
					s.node.Name,
					karpenterv1.DisruptionReasonEmpty,
					refit.Needed,
					refit.Reason{Kind: refit.Needed}.Sentence(),
				},
			)
		case isDrifted(s):
			o.Stay = append(o.Stay, Stay{s.node.Name, karpenterv1.DisruptionReasonDrifted, refit.BudgetUsed, why(s)})
		case ripe:
			o.Stay = append(o.Stay, Stay{s.node.Name, karpenterv1.DisruptionReasonEmpty, refit.BudgetUsed, why(s)})
		}
	}
}
