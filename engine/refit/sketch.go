package refit

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// sketch answers for one node after the other whether its pods fit elsewhere, on a board that is set up once for all of
// them. It knows nothing of what is opened.
type sketch struct {
	fleet *fleet
	table *feasible.Table
	board *board.Board

	node       []int         // by index of the snapshot's nodes: index of the Table's
	podsToMove [][]classPods // by index of the snapshot's nodes: pods that would have to move
	takes      []bool        // by index of the Table's nodes: may be given pods

	rank       []int32     // of the Table's nodes: which are given pods first
	roomCaches []roomCache // by feasible.Class.Size
	opens      []int8      // by class: 1 if a new node could hold a pod, -1 if not, 0 if it was not asked
	alone      [][]bitset.Set

	domains []int32 // scratch
}

// classPods is pods of one class on one node.
type classPods struct {
	class int32
	pods  []shape.PodID // ascending
}

// roomCache is the nodes that had room for a pod of some size when it was last looked.
type roomCache struct {
	known bool
	nodes []int32 // by rank
	full  int     // how many of them turned out to be full
}

// newSketch puts all pods of all candidates on the board, where they are.
func newSketch(f *fleet, order []int) *sketch {
	s := f.snapshot
	s.Nodes = slices.Clone(s.Nodes)
	s.Pods = nil
	x := &sketch{fleet: f, podsToMove: make([][]classPods, len(s.Nodes))}
	for _, i := range order {
		n := s.Nodes[i]
		bare := emptied(n, func(pod shape.Pod) { s.Pods = append(s.Pods, pod) })
		bare.Stage = n.Stage
		s.Nodes[i] = bare
	}
	x.table = feasible.Compile(&s, f.policy.Plan.Preferences == engine.RespectPreferences)
	x.board = board.New(x.table, spread.New(x.table))
	x.opens = make([]int8, len(x.table.Classes))
	x.alone = make([][]bitset.Set, len(x.table.Classes))
	x.index(f.leavers())
	x.load(order)
	return x
}

// index matches nodes, and ranks them: those that never go first, then the others, those that go last first.
func (x *sketch) index(leavers []int) {
	x.node = make([]int, len(x.fleet.snapshot.Nodes))
	x.takes = make([]bool, len(x.table.Nodes))
	place := make([]int, len(x.table.Nodes))
	for k := range x.table.Nodes {
		i := x.fleet.at[x.table.Nodes[k].Name]
		x.node[i] = k
		x.takes[k] = x.table.Nodes[k].Stage == shape.Ready
		x.rank = append(x.rank, int32(k))
		place[k] = len(leavers)
	}
	for at, i := range leavers {
		place[x.node[i]] = at
	}
	slices.SortStableFunc(x.rank, func(a, b int32) int { return cmp.Compare(place[b], place[a]) })
	sizes := 0
	for _, c := range x.table.Classes {
		sizes = max(sizes, int(c.Size)+1)
	}
	x.roomCaches = make([]roomCache, sizes)
}

// load places the candidates' pods.
func (x *sketch) load(order []int) {
	for _, i := range order {
		for _, pod := range x.fleet.snapshot.Nodes[i].Pods {
			if pod.Role != shape.Movable {
				continue
			}
			class := x.table.ClassOf(pod.Class)
			if class < 0 {
				continue
			}
			at, found := slices.BinarySearchFunc(x.podsToMove[i], class, func(b classPods, c int32) int {
				return cmp.Compare(b.class, c)
			})
			if !found {
				x.podsToMove[i] = slices.Insert(x.podsToMove[i], at, classPods{class: class})
			}
			x.podsToMove[i][at].pods = append(x.podsToMove[i][at].pods, pod.ID)
		}
		for _, b := range x.podsToMove[i] {
			x.board.Place(x.node[i], int(b.class), len(b.pods))
		}
	}
}

// vacate takes all pods off a node and gives other nodes as many as they take. rest is what is left, by class; the
// board keeps the change until the caller rolls it back. all goes on when something has found no place.
func (x *sketch) vacate(i int, all bool) (rest []classPods) {
	self := x.node[i]
	for _, b := range x.podsToMove[i] {
		x.survey(int(b.class)) // before anything is taken for a try
	}
	for _, b := range x.podsToMove[i] {
		x.board.Take(self, int(b.class), len(b.pods))
	}
	x.takes[self] = false
	for _, b := range x.podsToMove[i] {
		if left := x.place(int(b.class), len(b.pods)); left > 0 {
			rest = append(rest, classPods{b.class, b.pods[len(b.pods)-left:]})
			if !all {
				return rest
			}
		}
	}
	return rest
}

// followed says whether kube-scheduler finds room for the pods of a node that was vacated since a mark; if it does, the
// board is left as it was vacated.
func (x *sketch) followed(i int, mark board.Mark) Reason {
	was := x.board.Moves(mark)
	x.board.Rollback(mark)
	q := scheduler{table: x.table, board: x.board, takes: x.takes, may: map[int32][]int32{}}
	var order []int
	count := map[int]int{}
	for _, b := range x.podsToMove[i] {
		x.board.Take(x.node[i], int(b.class), len(b.pods))
		if !x.table.Classes[b.class].Buffer {
			order = append(order, int(b.class))
			count[int(b.class)] = len(b.pods)
		}
	}
	q.sort(order)
	left := 0
	for _, class := range order {
		left += q.fill(class, count[class])
	}
	x.board.Rollback(mark)
	if left > 0 {
		return Reason{Kind: TooTight, Pods: x.fleet.nodes[i].podsToMove, Left: left}
	}
	for _, m := range was {
		x.board.Place(int(m.Node), int(m.Class), int(m.Count))
	}
	return Reason{}
}

