package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// departures are the pods to be placed that still sit on a node.
type departures struct {
	moving map[shape.PodID]bool
	from   map[string]bool // those nodes
}

// Moving reports whether a pod that still sits on a node is among those to be placed.
func (m *departures) Moving(id shape.PodID) bool { return m.moving[id] }

// MovingFrom reports whether any pod to be placed still sits on a node.
func (m *departures) MovingFrom(node string) bool { return m.from[node] }

// Leaves reports whether some pod of a class still sits on a node.
func (t *Table) Leaves(c *Class) bool {
	return len(t.moving) > 0 && slices.ContainsFunc(t.Classes[c.Base].Pods, func(i int32) bool {
		return t.snapshot.Pods[i].From != ""
	})
}

func (cp *compiler) noteMoving() {
	for i := range cp.t.snapshot.Pods {
		if p := &cp.t.snapshot.Pods[i]; p.From != "" {
			if cp.t.moving == nil {
				cp.t.moving, cp.t.from = map[shape.PodID]bool{}, map[string]bool{}
			}
			cp.t.moving[p.ID], cp.t.from[p.From] = true, true
		}
	}
}
