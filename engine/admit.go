package engine

import (
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Admission is what Admit says of placements, each list in the order in which they were asked about.
type Admission struct {
	// Now are those that kube-scheduler's filters allow one after the other, in this order.
	Now []Placement
	// Later are those that only other pods stand in the way of: those that must be elsewhere first, for a spread or an
	// affinity, or that must go.
	Later []Placement
	// Never are those that the node itself rules out, as it and its pods are: room, labels, taints, attach slots.
	Never []Placement
}

// Admit asks which pods of a Snapshot could be bound at this moment. Its Nodes are those that exist, with the pods that
// are bound to them; its Pods are those that wait. Preferences are passed over: filters do not know them.
func Admit(s shape.Snapshot, want []Placement) (out Admission) {
	s.Pools, s.Types = nil, nil
	t := feasible.Compile(&s, false)
	st := spread.New(t)
	g := gatekeeper{table: t, board: board.New(t, st), ledger: spread.NewLedger(st, 0)}
	nodes, classes := g.index()
	var later []Placement
	for _, p := range want {
		class, waits := classes[p.Pod]
		node, exists := nodes[p.Node]
		switch {
		case !waits || !exists || !g.board.Allows(node, class) || g.board.Fits(node, class, 1) == 0:
			out.Never = append(out.Never, p)
		case g.objects(node, class):
			later = append(later, p)
		default:
			g.take(node, class)
			out.Now = append(out.Now, p)
		}
	}
	// A pod may have let others in that came before it.
	for let := true; let; {
		let = false
		rest := later[:0]
		for _, p := range later {
			class, node := classes[p.Pod], nodes[p.Node]
			switch {
			case g.board.Fits(node, class, 1) == 0:
				out.Never = append(out.Never, p)
			case g.objects(node, class):
				rest = append(rest, p)
			default:
				g.take(node, class)
				out.Now, let = append(out.Now, p), true
			}
		}
		later = rest
	}
	out.Later = later
	return out
}

// gatekeeper counts what is where while pods are let in.
type gatekeeper struct {
	table  *feasible.Table
	board  *board.Board
	ledger *spread.Ledger
}

// index finds nodes by name and classes by pod.
func (g *gatekeeper) index() (nodes map[string]int, classes map[shape.PodID]int) {
	nodes = make(map[string]int, len(g.table.Nodes))
	for i := range g.table.Nodes {
		nodes[g.table.Nodes[i].Name] = i
	}
	classes = make(map[shape.PodID]int, len(g.table.Snapshot().Pods))
	for i, c := range g.table.Classes {
		for _, p := range c.Pods {
			classes[g.table.Snapshot().Pods[p].ID] = i
		}
	}
	return nodes, classes
}

// objects reports whether pods that are there, or are not, keep a class off a node.
func (g *gatekeeper) objects(node, class int) bool {
	_, _, no := g.ledger.Objection(class, node)
	return no
}

func (g *gatekeeper) take(node, class int) {
	g.board.Place(node, class, 1)
	g.ledger.Add(class, node, 1)
}
