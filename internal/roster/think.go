package roster

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/consolidatable"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Thoughts are what planning says of a cluster.
type Thoughts struct {
	plan    *simulate.Result
	outlook *view.Moves
	left    map[string]time.Duration // by node: until its consolidateAfter is over
	bound   shape.Money
	notes   []string
}

// Rules are those that the controller has unless it is told otherwise.
func Rules() disrupt.Rules {
	p := refit.DefaultPolicy()
	return disrupt.Rules{MinSaving: p.MinSaving, PodPrice: p.PodPrice, Payback: p.Payback}
}

// briefLength is how long the reason in a line of pods may be.
const briefLength = 300

// Think plans the pods that wait, looks for moves and works out the bound: all that takes time. It may run beside
// Fleet. The error is that of Look.
func (s *Seen) Think() (*Thoughts, error) {
	t := &Thoughts{left: map[string]time.Duration{}}
	var err error
	if t.plan, err = s.ready.Plan(); err != nil {
		return nil, err
	}
	if t.bound, err = Bound(s.ready); err != nil {
		return nil, err
	}
	again, err := simulate.Prepare(s.in.Input) // looking for moves changes what is prepared
	if err != nil {
		return nil, err
	}
	if t.outlook, err = again.Consolidate(Rules(), 1); err != nil {
		return nil, err
	}
	pools := map[string]int{}
	for i, np := range s.in.Set.NodePools {
		pools[np.Name] = i
	}
	for _, n := range s.snapshot.Nodes {
		claim := s.claims[n.Claim]
		i, known := pools[n.Pool]
		if claim == nil || !known {
			continue
		}
		if left, ever := consolidatable.Quiet(claim, s.in.Set.NodePools[i], s.in.Now); ever && left > 0 {
			t.left[n.Name] = left
		}
	}
	t.notes = t.outlook.Notes
	return t, nil
}

// Explain says of a pod in words where it goes and what else could hold it, or why nothing can.
func (t *Thoughts) Explain(pod string) string {
	if t == nil {
		return "nobody has planned yet; try again in a moment"
	}
	answer, err := t.plan.ExplainPod(pod)
	return inWords(&answer, err)
}

// ExplainNode says of a node in words what is on it and what keeps pods that wait off it.
func (t *Thoughts) ExplainNode(node string) string {
	if t == nil {
		return "nobody has planned yet; try again in a moment"
	}
	answer, err := t.plan.ExplainNode(node)
	return inWords(&answer, err)
}

// inWords is an answer as people read it, or why there is none.
func inWords(answer interface{ Text(to io.Writer) error }, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	if err := answer.Text(&b); err != nil {
		return err.Error()
	}
	return b.String()
}

// Plan is what was planned for the pods that wait; nil if nobody has thought.
func (t *Thoughts) Plan() *simulate.Result {
	if t == nil {
		return nil
	}
	return t.plan
}

// Bound is a price that no fleet of the NodePools for the same pods can go below; 0 if nothing is proven, as for pools
// of several weights.
func Bound(ready *simulate.Prepared) (shape.Money, error) {
	r, err := ready.Anew().Plan()
	if err != nil {
		return 0, err
	}
	bound := r.Decision.Bound
	for _, n := range r.Snapshot.Nodes {
		bound += n.Price // of pools that keep a number of nodes
	}
	return bound, nil
}

type stay struct {
	view.Stay
	Left time.Duration
}

// stays are the nodes that stay, by name, those of moves to come with why they go among them.
func (t *Thoughts) stays() map[string]stay {
	out := map[string]stay{}
	if t == nil {
		return out
	}
	for _, s := range t.outlook.Stay {
		out[s.Node] = stay{s, 0}
		if left := t.left[s.Node]; left > 0 && s.Kind == string(refit.NotReady) {
			s.Why = "pods came or went, or it started, less than its consolidateAfter ago"
			out[s.Node] = stay{s, left}
		}
	}
	for i := range t.outlook.Moves {
		m := &t.outlook.Moves[i]
		for _, node := range m.GiveUp {
			why := "it may go: " + cmp.Or(
				m.Why,
				"that saves "+view.PerHour(shape.Dollars(m.Price-m.Instead)).Dollars()+" an hour",
			)
			if slices.Contains(m.Later, node) {
				why = "it goes once the budgets of its NodePool let it"
			}
			out[node] = stay{view.Stay{Node: node, Kind: cmp.Or(m.Reason, "Underutilized"), Why: why}, 0}
		}
	}
	return out
}

func (t *Thoughts) saving() view.PerHour {
	if t == nil {
		return 0
	}
	return view.PerHour(shape.Dollars(t.outlook.Together.Saving))
}

// moves are those that would be begun now.
func (t *Thoughts) moves() (out []view.Course) {
	if t == nil {
		return nil
	}
	for i := range t.outlook.Moves {
		m := &t.outlook.Moves[i]
		c := view.Course{
			State: "next", Reason: m.Reason, Why: m.Why, GiveUp: m.GiveUp, Evicted: m.Evicted,
			Saving: view.PerHour(shape.Dollars(m.Price)) - view.PerHour(shape.Dollars(m.Instead)),
		}
		for j := range m.Open {
			c.Open = append(c.Open, m.Open[j].InstanceType)
		}
		out = append(out, c)
	}
	return out
}

// pending are all pods without a node, whether anybody plans them or not; the error of a name cannot be, as the pods
// are the plan's own.
func (s *Seen) pending(t *Thoughts) []view.Waiting {
	out := []view.Waiting{}
	answer := t.verdicts()
	for _, p := range s.in.Set.Pods {
		if p.Spec.NodeName != "" || translate.Finished(p) || p.DeletionTimestamp != nil {
			continue
		}
		w := view.Waiting{Pod: string(translate.IDOf(p)), Since: since(p), Verdict: view.NotPlanned}
		switch said, ok := answer[w.Pod]; {
		case ok:
			said.Pod, said.Since = w.Pod, w.Since
			w = said
		case t == nil:
			w.Why = "not planned yet"
		default:
			w.Why = simulate.Unplanned(p)
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b view.Waiting) int { return cmp.Compare(a.Pod, b.Pod) })
	return out
}

func since(p *corev1.Pod) time.Time { return p.CreationTimestamp.Time }

// verdicts are what the plan has for pods, by name.
func (t *Thoughts) verdicts() map[string]view.Waiting {
	out := map[string]view.Waiting{}
	if t == nil {
		return out
	}
	d := &t.plan.Decision
	for i := range d.Unplaced {
		u := &d.Unplaced[i]
		out[string(u.Pod)] = view.Waiting{Verdict: view.NoPlace, Why: u.Why.Brief(briefLength), Tree: u.Why}
	}
	for i := range d.Open {
		n := view.NodeOf(&d.Open[i])
		for _, id := range n.Pods {
			out[id] = view.Waiting{
				Verdict: view.NewNode,
				Node:    n.Name,
				Why:     "a new node is to be bought: " + n.Words(),
			}
		}
	}
	for _, p := range d.Place {
		out[string(p.Pod)] = view.Waiting{
			Verdict: view.ExistingNode,
			Node:    p.Node,
			Why:     "there is room on node " + p.Node,
		}
	}
	return out
}
