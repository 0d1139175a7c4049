package feasible

import (
	"math"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// attachPrefix marks dimensions that count volumes of one CSI driver.
const attachPrefix = "attach "

// unlimited is the room of a node whose driver has no limit.
const unlimited = math.MaxInt64 / 4

// Volume is one that several pods may share: it takes one slot on each node, however many of its pods are there.
type Volume struct {
	ID  int32 // numbers the volumes that pods to be placed share
	Dim int32 // index into Table.Resources
}

// driver is the dimension of a CSI driver's slots, -1 if no pod to be placed takes any.
func (t *Table) driver(name string) int {
	for d := len(t.Resources) - 1; d >= 4; d-- {
		if driver, ok := strings.CutPrefix(t.Resources[d], attachPrefix); ok && driver == name {
			return d
		}
	}
	return -1
}

// addAttach counts the slots that each pod of a class takes for itself, and lists the volumes that pods share.
func (t *Table) addAttach(c *Class) {
	for _, a := range c.Attach {
		d := t.driver(a.Driver)
		if a.Volume == "" {
			c.Need[d]++
			continue
		}
		id, known := t.volumes[a]
		if !known {
			id = int32(len(t.volumes))
			t.volumes[a] = id
		}
		if v := (Volume{id, int32(d)}); !slices.Contains(c.Shared, v) {
			c.Shared = append(c.Shared, v)
		}
	}
	c.First = c.Need
	if len(c.Shared) > 0 {
		c.First = slices.Clone(c.Need)
		for _, v := range c.Shared {
			c.First[v.Dim]++
		}
	}
}

// attach takes the volumes of the pods that run on a node off its slots.
func (t *Table) attach(node int) {
	n := &t.Nodes[node]
	var seen []shape.Attach
	for k := range n.Pods {
		c := n.Pods[k].Class
		if c < 0 || int(c) >= len(t.snapshot.Classes) {
			continue
		}
		for _, a := range t.snapshot.Classes[c].Attach {
			d := t.driver(a.Driver)
			if d < 0 {
				continue
			}
			if a.Volume != "" {
				if slices.Contains(seen, a) {
					continue
				}
				seen = append(seen, a)
				if id, pending := t.volumes[a]; pending {
					t.Attached[[2]int32{int32(node), id}] = true
				}
			}
			n.Free[d]--
		}
	}
}

// slots writes how many volumes of each driver a machine can attach.
func (t *Table) slots(room []int64, limits []shape.Amount) {
	for d := len(t.Resources) - 1; d >= 4; d-- {
		driver, ok := strings.CutPrefix(t.Resources[d], attachPrefix)
		if !ok {
			return
		}
		room[d] = unlimited
		for _, l := range limits {
			if l.Resource == driver {
				room[d] = l.Value
			}
		}
	}
}
