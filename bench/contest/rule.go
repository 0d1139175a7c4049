package contest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Rule is what a difference is called in docs/karpenter-oracle.md.
type Rule string

// Rules that are no faults.
const (
	Same     Rule = "same pods, same price"
	Cheaper  Rule = "gain: same pods for less"
	More     Rule = "gain: more pods"
	Others   Rule = "gain: more pods, not the same ones"
	Unlawful Rule = "the peer's plan breaks a rule"
	Limited  Rule = "limits and counts: others are served"
	Levels   Rule = "limits and counts: domains are served in turn"
	NoTerm   Rule = "an empty term of node affinity matches no node"
	Wishes   Rule = "wishes: kept where they can be"
	Variety  Rule = "minValues: a launch keeps them within limits"
	Daemons  Rule = "daemons: their pods are neighbours"
	Unbound  Rule = "volumes: no node reaches one for each claim"
	Hurried  Rule = "spread: the peer's plan needs pods to come in a lucky order"
	Weights  Rule = "weights: a pool is tried by the pod, not by the node"
)

// Faults.
const (
	Invalid Rule = "fault: our plan or translation is wrong"
	Fewer   Rule = "fault: the peer places a pod that we do not"
	Dearer  Rule = "fault: the peer's plan is cheaper"
)

// Fault reports whether a rule is none that is meant.
func (r Rule) Fault() bool { return r == Invalid || r == Fewer || r == Dearer }

// near is up to which part our price may be above the peer's: fewer nodes may cost that much more.
const near = 1.005

// rule names the difference.
func (m *match) rule() Rule {
	ours, theirs := float64(m.ours.Price), float64(m.theirs.Decision.Price)
	switch {
	case m.fault != nil:
		return Invalid
	case len(m.more) > 0 && len(m.fewer) == 0:
		return More
	case len(m.more)+len(m.fewer) == 0 && ours == theirs:
		return Same
	case len(m.more)+len(m.fewer) == 0 && ours <= theirs*near:
		return Cheaper
	case m.invalid != nil:
		return Unlawful
	}
	if why := m.instead(); why != "" {
		return why
	}
	if why := m.proven(); why != "" {
		return why
	}
	if m.hurried() {
		return Hurried
	}
	if len(m.fewer) > 0 {
		return Fewer
	}
	return Dearer
}

// instead is the rule that is why other pods have a place in our plan than in the peer's; empty if there is none.
func (m *match) instead() Rule {
	switch {
	case len(m.fewer) > 0 && m.emptyTerm():
		return NoTerm
	case len(m.fewer) > 0 && (m.outOfReach() || enginetest.CheckClaims(m.snapshot, m.theirs.Decision) != nil):
		return Unbound
	case len(m.more) > len(m.fewer) && m.asUrgent():
		return Others
	case m.scarce() && m.othersServed():
		return Limited
	case m.scarce() && len(m.fewer) > 0 && m.allSpread():
		return Levels
	}
	return ""
}

// othersServed reports whether our plan has places for as many pods as the peer's, or for some of higher priority than
// one of those that only the peer places.
func (m *match) othersServed() bool {
	priority := m.priorities()
	higher := slices.ContainsFunc(m.more, func(id shape.PodID) bool {
		return slices.ContainsFunc(m.fewer, func(o shape.PodID) bool { return priority[id] > priority[o] })
	})
	return len(m.fewer) > 0 && (higher || len(m.more) >= len(m.fewer))
}

// asUrgent reports whether no pod that only the peer places has a higher priority than all that only we place.
func (m *match) asUrgent() bool {
	priority := m.priorities()
	return !slices.ContainsFunc(m.fewer, func(id shape.PodID) bool {
		return !slices.ContainsFunc(m.more, func(o shape.PodID) bool { return priority[o] >= priority[id] })
	})
}

func (m *match) priorities() map[shape.PodID]int32 {
	out := map[shape.PodID]int32{}
	for _, pod := range m.cluster.Pods {
		if pod.Spec.Priority != nil {
			out[translate.IDOf(pod)] = *pod.Spec.Priority
		}
	}
	return out
}

// allSpread reports whether every pod that only the peer places is spread over domains other than nodes: what is scarce
// is dealt out level by level, and not used where a sibling went without.
func (m *match) allSpread() bool {
	for _, pod := range m.cluster.Pods {
		if slices.Contains(m.fewer, translate.IDOf(pod)) &&
			!slices.ContainsFunc(pod.Spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
				return c.WhenUnsatisfiable == corev1.DoNotSchedule && c.TopologyKey != shape.LabelHostname
			}) {
			return false
		}
	}
	return true
}

// proven is the rule that is why the peer's plan is better in pods or price: with what it is about taken away, ours is
// no worse than the peer's is with it. Empty if taking everything away does not help, or if ours is no worse with
// nothing taken away: then it is no rule that makes the difference.
func (m *match) proven() Rule {
	if m.asGood() {
		return ""
	}
	var all []relief
	for _, r := range m.reliefs() {
		if all = append(all, r); m.asGood(r) {
			return r.rule
		}
	}
	if len(all) > 1 && m.asGood(all...) {
		return all[0].rule
	}
	return ""
}

