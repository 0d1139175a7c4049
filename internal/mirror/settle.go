package mirror

import (
	"maps"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// settle brings the sheet up to date with facts and promises as they are at one moment. It changes nothing of those,
// but that what is over by then ends, that plans for a node begin to end once the node is ready, and that pods are
// planned again whose place others have taken.
func (m *Mirror) settle(now time.Time) {
	c := &cutter{picture: &m.picture, now: now, nomination: m.nomination}
	c.expire()
	if c.facts.Settle() {
		for name := range c.facts.All() {
			c.dirty[name] = struct{}{}
		}
	}
	c.absorb()
	c.settleNodes()
	c.pools.settle(c.sheet)
}

// expire ends what ends by itself: promises, and annotations that hold pods for a while.
func (c *cutter) expire() {
	claims, pods := c.book.Expire(c.now)
	for _, claim := range claims {
		c.dropClaim(claim)
	}
	for _, id := range pods {
		c.cancel(id)
	}
	c.facts.EndHolds(c.now)
}

// cutter makes machines anew.
type cutter struct {
	*picture
	now        time.Time
	nomination time.Duration // for how long a pod's place on a ready node is kept
}

// settleNodes makes the nodes anew that changed.
func (c *cutter) settleNodes() {
	if c.book.Planned() > 0 {
		c.settleSurplus()
	}
	dirty := slices.Sorted(maps.Keys(c.dirty))
	clear(c.dirty)
	for _, name := range dirty {
		if machine := c.facts.Machine(name); machine != nil {
			c.settleNode(name, machine)
		}
	}
}

// settleSurplus has pods planned again whose place others have taken.
func (c *cutter) settleSurplus() {
	for _, name := range slices.Sorted(maps.Keys(c.dirty)) {
		for _, id := range c.surplus(name) {
			c.cancel(id)
		}
	}
}

func (c *cutter) settleNode(name string, machine *objects.Machine) {
	parts := translate.NodeParts{Name: name, Node: machine.Node, Claim: machine.Claim, Daemons: c.facts.DaemonIndex}
	if machine.Node != nil {
		parts.CSI = c.facts.CSINodes[name]
	}
	if machine.Claim != nil {
		parts.Offer = c.pools.offer(machine.Pool())
	}
	held := c.held[name]
	parts.Pods = make([]translate.PodView, 0, len(held))
	for id := range held {
		parts.Pods = append(parts.Pods, judged(c.facts.Pods[id].View, c.now))
	}
	view := c.facts.Interner.Node(parts)
	c.undisplace(name)
	c.sheet.PutNode(name, view)
	for _, d := range view.Displaced {
		c.sheet.Wait(d)
		c.refused.displace(d.ID)
	}
	if view.Stage != shape.Ready || c.book.Planned() == 0 {
		return
	}
	for id := range held {
		if !c.virtual.has(id) {
			c.book.Begin(id, c.now.Add(c.nomination))
		}
	}
}

// judged is the view with a hold that has ended taken away.
func judged(v translate.PodView, now time.Time) translate.PodView {
	if v.Until.IsZero() || now.Before(v.Until) {
		return v
	}
	v.Held = false
	if v.Role == shape.Pinned {
		v.Role = shape.Movable
	}
	return v
}
