package enginetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// World is a Snapshot being built: names instead of indexes.
type World struct {
	types    []*shape.InstanceType
	pools    []*shape.Pool
	nodes    []*shape.Node
	classes  []*shape.Class
	profiles []*shape.Profile
	daemons  []shape.DaemonSet
	pods     []shape.Pod
	byText   map[string]int32
}

// NewWorld is an empty cluster.
func NewWorld() *World { return &World{byText: map[string]int32{}} }

// Class interns a class.
func (w *World) Class(c shape.Class) int32 {
	text := fmt.Sprintf("%+v", c)
	if i, ok := w.byText[text]; ok {
		return i
	}
	i := int32(len(w.classes))
	w.classes = append(w.classes, &c)
	w.byText[text] = i
	return i
}

// Profile interns a profile.
func (w *World) Profile(p shape.Profile) int32 {
	text := fmt.Sprintf("profile %+v", p)
	if i, ok := w.byText[text]; ok {
		return i
	}
	i := int32(len(w.profiles))
	w.profiles = append(w.profiles, &p)
	w.byText[text] = i
	return i
}

// Type adds an instance type, or offerings to one that is there already.
func (w *World) Type(it shape.InstanceType) {
	for _, have := range w.types {
		if have.Name == it.Name {
			have.Offerings = append(have.Offerings, it.Offerings...)
			return
		}
	}
	w.types = append(w.types, &it)
}

// Pool adds a pool that may use every type.
func (w *World) Pool(p shape.Pool) { w.pools = append(w.pools, &p) }

// Node adds a node.
func (w *World) Node(n shape.Node) { w.nodes = append(w.nodes, &n) }

// Run adds a pod to a node.
func (w *World) Run(node string, p shape.Pod) error {
	for _, n := range w.nodes {
		if n.Name == node {
			n.Pods = append(n.Pods, p)
			return nil
		}
	}
	return fmt.Errorf("no node %q to run %s on", node, p.ID)
}

// Daemon adds a DaemonSet.
func (w *World) Daemon(name string, c shape.Class) {
	w.daemons = append(w.daemons, shape.DaemonSet{Name: name, Class: w.Class(c)})
}

// Pod adds a pod to be placed.
func (w *World) Pod(id shape.PodID, c shape.Class) {
	w.pods = append(w.pods, shape.Pod{ID: id, Class: w.Class(c), EvictionCost: 1000})
}

// epoch is when everything in tests happens.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Snapshot is the world as the planner sees it. A world without pools has one called general.
func (w *World) Snapshot() shape.Snapshot {
	if len(w.pools) == 0 {
		w.pools = append(w.pools, &shape.Pool{Name: "general"})
	}
	s := shape.Snapshot{
		Now: epoch, Classes: w.classes, Profiles: w.profiles, Pods: slices.Clone(w.pods), Nodes: w.nodes,
		Pools: w.pools, Types: w.types, DaemonSets: w.daemons,
	}
	for _, p := range s.Pools {
		p.Types = p.Types[:0]
		for i := range s.Types {
			p.Types = append(p.Types, int32(i))
		}
	}
	slices.SortFunc(s.Pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Nodes, func(a, b *shape.Node) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Pools, func(a, b *shape.Pool) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
