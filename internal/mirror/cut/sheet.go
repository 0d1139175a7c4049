package cut

import (
	"cmp"
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Sheet is what Snapshots are cut from.
type Sheet struct {
	nodes list[string, *shape.Node]
	views map[string]translate.NodeView // by node
	pods  list[shape.PodID, shape.Pod]  // that wait for a place

	pools map[string]*pool
	used  map[string]use // by pool
	stale struct{ pools, types bool }

	cutPools []*shape.Pool
	cutTypes []*shape.InstanceType
}

// pool is one NodePool as Snapshots have it.
type pool struct {
	shape *shape.Pool // without what is used of it
	offer *translate.Offer
	types []int32
}

// use is what the nodes of a pool have together.
type use struct {
	nodes int64
	sum   shape.Vector
}

// NewSheet makes an empty Sheet.
func NewSheet() *Sheet {
	return &Sheet{
		nodes: newList(func(n **shape.Node) string { return (*n).Name }),
		views: map[string]translate.NodeView{},
		pods:  newList(func(p *shape.Pod) shape.PodID { return p.ID }),
		pools: map[string]*pool{},
		used:  map[string]use{},
	}
}

// PutNode notes a node, or its new view. It counts against its pool's limits.
func (s *Sheet) PutNode(name string, view translate.NodeView) {
	s.count(s.views[name], -1)
	s.views[name] = view
	s.nodes.put(name, view.Node)
	s.count(view, 1)
}

// DropNode notes that a node is gone.
func (s *Sheet) DropNode(name string) {
	s.count(s.views[name], -1)
	delete(s.views, name)
	s.nodes.drop(name)
}

func (s *Sheet) count(view translate.NodeView, times int64) {
	if view.Node == nil || view.CountsIn == "" {
		return
	}
	u := s.used[view.CountsIn]
	u.nodes += times
	u.sum = u.sum.Add(view.Capacity.Times(times))
	s.used[view.CountsIn] = u
	s.stale.pools = true
}

// View is a node as it was put last; the zero view if there is none.
func (s *Sheet) View(node string) translate.NodeView { return s.views[node] }

// Nodes are all nodes, ascending by name. The slice must not be changed.
func (s *Sheet) Nodes() []*shape.Node { return s.nodes.settle() }

// Wait notes that a pod waits for a place.
func (s *Sheet) Wait(pod shape.Pod) { s.pods.put(pod.ID, pod) }

// Placed notes that a pod does not wait any more.
func (s *Sheet) Placed(id shape.PodID) { s.pods.drop(id) }

// Waits reports whether a pod waits for a place.
func (s *Sheet) Waits(id shape.PodID) bool {
	_, waits := s.pods.now[id]
	return waits
}

// Waiting are the pods that wait for a place. It must not be changed.
func (s *Sheet) Waiting() map[shape.PodID]shape.Pod { return s.pods.now }

// Pods are the pods that wait for a place, ascending by ID. The slice must not be changed.
func (s *Sheet) Pods() []shape.Pod { return s.pods.settle() }

// PutPool notes a NodePool and what it can buy; a nil offer means that nobody has asked yet.
func (s *Sheet) PutPool(name string, p *shape.Pool, offer *translate.Offer) {
	old := s.pools[name]
	if old == nil {
		old = &pool{}
		s.pools[name] = old
	}
	old.shape = p
	s.stale.pools = true
	if old.offer != offer {
		old.offer = offer
		s.stale.types = true
	}
}

// DropPool notes that a NodePool is gone.
func (s *Sheet) DropPool(name string) {
	if s.pools[name] != nil {
		delete(s.pools, name)
		s.stale.pools, s.stale.types = true, true
	}
}

// Pools are all NodePools, ascending by name, with the instance types that they can buy. The slices must not be
// changed.
func (s *Sheet) Pools() ([]*shape.Pool, []*shape.InstanceType) {
	names := slices.Sorted(maps.Keys(s.pools))
	if s.stale.types {
		var table translate.TypeTable
		for _, name := range names {
			s.pools[name].types = table.Add(s.pools[name].offer)
		}
		s.cutTypes = table.Types
	}
	if s.stale.pools || s.stale.types {
		s.cutPools = make([]*shape.Pool, 0, len(names))
		for _, name := range names {
			p, u := s.pools[name], s.used[name]
			out := translate.WithUse(p.shape, u.nodes, u.sum, p.types)
			out.NotReady = cmp.Or(out.NotReady, p.offer.Trouble())
			s.cutPools = append(s.cutPools, out)
		}
	}
	s.stale.pools, s.stale.types = false, false
	return s.cutPools, s.cutTypes
}
