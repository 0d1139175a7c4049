package engine

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/pack"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Plan decides which pods go on which nodes and which nodes to open. Nodes that exist or
// are on their way are filled first; what is left goes to new nodes at the least price.
//
// A pod whose Class index is out of range, which no correct Snapshot has, is refused.
func Plan(s shape.Snapshot, p Policy) Decision {
	t := feasible.Compile(&s, p.Preferences == RespectPreferences)
	st := spread.New(t)
	b := board.New(t, st)
	result := pack.Pack(b, pack.Task{NodePrice: p.NodePrice, Effort: p.Effort, Strict: p.MinValues == MinValuesStrict})

	a := &assembler{table: t, board: b, items: result.Items, ledger: result.Ledger, policy: p, next: make([]int, len(t.Classes))}
	a.decision.Counters = Counters{Pods: len(s.Pods), Classes: len(t.Classes), Columns: len(t.Columns), Steps: result.Steps}
	a.place()
	a.open(result.Bins)
	a.refuse(result.Stuck)
	a.decision.Bound = min(result.Floor, a.decision.Price)
	return a.decision
}

// assembler turns counts of classes back into pods.
type assembler struct {
	table    *feasible.Table
	board    *board.Board
	items    []pack.Item
	ledger   *spread.Ledger // nil if there are no rules about neighbours
	policy   Policy
	next     []int // by class: how many of its pods have been given out, oldest first
	launches map[string]*launch
	offers   map[string]*offer // by columns
	left     [][]int64         // by pool and limit: what the pool could still grow by after this plan
	traits   [][3]int32        // by column; see closed
	offered  []bool            // by trait: scratch
	decision Decision
}

// take gives out the next n pods of a class: it appends them.
func (a *assembler) take(out []shape.PodID, class, n int) []shape.PodID {
	class = int(a.table.Classes[class].Base)
	pods := a.table.Classes[class].Pods[a.next[class] : a.next[class]+n]
	a.next[class] += n
	for _, p := range pods {
		out = append(out, a.table.Snapshot().Pods[p].ID)
	}
	return out
}

func (a *assembler) place() {
	for _, m := range a.board.Moves() {
		for _, id := range a.take(nil, int(m.Class), int(m.Count)) {
			a.decision.Place = append(a.decision.Place, Placement{Pod: id, Node: a.table.Nodes[m.Node].Name})
		}
	}
	slices.SortFunc(a.decision.Place, func(x, y Placement) int { return cmp.Compare(x.Pod, y.Pod) })
}

func (a *assembler) refuse(stuck []int) {
	for class, n := range stuck {
		if n == 0 {
			continue
		}
		why := a.why(class)
		for _, id := range a.take(nil, class, n) {
			tree := why
			tree.Subject = string(id)
			a.decision.Unplaced = append(a.decision.Unplaced, Unplaced{Pod: id, Why: tree})
		}
	}
	for _, id := range a.table.Stray() {
		a.decision.Unplaced = append(a.decision.Unplaced, Unplaced{Pod: id, Why: strayTree(id)})
	}
	slices.SortFunc(a.decision.Unplaced, func(x, y Unplaced) int { return cmp.Compare(x.Pod, y.Pod) })
}
