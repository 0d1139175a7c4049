package whatif

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/remedy"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// ForPod is the smallest change that gives a pod of a plan a place; nil for one that has a place, or is not planned.
func ForPod(r *simulate.Result, p engine.Policy, pod string) *view.Remedy {
	id := shape.PodID(pod)
	if !slices.ContainsFunc(r.Decision.Unplaced, func(u engine.Unplaced) bool { return u.Pod == id }) {
		return nil
	}
	found, ok := remedy.Find(r.Snapshot, p, id)
	if !ok {
		return &view.Remedy{
			Kinds:   []string{},
			Changes: []string{},
			None:    "nothing that could be relaxed gives it a place; no NodePool sells what it needs",
		}
	}
	out := &view.Remedy{Then: "it goes on " + found.Goes, Others: found.Others}
	for i := range found.Changes {
		out.Kinds = append(out.Kinds, string(found.Changes[i].Kind))
		out.Changes = append(out.Changes, found.Changes[i].What)
	}
	return out
}

// PodText is ForPod in words; empty for nothing.
func PodText(r *simulate.Result, p engine.Policy, pod string) string {
	if r == nil {
		return ""
	}
	if found := ForPod(r, p, pod); found != nil {
		return found.Text()
	}
	return ""
}

// wayOut is a change that may free a node.
type wayOut struct {
	kind, what string
	change     func(*manifest.Set)
	rules      func(*disrupt.Rules)
}

// mostWays is how many changes are tried for one node: each is a search over the fleet.
const mostWays = 24

// ForNode is the smallest change with which the controller would give a node up now. It is total: for a node that
// nothing frees it says so. stays is why it is still there. The error is that of planning.
func ForNode(in roster.Input, node string) (stays string, _ *view.Remedy, _ error) {
	try := trial{in: in, node: node}
	then, goes, err := try.plan(in.Set, roster.Rules())
	if err != nil {
		return "", nil, err
	}
	out := &view.Remedy{Kinds: []string{}, Changes: []string{}}
	if goes {
		out.None = "nothing has to change: " + then
		return try.stays, out, nil
	}
	ways := waysOut(in.Set, node)
	ways = ways[:min(len(ways), mostWays)]
	for i := range ways {
		then, ok := try.with(ways[i : i+1])
		switch {
		case !ok:
		case len(out.Changes) == 0:
			out.Kinds, out.Changes, out.Then = []string{ways[i].kind}, []string{ways[i].what}, then
		case len(out.Others) < mostOthers:
			out.Others = append(out.Others, ways[i].what)
		}
	}
	if len(out.Changes) == 0 {
		try.together(ways, out)
	}
	return try.stays, out, nil
}

// mostOthers is how many further changes are named.
const mostOthers = 4

// trial plans what becomes of one node.
type trial struct {
	in    roster.Input
	node  string
	stays string // why it stays in the cluster that was looked at first
}

// plan says whether the node goes, and with what.
func (t *trial) plan(set *manifest.Set, rules disrupt.Rules) (then string, goes bool, err error) {
	input := t.in.Input
	input.Set = set
	ready, err := simulate.Prepare(input)
	if err != nil {
		return "", false, err
	}
	moves, err := ready.Consolidate(rules, 1)
	if err != nil {
		return "", false, err
	}
	if t.stays == "" {
		t.stays = "it may go"
		if i := slices.IndexFunc(moves.Stay, func(s view.Stay) bool { return s.Node == t.node }); i >= 0 {
			t.stays = moves.Stay[i].Why
		}
	}
	for i := range moves.Moves {
		m := &moves.Moves[i]
		if slices.Contains(m.GiveUp, t.node) && !slices.Contains(m.Later, t.node) {
			return "it goes, with " + departure(m), true, nil
		}
	}
	return "", false, nil
}

// with says whether the node goes once changes are made. Changes that make a cluster which cannot be are none.
func (t *trial) with(list []wayOut) (then string, goes bool) {
	set, rules := *t.in.Set, roster.Rules()
	for _, w := range list {
		if w.change != nil {
			w.change(&set)
		}
		if w.rules != nil {
			w.rules(&rules)
		}
	}
	then, goes, err := t.plan(&set, rules)
	return then, goes && err == nil
}

// together makes all changes, for nodes that more than one thing keeps, and takes back what is not needed.
func (t *trial) together(ways []wayOut, out *view.Remedy) {
	then, ok := t.with(ways)
	if !ok {
		out.None = "no rule keeps it; its pods cost least where they are"
		return
	}
	for i := len(ways) - 1; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(ways), i, i+1)
		if less, still := t.with(fewer); still {
			ways, then = fewer, less
		}
	}
	out.Then = then
	for _, w := range ways {
		out.Kinds, out.Changes = append(out.Kinds, w.kind), append(out.Changes, w.what)
	}
}

func departure(m *view.Move) string {
	open := "nothing is bought instead"
	if len(m.Open) > 0 {
		open = fmt.Sprintf(
			"%s for %s/h is bought instead",
			view.Count(len(m.Open), "node"),
			view.PerHour(shape.Dollars(m.Instead)).Dollars(),
		)
	}
	return fmt.Sprintf(
		"%s to move, %s, saving %s/h",
		view.Count(m.Evicted, "pod"),
		open,
		(view.PerHour(shape.Dollars(m.Price)) - view.PerHour(shape.Dollars(m.Instead))).Dollars(),
	)
}

