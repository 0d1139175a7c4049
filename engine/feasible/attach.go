package feasible

import (
	"math"
	"slices"

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

// addAttach counts the slots that each pod of a class takes for itself, and lists the volumes that pods share.
func (cp *compiler) addAttach(c *Class) {
	for _, a := range c.Attach {
		d := cp.t.driver(a.Driver)
		if a.Volume == "" {
			c.Need[d]++
			continue
		}
		id, known := cp.t.volumes[a]
		if !known {
			id = int32(len(cp.t.volumes))
			cp.t.volumes[a] = id
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
func (cp *compiler) attach(node int) {
	n := &cp.t.Nodes[node]
	var seen []shape.Attach
	for k := range n.Pods {
		c := n.Pods[k].Class
		if c < 0 || int(c) >= len(cp.t.snapshot.Classes) {
			continue
		}
		for _, a := range cp.t.snapshot.Classes[c].Attach {
			d := cp.t.driver(a.Driver)
			if d < 0 {
				continue
			}
			if a.Volume != "" && slices.Contains(seen, a) {
				continue // others on the node have attached it
			}
			seen = append(seen, a)
			if id, pending := cp.t.volumes[a]; pending && a.Volume != "" {
				cp.t.Attached[[2]int32{int32(node), id}] = true
			}
			n.Free[d]--
		}
	}
}