// place gives pods to other nodes and returns how many found no place. As in a plan, a pod that would get its wishes on
// a new node does not give them up for an old one.
func (x *sketch) place(class, left int) int {
	for ; class >= 0; class = int(x.table.Classes[class].Next) {
		if left = x.spreadOut(class, left); left == 0 || x.canOpen(class) {
			return left
		}
	}
	return left
}

// spreadOut fills nodes by rank.
func (x *sketch) spreadOut(class, left int) int {
	c := x.table.Classes[class]
	h := &x.roomCaches[c.Size]
	byDomain := x.board.Spread.Classes[class].Domains
	for progress := true; progress && left > 0; {
		progress = false
		for _, node := range h.nodes {
			if !x.takes[node] {
				continue
			}
			if feasible.Fits(c.Need, x.board.Free(int(node)), 1) == 0 {
				h.full++
				continue
			}
			n := x.board.Room(int(node), class, left)
			if n == 0 || !x.board.Allows(int(node), class) {
				continue
			}
			if byDomain {
				n = x.oneByOne(int(node), class, n)
			} else {
				x.board.Place(int(node), class, n)
			}
			left -= n
			progress = progress || n > 0 && byDomain
			if left == 0 {
				return 0
			}
		}
	}
	return left
}

// oneByOne places pods whose domain matters, at most n.
func (x *sketch) oneByOne(node, class, n int) int {
	st := x.board.Spread
	x.domains = st.NodeCell(st.Classes[class].Keys, node, x.domains)
	for done := range n {
		if _, ok := st.CellAllows(class, x.domains); !ok || x.board.Room(node, class, 1) == 0 {
			return done
		}
		x.board.Place(node, class, 1)
	}
	return n
}

// survey finds the nodes with room for a class; it looks again when most of those that it found have become full. Room
// never grows between two moves: nodes that go take no more pods.
func (x *sketch) survey(class int) {
	c := x.table.Classes[class]
	h := &x.roomCaches[c.Size]
	if h.known && h.full <= len(h.nodes) {
		return
	}
	from := h.nodes
	if !h.known {
		from = x.rank
	}
	var keep []int32
	for _, node := range from {
		if x.takes[node] && feasible.Fits(c.Need, x.board.Free(int(node)), 1) > 0 {
			keep = append(keep, node)
		}
	}
	h.known, h.full, h.nodes = true, 0, keep
}

// canOpen reports whether some new node could hold a pod of the class, topology aside.
func (x *sketch) canOpen(class int) bool {
	if x.opens[class] == 0 {
		x.opens[class] = -1
		if _, ok := x.cheapest([]classPods{{class: int32(class), pods: make([]shape.PodID, 1)}}); ok {
			x.opens[class] = 1
		}
	}
	return x.opens[class] > 0
}

// cheapest is the price of the cheapest machine that holds all pods of a list together, topology aside.
func (x *sketch) cheapest(list []classPods) (price shape.Money, ok bool) {
	load := make([]int64, len(x.table.Resources))
	for _, b := range list {
		for d, n := range x.table.Classes[b.class].Need {
			load[d] += n * int64(len(b.pods))
		}
	}
	columns := bitset.New(len(x.table.Columns))
	for p, pool := range x.table.Pools {
		copy(columns, pool.Usable)
		for _, b := range list {
			columns.Keep(x.suits(int(b.class))[p])
		}
		pool.Holding(load, columns)
		if i := columns.Next(0); i >= 0 && (!ok || x.table.Columns[i].Price() < price) {
			price, ok = x.table.Columns[i].Price(), true
		}
	}
	return price, ok
}

// suits is by pool where a pod of the class may go at all when the last wish is given up.
func (x *sketch) suits(class int) []bitset.Set {
	if x.alone[class] != nil {
		return x.alone[class]
	}
	out := make([]bitset.Set, len(x.table.Pools))
	for p, pool := range x.table.Pools {
		out[p] = bitset.New(len(x.table.Columns))
		for _, alt := range x.table.Alternatives(x.table.Classes[class].Where, pool) {
			if pool.FreeLeft(alt.Free) {
				out[p].Join(alt.Columns)
			}
		}
	}
	x.alone[class] = out
	return out
}

// placements turns what was placed since a mark into pods. Pods of a class are interchangeable.
func (x *sketch) placements(i int, mark board.Mark) []engine.Placement {
	next := map[int32]int{}
	var out []engine.Placement
	for _, m := range x.board.Moves(mark) {
		if m.Count <= 0 {
			continue
		}
		base := x.table.Classes[m.Class].Base
		at, _ := slices.BinarySearchFunc(x.podsToMove[i], base, func(b classPods, c int32) int {
			return cmp.Compare(b.class, c)
		})
		for range m.Count {
			out = append(out, engine.Placement{
				Pod: x.podsToMove[i][at].pods[next[base]], Node: x.table.Nodes[m.Node].Name,
			})
			next[base]++
		}
	}
	slices.SortFunc(out, func(a, b engine.Placement) int { return cmp.Compare(a.Pod, b.Pod) })
	return out
}
