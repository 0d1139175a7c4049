package whatif

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/consolidatable"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/controller/terminate"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// wayOut is a change that may free a node.
type wayOut struct {
	kind, what string
	change     func(*manifest.Set)
	rules      func(*disrupt.Rules)
	later      time.Duration // how long to wait

	// less are smaller changes of the same thing, the smallest first: one of them takes its place if that is enough.
	less []wayOut
}

// waysToFree are changes of rules that may free a node, by what they concern; each the least to ask for first.
type waysToFree struct {
	keeps  []wayOut // what keeps the node, whatever it costs
	wishes []wayOut // what its pods ask of where they run
	market []wayOut // what NodePools may buy
	worth  []wayOut // what a move must save
}

// all are the ways, the least to ask for first.
func (w *waysToFree) all() []wayOut { return slices.Concat(w.keeps, w.wishes, w.market, w.worth) }

func waysOut(set *manifest.Set, node string, now time.Time) *waysToFree {
	pods := movable(set, node)
	return &waysToFree{
		keeps: slices.Concat(
			holdsOff(set),
			annotations(set, node, pods),
			guardsOff(set, node),
			settings(set, node, poolOf(set, node), now),
			rest(claimOf(set, node), now),
		),
		wishes: slices.Concat(wishesOff(set, pods), taintsOff(set, pods)),
		market: poolsOff(set),
		worth:  gates(),
	}
}

// hopeless says of a node that no change frees why; empty for others.
func hopeless(set *manifest.Set, node string) string {
	claim := claimOf(set, node)
	pool := poolNamed(set, poolOf(set, node))
	switch {
	case claim == nil && pool == nil:
		return "it is of no NodePool, and only nodes of NodePools are given up"
	case pool == nil:
		return "its NodePool is not there, so nobody says when it may go; delete NodeClaim " + claim.Name
	case claim != nil && claim.DeletionTimestamp != nil:
		return "nothing has to change: it is going already"
	case pool.Spec.Replicas != nil:
		return fmt.Sprintf(
			"NodePool %s keeps %d nodes (spec.replicas), whatever runs on them; lower that, and one of its nodes goes",
			pool.Name,
			*pool.Spec.Replicas,
		)
	case claim != nil && len(claim.Status.Conditions) > 0 &&
		!condition.IsTrue(claim, karpenterv1.ConditionInitialized):
		return "it is starting: it may go once it has initialized, or if it has not registered in time"
	}
	return ""
}

// movable are the pods of a node that have to go elsewhere if it goes.
func movable(set *manifest.Set, node string) (out []*corev1.Pod) {
	for _, p := range set.Pods {
		if p.Spec.NodeName == node && !translate.Finished(p) && !translate.BoundByOwner(p) {
			out = append(out, p)
		}
	}
	return out
}

func claimOf(set *manifest.Set, node string) *karpenterv1.NodeClaim {
	for _, c := range set.NodeClaims {
		if c.Status.NodeName == node || c.Name == strings.TrimPrefix(node, translate.ClaimOnlyName("")) {
			return c
		}
	}
	return nil
}

func poolOf(set *manifest.Set, node string) string {
	for _, n := range set.Nodes {
		if n.Name == node {
			return n.Labels[karpenterv1.NodePoolLabelKey]
		}
	}
	if c := claimOf(set, node); c != nil {
		return c.Labels[karpenterv1.NodePoolLabelKey]
	}
	return ""
}

func poolNamed(set *manifest.Set, name string) *karpenterv1.NodePool {
	for _, np := range set.NodePools {
		if np.Name == name {
			return np
		}
	}
	return nil
}

// holdsOff takes back what holds the fleet.
func holdsOff(set *manifest.Set) (out []wayOut) {
	for _, np := range set.NodePools {
		if np.Annotations[hold.AnnotationUntil] == "" {
			continue
		}
		name := np.Name
		out = append(
			out,
			wayOut{kind: "hold", what: "take back the hold of NodePool " + name, change: func(s *manifest.Set) {
				changePool(s, name, func(np *karpenterv1.NodePool) { delete(np.Annotations, hold.AnnotationUntil) })
			}},
		)
	}
	return out
}

