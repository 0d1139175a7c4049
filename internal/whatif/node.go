package whatif

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// mostWays is how many single changes are tried for one node: each is a search over the fleet.
const mostWays = 24

// mostOthers is how many further changes are named.
const mostOthers = 4

// ForNode is the smallest change with which the controller would give a node up now. It is total: where no change is
// needed, or none can be made, it says that. stays is why the node is still there. The error is that of planning.
func ForNode(in roster.Input, node string) (stays string, _ *view.Remedy, _ error) {
	try := trial{in: in, node: node}
	then, goes, err := try.plan(in.Set, roster.Rules(), in.Now)
	if err != nil {
		return "", nil, err
	}
	out := &view.Remedy{Kinds: []string{}, Changes: []string{}}
	switch never := hopeless(in.Set, node); {
	case goes:
		out.None = "nothing has to change: " + then
	case never != "":
		out.None = never
	default:
		try.find(out)
	}
	return try.stays, out, nil
}

// trial plans what becomes of one node.
type trial struct {
	in    roster.Input
	node  string
	stays string   // why it stays in the cluster that was looked at first
	from  []string // nodes whose pods came to it in the last plan
}

// find looks for one change, else for several: of what keeps this node alone; of what its pods ask for; of what is
// worth a move at all; and at last of how many pods there are, with which any node goes. More is not always better:
// with all rules gone other nodes may go instead, and this one takes their pods.
func (t *trial) find(out *view.Remedy) {
	w := waysOut(t.in.Set, t.node, t.in.Now)
	single := w.all()
	t.single(single[:min(len(single), mostWays)], out)
	if len(out.Changes) > 0 {
		return
	}
	requests, scaled := requests(t.in.Set, t.node), scaled(movable(t.in.Set, t.node))
	as := func(lists ...[]wayOut) func() []wayOut {
		return func() []wayOut { return slices.Concat(lists...) }
	}
	for _, together := range []func() []wayOut{
		as(w.keeps),
		as(w.keeps, w.wishes),
		as(w.keeps, w.worth),
		as(w.keeps, w.market),
		as(single),
		as(w.keeps, requests),
		as(w.keeps, w.wishes, requests),
		func() []wayOut { return t.instead(w.keeps) },
		as(w.keeps, scaled),
		func() []wayOut { return t.alone(slices.Concat(w.keeps, scaled)) },
	} {
		if t.together(together(), out) {
			return
		}
	}
	out.None = "nothing that is known lets it go: " + t.stays
}

// instead adds that nodes stay whose pods come to this one: it is needed because they go.
func (t *trial) instead(ways []wayOut) []wayOut {
	kept := map[string]bool{t.node: true}
	for range mostRounds {
		if _, ok := t.with(ways); ok {
			return ways
		}
		more := false
		for _, name := range t.from {
			if !kept[name] {
				kept[name], more = true, true
				ways = append(ways, keeping(name))
			}
		}
		if !more {
			return ways
		}
	}
	return ways
}

// mostRounds is how often it is looked who comes when others have stayed.
const mostRounds = 20

// alone adds that no pods come: of nodes that could stay as well, of nodes that are going already, or that wait.
func (t *trial) alone(ways []wayOut) []wayOut {
	for range mostRounds {
		ways = t.instead(ways)
		if _, ok := t.with(ways); ok {
			break
		}
		more := scaled(t.comers(ways))
		if len(more) == 0 {
			break
		}
		ways = append(ways, more...)
	}
	return ways
}

// comers are pods that a plan puts on the node once changes are made.
func (t *trial) comers(ways []wayOut) (out []*corev1.Pod) {
	set, _ := t.changed(ways)
	input := t.in.Input
	input.Set = set
	ready, err := simulate.Prepare(input)
	if err != nil {
		return nil
	}
	result, err := ready.Plan()
	if err != nil {
		return nil
	}
	for _, place := range result.Decision.Place {
		if i := slices.IndexFunc(set.Pods, func(p *corev1.Pod) bool {
			return place.Node == t.node && translate.IDOf(p) == place.Pod
		}); i >= 0 {
			out = append(out, set.Pods[i])
		}
	}
	return out
}

// single offers the first change that is enough, and names others that are.
func (t *trial) single(ways []wayOut, out *view.Remedy) {
	for i := range ways {
		then, ok := t.with(ways[i : i+1])
		switch {
		case !ok:
		case len(out.Changes) == 0:
			t.offer(t.narrowed(ways[i:i+1], then), out)
		case len(out.Others) < mostOthers:
			out.Others = append(out.Others, ways[i].what)
		}
	}
}

// together makes all changes, for nodes that more than one thing keeps, and takes back what is not needed.
func (t *trial) together(ways []wayOut, out *view.Remedy) bool {
	then, ok := t.with(ways)
	if !ok {
		return false
	}
	// Half of them at a time first: few of many are needed.
	for size := len(ways) / 2; size > 0; size /= 2 {
		for i := len(ways) - size; i >= 0; i -= size {
			fewer := slices.Delete(slices.Clone(ways), i, i+size)
			if less, still := t.with(fewer); still {
				ways, then = fewer, less
			}
		}
	}
	t.offer(t.narrowed(ways, then), out)
	return true
}

// proven are changes, and what the plan with them says.
type proven struct {
	ways []wayOut
	then string
}

func (t *trial) offer(p proven, out *view.Remedy) {
	out.Then = p.then
	for _, w := range p.ways {
		out.Kinds, out.Changes = append(out.Kinds, w.kind), append(out.Changes, w.what)
	}
}

// narrowed asks for no more than must be: in place of each change the least of its kind that is enough.
func (t *trial) narrowed(ways []wayOut, then string) proven {
	ways = slices.Clone(ways)
	for i := range ways {
		whole := ways[i]
		for _, less := range whole.less {
			ways[i] = less
			if said, ok := t.with(ways); ok {
				whole, then = less, said
				break
			}
		}
		ways[i] = whole
	}
	return proven{ways, then}
}

// plan says whether the node goes, and with what.
func (t *trial) plan(set *manifest.Set, rules disrupt.Rules, at time.Time) (then string, goes bool, err error) {
	input := t.in.Input
	input.Set, input.Now = set, at
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
	t.from = nil
	for i := range moves.Moves {
		m := &moves.Moves[i]
		if slices.ContainsFunc(m.Placed, func(p view.Placement) bool { return p.Node == t.node }) {
			t.from = append(t.from, m.GiveUp...)
		}
		if slices.Contains(m.GiveUp, t.node) && !slices.Contains(m.Later, t.node) {
			return "it goes, with " + departure(m), true, nil
		}
	}
	return "", false, nil
}

// with says whether the node goes once changes are made. Changes that make a cluster which cannot be are none.
func (t *trial) with(list []wayOut) (then string, goes bool) {
	set, rules := t.changed(list)
	then, goes, err := t.plan(set, rules, t.later(list))
	return then, goes && err == nil
}

// later is when changes are made.
func (t *trial) later(list []wayOut) time.Time {
	at := t.in.Now
	for _, w := range list {
		at = at.Add(w.later)
	}
	return at
}

// changed is the cluster with changes made.
func (t *trial) changed(list []wayOut) (*manifest.Set, disrupt.Rules) {
	set, rules := *t.in.Set, roster.Rules()
	for _, w := range list {
		if w.change != nil {
			w.change(&set)
		}
		if w.rules != nil {
			w.rules(&rules)
		}
	}
	return &set, rules
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
