package refit

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// fleet is the cluster while moves are being found: a Snapshot in which those that were found are made already.
type fleet struct {
	cluster
	policy *Policy
	nodes  []nodeState // by node
	pools  map[string]*poolState
	homes  map[string]int // by node name and by claim: where pods of moves that are under way were planned to go

	planner engine.Planner
	around  []*shape.Node // scratch of look

	retryIn time.Duration // until the first move that was refused for its age alone would be made; 0 for none
}

// nodeState is what a node means for moves.
type nodeState struct {
	// podsToMove is how many pods need another place if the node goes.
	podsToMove  int
	disturbance int64
	age         time.Duration // of the youngest of the node and its pods that move; negative if that is not known
	managed     bool          // of one of the policy's pools, and not on its way out
	role        role
	why         Reason // for kept nodes and candidates that were looked at
}

// role is what may become of a node.
type role uint8

const (
	kept      role = iota // never goes
	candidate             // may go
	needed                // takes pods of nodes that go
	gone
)

// poolState is a pool's side of the moves.
type poolState struct {
	PoolPolicy
	left        int // of the budget; negative for no limit
	price       shape.Money
	disturbance int64
}

// ordinary is what evicting an ordinary pod weighs, and what giving up a node weighs beside its pods.
const ordinary = 1000

// newFleet takes a Snapshot as it is. Nodes of courses take no pods; nodes that are shut take none except those that
// moves under way count on, and those made since the given time: they were made for pods that move. The zero time is
// never.
func newFleet(s shape.Snapshot, p *Policy, since time.Time, courses []Course) *fleet {
	f := &fleet{
		cluster: cluster{snapshot: s, at: make(map[string]int, len(s.Nodes)), plannedProfiles: map[string]int32{}},
		policy:  p, nodes: make([]nodeState, len(s.Nodes)), pools: map[string]*poolState{}, homes: map[string]int{},
	}
	wanted, going := map[string]bool{}, map[string]bool{}
	for _, c := range courses {
		for _, name := range c.Nodes {
			going[name] = true
		}
		for _, home := range c.Homes {
			wanted[home] = true
		}
	}
	for name, pp := range p.Pools {
		f.pools[name] = &poolState{PoolPolicy: pp, left: pp.Budget}
	}
	f.snapshot.Pods = nil
	f.snapshot.Nodes = slices.Clone(s.Nodes)
	slices.SortFunc(f.snapshot.Nodes, func(a, b *shape.Node) int { return cmp.Compare(a.Name, b.Name) })
	for i, n := range f.snapshot.Nodes {
		if n.Requested == nil {
			n = f.loaded(n, shape.Vector{}) // add up once for all plans
			f.snapshot.Nodes[i] = n
		}
		f.at[n.Name] = i
		for _, name := range []string{n.Name, n.Claim} {
			if wanted[name] {
				f.homes[name] = i
			}
		}
		v := &f.nodes[i]
		v.podsToMove, v.disturbance = f.weigh(n)
		v.age = f.youngest(n)
		v.role, v.why = f.judge(n)
		v.managed = f.pools[n.Pool] != nil && n.Claim != "" && n.Stage != shape.Leaving
		if going[n.Name] || shut(n) && !wanted[n.Name] && !wanted[n.Claim] && (since.IsZero() ||
			n.Created.Before(since)) {
			f.snapshot.Nodes[i] = closed(n)
		}
		if v.managed {
			f.pools[n.Pool].price += n.Price
			f.pools[n.Pool].disturbance += v.disturbance
		}
	}
	return f
}

// readyOnly closes nodes that are on their way: they may be replacements.
func (f *fleet) readyOnly() {
	for i, n := range f.snapshot.Nodes {
		if n.Stage != shape.Ready || shut(n) {
			f.snapshot.Nodes[i] = closed(n)
		}
	}
}

// judge decides whether a node may go at all.
func (f *fleet) judge(n *shape.Node) (role, Reason) {
	l := f.pools[n.Pool]
	stray := slices.IndexFunc(n.Pods, func(p shape.Pod) bool {
		return p.Class < 0 || int(p.Class) >= len(f.snapshot.Classes)
	})
	pinned := slices.IndexFunc(n.Pods, func(p shape.Pod) bool { return p.Role == shape.Pinned })
	switch {
	case l == nil || n.Claim == "" || l.Mode == Never:
		return kept, Reason{Kind: PoolKeeps}
	case n.Stage != shape.Ready || n.Unwelcome || n.Unsettled:
		return kept, Reason{Kind: NotReady}
	case f.policy.Held[n.Name] != "":
		return kept, Reason{Kind: Held, Want: f.policy.Held[n.Name]}
	case n.Kept != "":
		return kept, Reason{Kind: Held, Want: n.Kept}
	case pinned >= 0:
		return kept, Reason{Kind: Held, Want: "pod " + string(n.Pods[pinned].ID) + " must not be disrupted"}
	case stray >= 0:
		return kept, Reason{Kind: Held, Want: "what pod " + string(n.Pods[stray].ID) + " needs is not known"}
	case empty(n):
		return candidate, Reason{}
	case l.Mode == WhenEmpty:
		return kept, Reason{Kind: PoolKeeps}
	case n.Price <= 0:
		return kept, Reason{Kind: NoPrice}
	}
	return candidate, Reason{}
}