// annotations are do-not-disrupt of the node, its claim and its pods.
func annotations(set *manifest.Set, node string, pods []*corev1.Pod) (out []wayOut) {
	const key = karpenterv1.DoNotDisruptAnnotationKey
	for _, n := range set.Nodes {
		if n.Name == node && n.Annotations[key] != "" {
			out = append(
				out,
				wayOut{kind: "annotation", what: "remove " + key + " from node " + node, change: func(s *manifest.Set) {
					withoutAnnotation(s, node, key)
				}},
			)
		}
	}
	var names []string
	for _, p := range pods {
		if p.Annotations[key] != "" {
			names = append(names, string(translate.IDOf(p)))
		}
	}
	if len(names) > 0 {
		out = append(
			out,
			wayOut{
				kind: "annotation",
				what: "remove " + key + " from " + strings.Join(names, ", "),
				change: func(s *manifest.Set) {
					changePods(
						s,
						func(p *corev1.Pod) bool { return slices.Contains(names, string(translate.IDOf(p))) },
						func(p *corev1.Pod) { delete(p.Annotations, key) },
					)
				},
			},
		)
	}
	return out
}

// withoutAnnotation takes an annotation from a node and its claim.
func withoutAnnotation(s *manifest.Set, node, key string) {
	s.Nodes = slices.Clone(s.Nodes)
	for i, n := range s.Nodes {
		if n.Name == node {
			s.Nodes[i] = n.DeepCopy()
			delete(s.Nodes[i].Annotations, key)
		}
	}
	s.NodeClaims = slices.Clone(s.NodeClaims)
	for i, c := range s.NodeClaims {
		if c.Status.NodeName == node {
			s.NodeClaims[i] = c.DeepCopy()
			delete(s.NodeClaims[i].Annotations, key)
		}
	}
}

// keeping is that another node stays.
func keeping(node string) wayOut {
	const key = karpenterv1.DoNotDisruptAnnotationKey
	return wayOut{
		kind: "keep",
		what: fmt.Sprintf("keep node %s, whose pods come here (%s)", node, key),
		change: func(s *manifest.Set) {
			s.Nodes = slices.Clone(s.Nodes)
			for i, n := range s.Nodes {
				if n.Name == node {
					n = n.DeepCopy()
					metav1.SetMetaDataAnnotation(&n.ObjectMeta, key, "true")
					s.Nodes[i] = n
				}
			}
		},
	}
}

// changePods changes copies of some pods.
func changePods(s *manifest.Set, which func(*corev1.Pod) bool, change func(*corev1.Pod)) {
	s.Pods = slices.Clone(s.Pods)
	for i, p := range s.Pods {
		if which(p) {
			s.Pods[i] = p.DeepCopy()
			change(s.Pods[i])
		}
	}
}

// guardsOff are the PodDisruptionBudgets of the node's pods, those of DaemonSets among them: first that each allows an
// eviction, then that no pod has more than one.
func guardsOff(set *manifest.Set, node string) (allow []wayOut) {
	count := map[*corev1.Pod]int{}
	var further []wayOut
	for _, b := range set.Budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			continue
		}
		guards, again := false, false
		for _, p := range set.Pods {
			if p.Spec.NodeName != node || translate.Finished(p) || terminate.StaysToTheEnd(p) ||
				p.Namespace != b.Namespace || !selector.Matches(labels.Set(p.Labels)) {
				continue
			}
			count[p]++
			guards, again = true, again || count[p] > 1
		}
		if again {
			further = append(further, withoutGuard(b))
		}
		if status, err := simulate.Guarded(b, set.Pods); guards && err == nil && status.DisruptionsAllowed <= 0 {
			allow = append(allow, allowing(b, status))
		}
	}
	return slices.Concat(allow, further)
}

// allowing is that a PodDisruptionBudget lets one pod go at a time: a drain waits until the next may go.
func allowing(b *policyv1.PodDisruptionBudget, status policyv1.PodDisruptionBudgetStatus) wayOut {
	status.DisruptionsAllowed = 1
	what := fmt.Sprintf("let PodDisruptionBudget %s/%s (%s) allow 1 eviction", b.Namespace, b.Name, guardWords(b))
	return wayOut{kind: "PDB", what: what, change: func(s *manifest.Set) {
		s.Budgets = slices.Clone(s.Budgets)
		for i, o := range s.Budgets {
			if o.Namespace == b.Namespace && o.Name == b.Name {
				s.Budgets[i] = o.DeepCopy()
				s.Budgets[i].Status = status
			}
		}
	}}
}