// NodeText is ForNode in words.
func NodeText(in roster.Input, node string) string {
	stays, found, err := ForNode(in, node)
	if err != nil {
		return "what would free it is not known: " + err.Error() + "\n"
	}
	return "still here: " + stays + "\n" + found.Text()
}

// waysOut are the changes that may free a node, the least to ask for first.
func waysOut(set *manifest.Set, node string) (out []wayOut) {
	var pods []*corev1.Pod
	for _, p := range set.Pods {
		if p.Spec.NodeName == node && !translate.Finished(p) && !translate.BoundByOwner(p) {
			pods = append(pods, p)
		}
	}
	pool := poolOf(set, node)
	out = slices.Concat(holdsOff(set, pool), annotations(set, node, pods), guardsOff(set, pods), settings(set, pool))
	workloads := map[string]bool{}
	for _, p := range pods {
		workloads[Workload(p)], workloads[string(translate.IDOf(p))] = true, true
	}
	for _, r := range workloadRules(set) {
		if workloads[r.object] && !r.holds {
			out = append(
				out,
				wayOut{kind: kindOf(r.words), what: "drop " + r.words + " of " + r.object, change: r.relax},
			)
		}
	}
	for _, r := range poolRules(set) {
		if strings.HasPrefix(r.words, "limit ") {
			out = append(out, wayOut{kind: "limit", what: "drop the " + r.words + " of " + r.object, change: r.relax})
		}
	}
	out = append(
		out,
		wayOut{
			kind: "price",
			what: savesLittle,
			rules: func(r *disrupt.Rules) {
				r.MinSaving, r.Payback, r.PodPrice = 0, 0, 0
			},
		},
	)
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

func poolOf(set *manifest.Set, node string) string {
	for _, n := range set.Nodes {
		if n.Name == node {
			return n.Labels[karpenterv1.NodePoolLabelKey]
		}
	}
	return ""
}

// holdsOff takes back what holds the fleet.
func holdsOff(set *manifest.Set, pool string) (out []wayOut) {
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
					s.Pods = slices.Clone(s.Pods)
					for i, p := range s.Pods {
						if slices.Contains(names, string(translate.IDOf(p))) {
							s.Pods[i] = p.DeepCopy()
							delete(s.Pods[i].Annotations, key)
						}
					}
				},
			},
		)
	}
	return out
}

// guardsOff are the PodDisruptionBudgets of the node's pods, one by one.
func guardsOff(set *manifest.Set, pods []*corev1.Pod) (out []wayOut) {
	for _, b := range set.Budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			continue
		}
		n := 0
		for _, p := range pods {
			if p.Namespace == b.Namespace && selector.Matches(labels.Set(p.Labels)) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		namespace, name := b.Namespace, b.Name
		what := fmt.Sprintf(
			"let PodDisruptionBudget %s/%s (%s) allow %s more",
			namespace,
			name,
			guardWords(b),
			view.Count(n, "eviction"),
		)
		out = append(out, wayOut{kind: "PDB", what: what, change: func(s *manifest.Set) {
			s.Budgets = slices.DeleteFunc(
				slices.Clone(s.Budgets),
				func(o *policyv1.PodDisruptionBudget) bool { return o.Namespace == namespace && o.Name == name },
			)
		}})
	}
	return out
}

// settings are those of the node's NodePool.
func settings(set *manifest.Set, pool string) (out []wayOut) {
	for _, np := range set.NodePools {
		if np.Name != pool {
			continue
		}
		d := &np.Spec.Disruption
		add := func(kind, what string, change func(*karpenterv1.NodePool)) {
			out = append(
				out,
				wayOut{kind: kind, what: what, change: func(s *manifest.Set) { changePool(s, pool, change) }},
			)
		}
		if len(d.Budgets) > 0 {
			add(
				"budget",
				fmt.Sprintf("let the budgets of NodePool %s (%s) let one more node go", pool, budgetWords(np)),
				func(np *karpenterv1.NodePool) {
					np.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "100%"}}
				},
			)
		} else {
			add(
				"budget",
				"let the default budget of NodePool "+pool+" (10%) let one more node go",
				func(np *karpenterv1.NodePool) {
					np.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "100%"}}
				},
			)
		}
		if d.ConsolidateAfter.IsNever() || d.ConsolidateAfter.Duration != nil && *d.ConsolidateAfter.Duration > 0 {
			add(
				"consolidateAfter",
				fmt.Sprintf("shorten consolidateAfter of NodePool %s, which is %s", pool, d.ConsolidateAfter.String()),
				atOnce,
			)
		}
		if d.ConsolidationPolicy == karpenterv1.ConsolidationPolicyWhenEmpty {
			add(
				"consolidationPolicy",
				"let NodePool "+pool+" give up nodes that are not empty (consolidationPolicy: "+
					"WhenEmptyOrUnderutilized)",
				func(np *karpenterv1.NodePool) {
					np.Spec.Disruption.ConsolidationPolicy = ""
				},
			)
		}
	}
	return out
}
