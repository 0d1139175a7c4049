package refit

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// looksAt is how many nodes with room are compared for one pod. Kube-scheduler itself compares all of up to 100, and up
// to 781 on clusters of 15,000 nodes: half of them less one in a hundred for every 125, but a twentieth
// (percentageOfNodesToScore).
const looksAt = 500

// scheduler is a board on which pods are placed as kube-scheduler does it with its default profile: one after the
// other, each on the node that is least used, and most evenly, of those that may take it. A plan fits pods together
// more closely than that; where it depends on it, pods would be left over, and more nodes bought for them than were
// saved.
type scheduler struct {
	table *feasible.Table
	board *board.Board
	takes []bool            // by the Table's nodes; nil for all that are not leaving
	may   map[int32][]int32 // by class: nodes that had room when it was last looked
	next  int               // where the next look begins
	cell  []int32           // scratch
}

// strands is how many pods of a move kube-scheduler would find no room for, as things are once what it opens is there.
func (f *fleet) strands(m *Move) (over int) {
	s := f.snapshot
	s.Nodes, s.Profiles = slices.Clone(s.Nodes), slices.Clone(s.Profiles)
	s.Pools, s.Types, s.Pods = nil, nil, nil
	for i := range m.Open {
		s.Profiles = append(s.Profiles, f.profile(&m.Open[i]))
		s.Nodes = append(s.Nodes, f.ready(&m.Open[i], int32(len(s.Profiles)-1)))
	}
	for _, name := range m.Remove {
		s.Nodes[f.at[name]] = emptied(f.snapshot.Nodes[f.at[name]], func(pod shape.Pod) {
			if !f.class(pod.Class).Buffer {
				s.Pods = append(s.Pods, pod)
			}
		})
	}
	t := feasible.Compile(&s, f.policy.Plan.Preferences == engine.RespectPreferences)
	q := scheduler{table: t, board: board.New(t, spread.New(t)), may: map[int32][]int32{}}
	for _, c := range q.inOrder() {
		over += q.fill(c, len(t.Classes[c].Pods))
	}
	return over
}

// inOrder lists the classes that have pods in the order in which drains evict them.
func (q *scheduler) inOrder() []int {
	var out []int
	for i, c := range q.table.Classes {
		if len(c.Pods) > 0 {
			out = append(out, i)
		}
	}
	q.sort(out)
	return out
}

func (q *scheduler) sort(classes []int) {
	rank := func(i int) eviction.Rank { // of the class itself, where wishes are told from rules
		return eviction.RankOf(q.table.Snapshot().Classes[q.table.Classes[i].Source])
	}
	slices.SortStableFunc(classes, func(a, b int) int { return eviction.Compare(rank(a), rank(b)) })
}

// fill places n pods of a class and returns how many find no room.
func (q *scheduler) fill(class, n int) (left int) {
	for ; n > 0; n-- {
		c := class
		for c >= 0 && !q.one(c) {
			c = int(q.table.Classes[c].Next) // a wish is given up
		}
		if c < 0 {
			return n
		}
	}
	return 0
}

// one places a pod.
func (q *scheduler) one(class int) bool {
	list := q.nodes(class)
	own := &q.board.Spread.Classes[class]
	best, score, seen := -1, math.Inf(-1), 0
	for k := range list {
		node := int(list[(q.next+k)%len(list)])
		if q.board.Room(node, class, 1) == 0 {
			continue
		}
		if own.Domains {
			q.cell = q.board.Spread.NodeCell(own.Keys, node, q.cell)
			if _, ok := q.board.Spread.CellAllows(class, q.cell); !ok {
				continue
			}
		}
		if s := q.score(node, class); s > score {
			best, score = node, s
		}
		if seen++; seen == looksAt {
			q.next += k
			break
		}
	}
	if best < 0 {
		return false
	}
	q.board.Place(best, class, 1)
	return true
}

// nodes lists those that may take a class and had room.
func (q *scheduler) nodes(class int) []int32 {
	list, known := q.may[int32(class)]
	if known {
		return list
	}
	for node := range q.table.Nodes {
		if (q.takes == nil || q.takes[node]) && q.board.Allows(node, class) && q.board.Fits(node, class, 1) > 0 {
			list = append(list, int32(node))
		}
	}
	q.may[int32(class)] = list
	return list
}

// fullScore is the most that one of kube-scheduler's plugins gives a node (framework.MaxNodeScore).
const fullScore = 100

// score is NodeResourcesFit by LeastAllocated and NodeResourcesBalancedAllocation with equal weights, 0 to 200.
func (q *scheduler) score(node, class int) float64 {
	all, free, need := &q.table.Nodes[node].Allocatable, q.board.Free(node), q.table.Classes[class].Need
	cpu := float64(free[0]-need[0]) / float64(max(all.CPU, 1))
	memory := float64(free[1]-need[1]) / float64(max(all.Memory, 1))
	return float64(fullScore/2*(cpu+memory)) + float64(fullScore*(1-math.Abs(cpu-memory)/2))
}
