package refit

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Outlook is what becomes of the pods of nodes that go together.
type Outlook struct {
	// Why the nodes cannot go after all; a zero Reason if they can.
	Why Reason
	// Open are the nodes that are missing still.
	Open []engine.NewNode
	// Waits is set when pods go to nodes that are on their way.
	Waits bool
	// Place says which pods go to nodes that exist or are on their way, ascending by pod.
	Place []engine.Placement
}

// Ready reports whether every pod has a place on a node that is ready.
func (o *Outlook) Ready() bool { return o.Why.Kind == "" && len(o.Open) == 0 && !o.Waits }

// Follow asks what becomes of nodes that were chosen to go together, for whatever reason. What they need then counts
// as taken, unless they cannot go. With thrifty set, they cannot go either if what is missing would cost more than they do,
// or as much; it is narrowed to options that cost less for certain.
func (r *Pass) Follow(nodes []string, thrifty bool) Outlook {
	f := r.fleet
	var set []int
	m := Move{}
	for _, name := range nodes {
		if i, ok := f.at[name]; ok && f.nodes[i].state != gone {
			set = append(set, i)
			m.Remove = append(m.Remove, name)
		}
	}
	seen := f.look(set, f.policy.Plan.Effort)
	if u := seen.decision.Unplaced; len(u) > 0 {
		return Outlook{Why: noPlace(&u[0])}
	}
	m.Open, m.Place = seen.decision.Open, seen.decision.Place
	if len(m.Open) > 0 && thrifty {
		if why := f.cheaper(&m); why.Kind != "" {
			return Outlook{Why: why}
		}
	}
	out := Outlook{Open: m.Open, Place: m.Place}
	out.Waits = slices.ContainsFunc(m.Place, func(p engine.Placement) bool { return f.snapshot.Nodes[f.at[p.Node]].Stage != shape.Ready })
	f.settle(&m)
	return out
}

// cheaper is accept for a move that was found worth its while before: now it must only save anything at all.
func (f *fleet) cheaper(m *Move) Reason {
	policy := *f.policy
	defer func(before *Policy) { f.policy = before }(f.policy)
	policy.MinSaving, policy.Payback = 0, 0
	f.policy = &policy
	return f.accept(m)
}

func noPlace(u *engine.Unplaced) Reason {
	return Reason{Kind: NoPlace, Want: "pod " + string(u.Pod) + " has no other place: " + u.Why.Sentence()}
}