func withoutGuard(b *policyv1.PodDisruptionBudget) wayOut {
	what := fmt.Sprintf(
		"delete PodDisruptionBudget %s/%s: a pod with more than one cannot be evicted",
		b.Namespace,
		b.Name,
	)
	return wayOut{kind: "PDB", what: what, change: func(s *manifest.Set) {
		s.Budgets = slices.DeleteFunc(
			slices.Clone(s.Budgets),
			func(o *policyv1.PodDisruptionBudget) bool { return o.Namespace == b.Namespace && o.Name == b.Name },
		)
	}}
}

// settings are those of the node's NodePool.
func settings(set *manifest.Set, node, pool string, now time.Time) (out []wayOut) {
	np := poolNamed(set, pool)
	if np == nil {
		return nil
	}
	add := func(kind, what string, change func(*karpenterv1.NodePool)) {
		out = append(out, wayOut{kind: kind, what: what, change: func(s *manifest.Set) { changePool(s, pool, change) }})
	}
	d := &np.Spec.Disruption
	all := lettingGo(set, np, len(set.Nodes))
	all.less = budgetSteps(set, np)
	out = append(out, all)
	if d.ConsolidateAfter.IsNever() || d.ConsolidateAfter.Duration != nil && *d.ConsolidateAfter.Duration > 0 {
		whole := waiting(np, 0)
		whole.less = quietSteps(claimOf(set, node), np, now)
		out = append(out, whole)
	}
	switch d.ConsolidationPolicy {
	case karpenterv1.ConsolidationPolicyWhenEmpty, karpenterv1.ConsolidationPolicyBalanced:
		words := "let NodePool " + pool + " give up nodes that are not empty"
		if d.ConsolidationPolicy == karpenterv1.ConsolidationPolicyBalanced {
			words = "let NodePool " + pool + " give up nodes whenever that saves"
		}
		add(
			"consolidationPolicy",
			words+" (consolidationPolicy: WhenEmptyOrUnderutilized)",
			func(np *karpenterv1.NodePool) { np.Spec.Disruption.ConsolidationPolicy = "" },
		)
	}
	return out
}

// lettingGo is that the budgets of a NodePool let so many nodes go at once.
func lettingGo(set *manifest.Set, np *karpenterv1.NodePool, nodes int) wayOut {
	words := "the default budget of NodePool " + np.Name + " (10%)"
	if len(np.Spec.Disruption.Budgets) > 0 {
		words = "the budgets of NodePool " + np.Name + " (" + budgetWords(np) + ")"
	}
	nodes = max(min(nodes, len(set.Nodes)), 1)
	return wayOut{
		kind: "budget",
		what: fmt.Sprintf("let %s allow nodes: %q", words, fmt.Sprint(nodes)),
		change: func(s *manifest.Set) {
			changePool(s, np.Name, func(np *karpenterv1.NodePool) {
				np.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: fmt.Sprint(nodes)}}
			})
		},
	}
}

// budgetSteps let more and more nodes go.
func budgetSteps(set *manifest.Set, np *karpenterv1.NodePool) (out []wayOut) {
	for n := 1; n < len(set.Nodes); n += max(1, n/2) {
		out = append(out, lettingGo(set, np, n))
	}
	return out
}

// rest is to wait until a node to which a pod came, or from which one went, a moment ago may count as empty.
func rest(claim *karpenterv1.NodeClaim, now time.Time) []wayOut {
	if claim == nil {
		return nil
	}
	at := &karpenterv1.NodePool{}
	at.Spec.Disruption.ConsolidateAfter = karpenterv1.After(disrupt.MinQuiet)
	left, ever := consolidatable.Quiet(claim, at, now)
	if !ever || left <= 0 {
		return nil
	}
	left = left.Truncate(time.Second) + time.Second
	return []wayOut{{
		kind:  "time",
		what:  fmt.Sprintf("wait %s, since its pods came or went, or it started, only a moment ago", left),
		later: left,
	}}
}

// waiting is that consolidateAfter of a NodePool is shorter.
func waiting(np *karpenterv1.NodePool, after time.Duration) wayOut {
	return wayOut{
		kind: "consolidateAfter",
		what: fmt.Sprintf(
			"shorten consolidateAfter of NodePool %s from %s to %s",
			np.Name,
			np.Spec.Disruption.ConsolidateAfter.String(),
			after,
		),
		change: func(s *manifest.Set) {
			changePool(s, np.Name, func(np *karpenterv1.NodePool) {
				np.Spec.Disruption.ConsolidateAfter = karpenterv1.After(after)
			})
		},
	}
}

