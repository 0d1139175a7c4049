package refit

import (
	"cmp"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Outlook is what becomes of the pods of nodes that go together.
type Outlook struct {
	// Why the nodes cannot go after all; a zero Reason if they can.
	Why Reason
	// Unplaced is the pod that Why is about if one has no other place.
	Unplaced *engine.Unplaced
	// Open are the nodes that are missing still.
	Open []engine.NewNode
	// Waits is set when pods go to nodes that are on their way.
	Waits bool
	// InTurn is set when topology rules tie pods of several nodes that go: see Move.
	InTurn bool
	// Place says which pods go to nodes that exist or are on their way, ascending by pod.
	Place []engine.Placement
	// Homes is Place as Course wants it: by claims where there are some, which outlast the names of nodes on their way.
	Homes map[shape.PodID]string
}

// Ready reports whether every pod has a place on a node that is ready.
func (o *Outlook) Ready() bool { return o.Why.Kind == "" && len(o.Open) == 0 && !o.Waits }

// Course is a move that has begun.
type Course struct {
	// Nodes are those of its nodes that are still there.
	Nodes []string
	// Homes says where its pods were planned to go: to which node, or claim of a node. Pods that it does not name go
	// anywhere.
	Homes map[shape.PodID]string
	// Thrifty moves are given up when what is missing would cost more than what goes, or as much.
	Thrifty bool
}

// Follow asks what becomes of a move that was begun, for whatever reason. What it needs then counts as taken, unless
// its nodes cannot go. Pods go where they were planned to go as long as that holds. What is missing for a thrifty move
// is narrowed to options that cost less for certain.
func (r *Pass) Follow(c Course) Outlook {
	f := r.fleet
	f.reserve(c, -1)
	var set []int
	m := Move{}
	for _, name := range c.Nodes {
		if i, ok := f.at[name]; ok && f.nodes[i].role != gone {
			set = append(set, i)
			m.Remove = append(m.Remove, name)
		}
	}
	seen := f.look(set, c.Homes, f.policy.Plan.Effort)
	if u := seen.decision.Unplaced; len(u) > 0 {
		return Outlook{Why: WithoutPlace(&u[0]), Unplaced: &u[0]}
	}
	m.Open, m.Place = seen.decision.Open, seen.decision.Place
	if len(m.Open) > 0 && c.Thrifty {
		if why := f.cheaper(&m); why.Kind != "" {
			return Outlook{Why: why}
		}
	}
	out := Outlook{
		Open: m.Open, Place: m.Place, InTurn: len(m.Remove) > 1 && f.dependOnEachOther(&m),
		Homes: make(map[shape.PodID]string, len(m.Place)),
	}
	for _, p := range m.Place {
		n := f.snapshot.Nodes[f.at[p.Node]]
		out.Waits = out.Waits || n.Stage != shape.Ready
		out.Homes[p.Pod] = cmp.Or(n.Claim, n.Name)
	}
	f.settle(&m)
	return out
}

// reserve takes what a course needs off its pods' homes, times n: moves that are under way must not take each other's
// room.
func (f *fleet) reserve(c Course, n int64) {
	for _, name := range c.Nodes {
		i, ok := f.at[name]
		if !ok {
			continue
		}
		for _, pod := range f.snapshot.Nodes[i].Pods {
			if at, ok := f.homes[c.Homes[pod.ID]]; ok && pod.Role == shape.Movable {
				f.snapshot.Nodes[at] = f.loaded(f.snapshot.Nodes[at], f.class(pod.Class).Requests.Times(n))
			}
		}
	}
}

// WithoutPlace is why a node stays one of whose pods has no other place.
func WithoutPlace(u *engine.Unplaced) Reason {
	return Reason{Kind: NoPlace, Want: "pod " + string(u.Pod) + " has no other place: " + u.Why.Sentence()}
}
