package roster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Input is a cluster at one moment.
type Input struct {
	simulate.Input

	Source  string   // where it was read, for the screen
	Missing []string // what could not be read
}

// Seen is a cluster that has been looked at. It does not change.
type Seen struct {
	ready    *simulate.Prepared
	snapshot shape.Snapshot
	in       Input

	nodes  map[string]*corev1.Node           // by name
	claims map[string]*karpenterv1.NodeClaim // by name
	pods   map[string][]*corev1.Pod          // by node, those that have not finished
	guards map[string][]guard                // by namespace
}

type guard struct {
	*policyv1.PodDisruptionBudget
	selector labels.Selector
}

// Look reads off a cluster what needs no planning. The error names an object that no API server can have accepted;
// there is none for a lenient Input.
func Look(in Input) (*Seen, error) {
	ready, err := simulate.Prepare(in.Input)
	if err != nil {
		return nil, err
	}
	s := &Seen{
		ready:    ready,
		snapshot: ready.Snapshot(),
		in:       in,
		nodes:    map[string]*corev1.Node{},
		claims:   map[string]*karpenterv1.NodeClaim{},
		pods:     map[string][]*corev1.Pod{},
		guards:   map[string][]guard{},
	}
	for _, n := range in.Set.Nodes {
		s.nodes[n.Name] = n
	}
	for _, c := range in.Set.NodeClaims {
		s.claims[c.Name] = c
	}
	for _, p := range in.Set.Pods {
		if p.Spec.NodeName != "" && !translate.Finished(p) {
			s.pods[p.Spec.NodeName] = append(s.pods[p.Spec.NodeName], p)
		}
	}
	for _, b := range in.Set.Budgets {
		if selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil {
			s.guards[b.Namespace] = append(s.guards[b.Namespace], guard{b, selector})
		}
	}
	return s, nil
}

// Fleet is the read model, with thoughts about this cluster or an earlier one; nil for none yet.
func (s *Seen) Fleet(t *Thoughts) view.Fleet {
	now := s.in.Now
	out := view.Fleet{
		Header:  view.HeaderOf("Fleet"),
		At:      now,
		Source:  s.in.Source,
		Missing: slices.Clone(s.in.Missing),
		Nodes: make(
			[]view.Machine,
			0,
			len(s.snapshot.Nodes),
		),
		Pending: []view.Waiting{},
		Pools:   []view.Pool{},
		Moves:   []view.Course{},
	}
	pools := map[string]*view.Pool{}
	for _, np := range s.in.Set.NodePools {
		pools[np.Name] = &view.Pool{Name: np.Name}
	}
	stays := t.stays()
	for _, n := range s.snapshot.Nodes {
		m := s.machine(n)
		if m.Why == "" {
			if stay, ok := stays[m.Name]; ok {
				m.Why, m.WhyKind, m.Left = stay.Why, stay.Kind, stay.Left
			}
		}
		out.Nodes = append(out.Nodes, m)
		add(&out.Money, &m)
		if p := pools[m.Pool]; p != nil {
			p.Nodes++
			p.PerHour += m.Price
		}
	}
	slices.SortFunc(
		out.Nodes,
		func(a, b view.Machine) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Claim, b.Claim)) },
	)
	for _, np := range s.in.Set.NodePools {
		s.fill(pools[np.Name], np, &out)
		out.Pools = append(out.Pools, *pools[np.Name])
	}
	slices.SortFunc(out.Pools, func(a, b view.Pool) int { return cmp.Compare(a.Name, b.Name) })
	out.Pending = s.pending(t)
	out.Moves = slices.Concat(underWay(out.Nodes), t.moves())
	if t != nil {
		out.Money.Thought, out.Money.Bound, out.Money.Saving = true, view.PerHour(t.bound), t.saving()
		out.Notes = t.notes
	}
	out.Missing = append(out.Missing, unpriced(out.Nodes)...)
	return out
}

func add(to *view.Money, m *view.Machine) {
	to.Nodes++
	to.PerHour += m.Price
	if m.Pool != "" {
		to.Pools += m.Price
	}
	if !m.Priced() {
		to.Unpriced++
	}
	if m.Phase.Going() {
		to.UnderWay++
	}
}

// underWay are the moves that have begun, nodes that go for one reason together.
func underWay(nodes []view.Machine) (out []view.Course) {
	at := map[string]int{}
	for i := range nodes {
		m := &nodes[i]
		if !m.Phase.Going() {
			continue
		}
		reason := cmp.Or(m.WhyKind, "Deleted")
		k, known := at[reason]
		if !known {
			k = len(out)
			at[reason] = k
			out = append(out, view.Course{State: "under way", Reason: reason, Why: m.Why})
		}
		out[k].GiveUp = append(out[k].GiveUp, m.Name)
		out[k].Evicted += len(m.Pods)
		out[k].Saving += m.Price
	}
	return out
}

// unpriced says which types have no price.
func unpriced(nodes []view.Machine) []string {
	unknown := map[string]int{}
	for i := range nodes {
		if m := &nodes[i]; !m.Priced() {
			unknown[cmp.Or(m.InstanceType, "an unknown type")]++
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	var list []string
	for name, n := range unknown {
		list = append(list, fmt.Sprintf("%d of %s", n, name))
	}
	slices.Sort(list)
	if len(list) > mostTypes {
		list = append(list[:mostTypes], "others")
	}
	return []string{"prices of " + strings.Join(list, ", ")}
}

// mostTypes is how many types are named.
const mostTypes = 3