// quietSteps are as long as the node has been quiet, in whole units.
func quietSteps(claim *karpenterv1.NodeClaim, np *karpenterv1.NodePool, now time.Time) (out []wayOut) {
	if claim == nil {
		return nil
	}
	at := np.DeepCopy()
	at.Spec.Disruption.ConsolidateAfter = karpenterv1.After(0)
	left, ever := consolidatable.Quiet(claim, at, now)
	if !ever {
		return nil
	}
	for _, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if after := (-left).Truncate(unit); after > 0 {
			out = append(out, waiting(np, after))
		}
	}
	return out
}

// wishesOff are what workloads on the node ask of where they run.
func wishesOff(set *manifest.Set, pods []*corev1.Pod) (out []wayOut) {
	workloads := map[string]bool{}
	for _, p := range pods {
		workloads[workloadOf(p)] = true
	}
	for _, r := range workloadRules(set) {
		if workloads[r.object] && !r.holds {
			out = append(
				out,
				wayOut{kind: kindOf(r.words), what: "drop " + r.words + " of " + r.object, change: r.relax},
			)
		}
	}
	slices.SortStableFunc(out, func(a, b wayOut) int { return cmp.Compare(a.what, b.what) })
	return out
}

func kindOf(words string) string {
	switch {
	case strings.HasPrefix(words, "spreading"):
		return "spread"
	case strings.Contains(words, corev1.LabelTopologyZone):
		return "zone"
	case strings.Contains(words, "podA"):
		return "affinity"
	}
	return "selector"
}

// workloadOf is the workload of a pod, or the pod.
func workloadOf(p *corev1.Pod) string { return cmp.Or(Workload(p), string(translate.IDOf(p))) }

// workloads are those of pods, in order, with the pods of each.
func workloads(pods []*corev1.Pod) (names []string, of map[string][]*corev1.Pod) {
	of = map[string][]*corev1.Pod{}
	for _, p := range pods {
		of[workloadOf(p)] = append(of[workloadOf(p)], p)
	}
	return slices.Sorted(maps.Keys(of)), of
}

// taintsOff is that the node's workloads tolerate what keeps them off the nodes of NodePools.
func taintsOff(set *manifest.Set, pods []*corev1.Pod) (out []wayOut) {
	names, _ := workloads(pods)
	for _, np := range set.NodePools {
		if len(np.Spec.Template.Spec.Taints) == 0 {
			continue
		}
		for _, name := range names {
			out = append(out, wayOut{
				kind: "taint",
				what: fmt.Sprintf("let %s tolerate the taints of NodePool %s", name, np.Name),
				change: func(s *manifest.Set) {
					changePods(s, func(p *corev1.Pod) bool { return workloadOf(p) == name }, func(p *corev1.Pod) {
						for _, t := range np.Spec.Template.Spec.Taints {
							p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{
								Key: t.Key, Operator: corev1.TolerationOpExists, Effect: t.Effect,
							})
						}
					})
				},
			})
		}
	}
	return out
}

// poolsOff are what NodePools may buy: limits, then requirements.
func poolsOff(set *manifest.Set) (limits []wayOut) {
	var wider []wayOut
	for _, r := range poolRules(set) {
		switch {
		case strings.HasPrefix(r.words, "limit "):
			limits = append(
				limits,
				wayOut{kind: "limit", what: "drop the " + r.words + " of " + r.object, change: r.relax},
			)
		case !r.holds && strings.HasPrefix(r.words, "minValues "):
			wider = append(wider, wayOut{kind: "pool", what: "drop " + r.words + " of " + r.object, change: r.relax})
		}
	}
	slices.SortStableFunc(limits, func(a, b wayOut) int { return cmp.Compare(a.what, b.what) })
	return slices.Concat(limits, wider)
}

// gates are flags of the controller.
func gates() []wayOut {
	return []wayOut{
		{
			kind:  "spot",
			what:  "let spot be replaced by spot (feature gate SpotToSpotConsolidation)",
			rules: func(r *disrupt.Rules) { r.SpotToSpot = true },
		},
		{
			kind: "price",
			what: savesLittle,
			rules: func(r *disrupt.Rules) {
				r.MinSaving, r.Payback, r.PodPrice = 0, 0, 0
			},
		},
	}
}