func empty(n *shape.Node) bool {
	return !slices.ContainsFunc(n.Pods, func(p shape.Pod) bool {
		return p.Role == shape.Movable || p.Role == shape.Pinned
	})
}

// weigh is how many pods a node would evict and what that weighs, less the closer its end is anyway. Pods that exist in
// the plan only are moved without an eviction.
func (f *fleet) weigh(n *shape.Node) (podsToMove int, disturbance int64) {
	disturbance = ordinary
	for i := range n.Pods {
		if p := &n.Pods[i]; p.Role == shape.Movable && !f.class(p.Class).Buffer {
			podsToMove++
			disturbance += int64(max(p.EvictionCost, 0))
		}
	}
	if lifetime := f.policy.Pools[n.Pool].Lifetime; lifetime > 0 && !n.Created.IsZero() {
		left := min(max(n.Created.Add(lifetime).Sub(f.snapshot.Now), 0), lifetime)
		disturbance = int64(float64(disturbance) * left.Seconds() / lifetime.Seconds())
	}
	return podsToMove, disturbance
}

// youngest is how long the youngest of a node and its pods that move has lived; negative if nothing is known of any of
// them.
func (f *fleet) youngest(n *shape.Node) time.Duration {
	latest := n.Created
	for i := range n.Pods {
		if p := &n.Pods[i]; p.Role == shape.Movable && !f.class(p.Class).Buffer && p.Created.After(latest) {
			latest = p.Created
		}
	}
	if latest.IsZero() || f.snapshot.Now.IsZero() {
		return -1
	}
	return max(f.snapshot.Now.Sub(latest), 0)
}

// shut reports whether a node takes no pods of others.
func shut(n *shape.Node) bool { return n.Unwelcome || n.Unsettled && empty(n) }

// closed is a node that nothing new is placed on.
func closed(n *shape.Node) *shape.Node {
	out := *n
	out.Stage = shape.Leaving
	return &out
}

// emptied is a node that goes: its pods that can move are given to moved, and nothing comes. Pinned pods
// move too: whether they may is not asked here.
func emptied(n *shape.Node, moved func(shape.Pod)) *shape.Node {
	out := closed(n)
	out.Pods, out.Requested = nil, nil
	for _, pod := range n.Pods {
		if pod.Role == shape.Movable || pod.Role == shape.Pinned {
			pod.Role, pod.From = shape.Movable, n.Name
			moved(pod)
			continue
		}
		out.Pods = append(out.Pods, pod)
	}
	return out
}

// planned is what the planner makes of the pods of some nodes when those go.
type planned struct {
	set      []int
	decision engine.Decision
	home     map[shape.PodID]int
}

// look plans the pods of nodes that go, at home if they have one; the fleet stays as it is.
func (f *fleet) look(set []int, homes map[shape.PodID]string, effort int) planned {
	o := planned{set: set, home: map[shape.PodID]int{}}
	goes := make(map[int]bool, len(set))
	for _, i := range set {
		goes[i] = true
	}
	s := f.snapshot
	s.Nodes = f.around[:0]
	for i, n := range f.snapshot.Nodes {
		switch {
		case goes[i]:
			emptied(n, func(pod shape.Pod) {
				o.home[pod.ID] = i
				pod.Home = homes[pod.ID]
				s.Pods = append(s.Pods, pod)
			})
		case i >= len(f.nodes) || f.nodes[i].role != gone:
			s.Nodes = append(s.Nodes, n)
		}
	}
	f.around = s.Nodes
	slices.SortFunc(s.Pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
	policy := f.policy.Plan
	policy.Effort = min(policy.Effort, effort)
	o.decision = f.planner.Plan(s, policy)
	return o
}

// settle makes a move: its nodes are gone, their pods are where they go, and what is opened counts against limits and
// reservations.
func (f *fleet) settle(m *Move) {
	pods := map[shape.PodID]shape.Pod{}
	for _, name := range m.Remove {
		i := f.at[name]
		f.snapshot.Nodes[i] = emptied(f.snapshot.Nodes[i], func(pod shape.Pod) { pods[pod.ID] = pod })
		f.nodes[i].role = gone
		if l := f.pools[f.snapshot.Nodes[i].Pool]; l != nil && l.left > 0 {
			l.left--
		}
	}
	byNode := map[string][]shape.Pod{}
	for _, p := range m.Place {
		pod := pods[p.Pod]
		pod.From = ""
		byNode[p.Node] = append(byNode[p.Node], pod)
	}
	for name, list := range byNode {
		i := f.at[name]
		f.snapshot.Nodes[i] = f.joined(f.snapshot.Nodes[i], list)
		if f.nodes[i].role == candidate {
			f.nodes[i].role, f.nodes[i].why = needed, Reason{Kind: Needed}
		}
	}
	for i := range m.Open {
		var aboard []shape.Pod
		for _, id := range m.Open[i].Pods {
			pod := pods[id]
			pod.From = ""
			aboard = append(aboard, pod)
		}
		f.buy(&m.Open[i], aboard)
	}
}
