package whatif_test

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

var clusters = flag.Int("clusters", 5, "random clusters whose nodes are asked why they stay")

// tally is how answers fare.
type tally struct {
	sync.Mutex
	nodes, offered, single, works int
	none                          map[string]int
	failed                        []string
}

// TestWhatFreesANodeDoesFreeIt asks of each node of random clusters that stays what would free it, has somebody do
// what the answer says who reads nothing but the words, and plans again: the node has to go, by a move that keeps
// PodDisruptionBudgets, budgets and room, which is worked out here once more.
func TestWhatFreesANodeDoesFreeIt(t *testing.T) {
	t.Parallel()
	n := *clusters
	if testing.Short() {
		n = min(n, 6)
	}
	total := tally{none: map[string]int{}}
	t.Run("clusters", func(t *testing.T) {
		for seed := range uint64(n) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				total.ask(t, fleet(t, seed), seed)
			})
		}
	})
	t.Logf("%d nodes stay: %d are offered a change, %d a single one; it works for %d; without: %v",
		total.nodes, total.offered, total.single, total.works, total.none)
	for _, f := range total.failed {
		t.Log(f)
	}
	if total.works*100 < total.offered*99 {
		t.Errorf("%d of %d changes work, want 99 %%", total.works, total.offered)
	}
	unknown := 0
	for why, n := range total.none {
		if strings.HasPrefix(why, "nothing that is known") {
			unknown += n
		}
	}
	if unknown*100 > total.nodes {
		t.Errorf("nothing is known for %d of %d nodes, want at most 1 %%", unknown, total.nodes)
	}
}

func (a *tally) ask(t *testing.T, in roster.Input, seed uint64) {
	moves, err := foresee(&person{in, roster.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range moves.Stay {
		node := moves.Stay[i].Node
		stays, r, err := whatif.ForNode(in, node)
		if err != nil || stays == "" || (r.None == "") == (len(r.Changes) == 0) {
			t.Fatalf("%s: %q, %+v, %v", node, stays, r, err)
		}
		fault := ""
		if r.None == "" {
			fault = tried(in, node, r)
		}
		a.Lock()
		a.nodes++
		switch {
		case r.None != "":
			a.none[strings.SplitN(r.None, ":", 2)[0]]++
		case fault != "":
			a.offered++
			a.failed = append(a.failed, fmt.Sprintf("seed %d, %s, which stays since %s: %q: %s", seed, node, stays,
				r.Changes, fault))
		default:
			a.offered++
			a.works++
			if len(r.Changes) == 1 {
				a.single++
			}
		}
		a.Unlock()
	}
}

// foresee plans what a person has made of a cluster.
func foresee(p *person) (*view.Moves, error) {
	ready, err := simulate.Prepare(p.in.Input)
	if err != nil {
		return nil, err
	}
	return ready.Consolidate(p.rules, 1)
}

// tried is what is wrong with a remedy, or nothing.
func tried(in roster.Input, node string, r *view.Remedy) string {
	p, err := asked(in, r.Changes)
	if err != nil {
		return err.Error()
	}
	moves, err := foresee(p)
	if err != nil {
		return err.Error()
	}
	for i := range moves.Moves {
		m := &moves.Moves[i]
		if slices.Contains(m.GiveUp, node) && !slices.Contains(m.Later, node) {
			return cmp.Or(p.unhoused(m), p.guarded(m), p.overBudget(moves, node))
		}
	}
	i := slices.IndexFunc(moves.Stay, func(s view.Stay) bool { return s.Node == node })
	if i < 0 {
		return "it goes, but not now"
	}
	return "it stays: " + moves.Stay[i].Why
}

// moved are the pods of a move that need another place.
func (p *person) moved(m *view.Move) (out []*corev1.Pod) {
	for _, pod := range p.in.Set.Pods {
		owner := ""
		for _, o := range pod.OwnerReferences {
			owner = o.Kind
		}
		if slices.Contains(m.GiveUp, pod.Spec.NodeName) && owner != "DaemonSet" {
			out = append(out, pod)
		}
	}
	return out
}

// unhoused says which pod of a move gets no place, or one that has no room or a label too few.
func (p *person) unhoused(m *view.Move) string {
	home := map[string]string{}
	for _, place := range m.Placed {
		home[place.Pod] = place.Node
	}
	for i := range m.Open {
		for _, pod := range m.Open[i].Pods {
			home[pod] = "new"
		}
	}
	for _, pod := range p.moved(m) {
		id := pod.Namespace + "/" + pod.Name
		at := home[id]
		switch {
		case at == "":
			return "pod " + id + " has no place"
		case at == "new":
			continue
		case slices.Contains(m.GiveUp, at):
			return "pod " + id + " goes onto a node that goes"
		}
		if why := p.crowded(pod, at, home); why != "" {
			return why
		}
	}
	return ""
}

// crowded says what a pod's new home lacks.
func (p *person) crowded(pod *corev1.Pod, at string, home map[string]string) string {
	n := p.node(at)
	if !labels.SelectorFromSet(pod.Spec.NodeSelector).Matches(labels.Set(n.Labels)) {
		return "pod " + pod.Name + " does not want node " + at
	}
	sum := int64(0)
	for _, other := range p.in.Set.Pods {
		if other.Spec.NodeName != at && home[other.Namespace+"/"+other.Name] != at {
			continue
		}
		for i := range other.Spec.Containers {
			sum += other.Spec.Containers[i].Resources.Requests.Cpu().MilliValue()
		}
	}
	if has := n.Status.Allocatable.Cpu().MilliValue(); sum > has {
		return fmt.Sprintf("node %s has %dm cpu, and gets pods that request %dm", at, has, sum)
	}
	return ""
}

// guarded says which pod of a move must not be evicted.
func (p *person) guarded(m *view.Move) string {
	for _, pod := range p.moved(m) {
		if pod.Annotations[doNotDisrupt] == "true" {
			return pod.Name + " must not be disrupted"
		}
		guards := 0
		for _, b := range p.in.Set.Budgets {
			if b.Namespace != pod.Namespace || pod.Labels["app"] != b.Spec.Selector.MatchLabels["app"] {
				continue
			}
			status, err := simulate.Guarded(b, p.in.Set.Pods)
			if guards++; err != nil || status.DisruptionsAllowed <= 0 || guards > 1 {
				return fmt.Sprintf("PodDisruptionBudget %s lets %s not go, %v", b.Name, pod.Name, err)
			}
		}
	}
	return ""
}

// overBudget says if the moves of a NodePool are more than what its budget is said to be. Only a budget of a number
// without reasons is looked at, which is what an answer asks for.
func (p *person) overBudget(moves *view.Moves, node string) string {
	pool := p.pool(p.node(node).Labels["karpenter.sh/nodepool"])
	budgets := pool.Spec.Disruption.Budgets
	if len(budgets) != 1 || strings.HasSuffix(budgets[0].Nodes, "%") || len(budgets[0].Reasons) > 0 {
		return ""
	}
	most, err := strconv.Atoi(budgets[0].Nodes)
	if err != nil {
		return ""
	}
	goes := 0
	for i := range moves.Moves {
		for _, name := range moves.Moves[i].GiveUp {
			if p.node(name).Labels["karpenter.sh/nodepool"] == pool.Name &&
				!slices.Contains(moves.Moves[i].Later, name) && moves.Moves[i].Reason != "Expired" {
				goes++
			}
		}
	}
	if goes > most {
		return fmt.Sprintf("%d nodes go, and the budget is %d", goes, most)
	}
	return ""
}