// relief takes from a cluster what a rule is about.
type relief struct {
	rule Rule
	from func(*shape.Snapshot, *engine.Policy)
}

// reliefs lists those of what a cluster has.
func (m *match) reliefs() []relief {
	var out []relief
	pools := func(change func(*shape.Pool)) func(*shape.Snapshot, *engine.Policy) {
		return func(s *shape.Snapshot, _ *engine.Policy) {
			s.Pools = slices.Clone(s.Pools)
			for i, p := range s.Pools {
				own := *p
				change(&own)
				s.Pools[i] = &own
			}
		}
	}
	if m.varied() {
		out = append(out, relief{Variety, pools(func(p *shape.Pool) {
			p.Requirements = slices.Clone(p.Requirements)
			for i := range p.Requirements {
				p.Requirements[i].MinValues = 0
			}
		})})
	}
	if m.wishes() {
		out = append(
			out,
			relief{Wishes, func(_ *shape.Snapshot, p *engine.Policy) { p.Preferences = engine.IgnorePreferences }},
		)
	}
	if len(m.snapshot.DaemonSets) > 0 {
		out = append(out, relief{Daemons, func(s *shape.Snapshot, _ *engine.Policy) {
			s.DaemonSets, s.Classes = slices.Clone(s.DaemonSets), slices.Clone(s.Classes)
			for i := range s.DaemonSets {
				stranger := *s.Classes[s.DaemonSets[i].Class]
				stranger.Labels, stranger.Affinity, stranger.HostPorts = nil, nil, nil
				s.DaemonSets[i].Class = int32(len(s.Classes))
				s.Classes = append(s.Classes, &stranger)
			}
		}})
	}
	if m.weighted() {
		out = append(out, relief{Weights, pools(func(p *shape.Pool) { p.Weight = 0 })})
	}
	return out
}

// asGood reports whether our plan, relieved, places all pods that the peer does for no more.
func (m *match) asGood(reliefs ...relief) bool {
	s, p := m.snapshot, engine.DefaultPolicy()
	for _, r := range reliefs {
		r.from(&s, &p)
	}
	try := match{snapshot: m.snapshot, cluster: m.cluster, ours: engine.Plan(s, p), theirs: m.theirs}
	try.compare()
	return len(try.fewer) == 0 &&
		(len(try.more) > 0 || float64(try.ours.Price) <= float64(m.theirs.Decision.Price)*near)
}

// scarce reports whether a limit or a reservation is in the market.
func (m *match) scarce() bool {
	for _, p := range m.cluster.Pools {
		if len(p.Spec.Limits) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(m.cluster.Types, func(t *shape.InstanceType) bool {
		return slices.ContainsFunc(t.Offerings, func(o shape.Offering) bool { return o.Reservation != "" })
	})
}

// emptyTerm reports whether a pod that only the peer places has a term of node affinity without expressions. To
// kube-scheduler it matches no node; to the peer it matches all.
func (m *match) emptyTerm() bool {
	return slices.ContainsFunc(m.cluster.Pods, func(pod *corev1.Pod) bool {
		a := pod.Spec.Affinity
		return slices.Contains(m.fewer, translate.IDOf(pod)) && a != nil && a.NodeAffinity != nil &&
			a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil &&
			slices.ContainsFunc(
				a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms,
				func(t corev1.NodeSelectorTerm) bool {
					return len(t.MatchExpressions)+len(t.MatchFields) == 0
				},
			)
	})
}

// hurried reports whether pods of the peer's plan, and none of ours, would be refused where they are if all others were
// there before them.
func (m *match) hurried() bool {
	lucky := func(d engine.Decision) bool { return enginetest.CheckSettled(m.snapshot, d) != nil }
	return lucky(m.theirs.Decision) && !lucky(m.ours)
}

// varied reports whether a pool has minValues.
func (m *match) varied() bool {
	for _, p := range m.cluster.Pools {
		for _, r := range p.Spec.Template.Spec.Requirements {
			if r.MinValues != nil {
				return true
			}
		}
	}
	return false
}

// wishes reports whether a pod prefers anything: both planners keep what they can, and give up in another order.
func (m *match) wishes() bool {
	soft := func(t corev1.TaintEffect) bool { return t == corev1.TaintEffectPreferNoSchedule }
	for _, p := range m.cluster.Pools {
		for _, t := range p.Spec.Template.Spec.Taints {
			if soft(t.Effect) {
				return true
			}
		}
	}
	return slices.ContainsFunc(m.cluster.Pods, func(pod *corev1.Pod) bool {
		if slices.ContainsFunc(pod.Spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
			return c.WhenUnsatisfiable == corev1.ScheduleAnyway
		}) {
			return true
		}
		a := pod.Spec.Affinity
		return a != nil &&
			(a.NodeAffinity != nil && len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0 ||
				a.PodAffinity != nil && len(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0)
	})
}

// weighted reports whether pools differ by weight.
func (m *match) weighted() bool {
	weight := func(w *int32) int32 {
		if w == nil {
			return 0
		}
		return *w
	}
	for _, p := range m.cluster.Pools {
		if weight(p.Spec.Weight) != weight(m.cluster.Pools[0].Spec.Weight) {
			return true
		}
	}
	return false
}
