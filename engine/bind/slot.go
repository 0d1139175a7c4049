package bind

import (
	"fmt"
	"iter"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// settleSlots gives claims the volumes that exist.
func (p *Pass) settleSlots() {
	p.reconsider()
	open, contested := p.open()
	if len(open) == 0 {
		return
	}
	got := p.match(open, p.here)
	if len(got) < len(open) {
		p.guess(open, p.here)
		p.again = true
		return
	}
	for _, c := range open {
		slot := got[c]
		if !contested[c] && len(c.users) == 1 {
			continue // whichever node it gets, nobody else wants the volumes there
		}
		p.choose(c, slot, false)
		p.again = p.again || slices.ContainsFunc(p.placed(c.users), func(one *pod) bool {
			at, _ := p.place(one)
			return !everywhere(slot.Terms, at)
		})
	}
}

// here reports whether a volume can be reached from where the pods of a claim are, those that have a place.
func (p *Pass) here(c *claim, s *shape.Slot) bool {
	return !slices.ContainsFunc(p.placed(c.users), func(one *pod) bool {
		at, _ := p.place(one)
		return !planned(s.Terms, at)
	})
}

// anywhere reports whether a volume can be reached from some place that each of a claim's pods may have; never if no
// plan for that place would follow.
func (p *Pass) anywhere(c *claim, s *shape.Slot) bool {
	return !p.last() && !slices.ContainsFunc(c.users, func(one *pod) bool {
		return one.refused == "" && !p.reachable(one, []*shape.Slot{s})
	})
}

// open lists the claims of pods with a place that have no volume yet, and tells which of them another one might get the
// volume of.
func (p *Pass) open() (list []*claim, contested map[*claim]bool) {
	wanted := map[string][]*claim{}
	for _, c := range p.claims {
		if c.closed || c.made || c.volume != "" || len(c.binding.Slots) == 0 || len(p.placed(c.users)) == 0 {
			continue
		}
		list = append(list, c)
		for i := range c.binding.Slots {
			wanted[c.binding.Slots[i].Volume] = append(wanted[c.binding.Slots[i].Volume], c)
		}
	}
	contested = map[*claim]bool{}
	for _, c := range list {
		for i := range c.binding.Slots {
			volume := c.binding.Slots[i].Volume
			contested[c] = contested[c] || p.taken[volume] || len(wanted[volume]) > 1
		}
	}
	return list, contested
}

// give settles that a claim gets a volume.
func (p *Pass) give(c *claim, s *shape.Slot) {
	p.taken[s.Volume] = true
	c.volume = s.Volume
	p.demand(c.users, s.Terms)
}

// guess finds volumes for claims wherever their pods may go: where these are, first and otherwise, there are too few.
// Pods of which a claim gets none, and has none made, wait.
func (p *Pass) guess(open []*claim, here suit) {
	got := p.match(open, here, p.anywhere)
	stays := func(one *pod) bool {
		return !slices.ContainsFunc(one.claims, func(c *claim) bool { return got[c] != nil && !here(c, got[c]) })
	}
	for _, served := range [2]bool{true, false} {
		for _, c := range open {
			if (got[c] != nil) == served {
				p.choose(c, got[c], slices.ContainsFunc(c.users, func(one *pod) bool { return !stays(one) }))
			}
		}
	}
}

// choose settles that a claim gets a volume, whether or not its pods are where that is, or that it gets none.
func (p *Pass) choose(c *claim, slot *shape.Slot, byGuess bool) {
	switch {
	case slot != nil && slot != c.fresh:
		c.byGuess = byGuess
		p.give(c, slot)
	case slot != nil:
		c.made = true
		p.demand(c.users, c.binding.Terms)
	default:
		c.closed, c.none = true, p.noneLeft(c)
		p.refuse(c.users, c.none)
		p.release(c.users)
	}
}

// noneLeft is why the pods of a claim wait.
func (p *Pass) noneLeft(c *claim) string {
	name := "one of its volume claims"
	if c.binding.Claim != "" {
		name = "its volume claim " + short(c.name)
	}
	left := slices.ContainsFunc(c.binding.Slots, func(s shape.Slot) bool {
		return !p.taken[s.Volume] && !c.failed[s.Volume]
	})
	if c.binding.Made || left && len(c.users[0].claims) > 1 {
		return "of the volumes that are left for its claims no node reaches one for each"
	}
	return fmt.Sprintf(
		"no volume is left for %s: there are %d that suit it, and other claims get them", name, len(c.binding.Slots),
	)
}

// release frees the volumes of claims that only refused pods use.
func (p *Pass) release(pods []*pod) {
	for _, one := range pods {
		for _, c := range one.claims {
			waits := !slices.ContainsFunc(c.users, func(u *pod) bool { return u.refused == "" })
			if waits && c.volume != "" {
				p.takeBack(c)
				c.closed = true
			}
		}
	}
}

// reconsider takes volumes back that were chosen without a place, and with which the pods have found none.
func (p *Pass) reconsider() {
	if p.last() {
		return
	}
	var rest []*claim
	for _, c := range p.claims {
		if !c.byGuess || c.closed || len(p.placed(c.users)) > 0 {
			continue
		}
		c.byGuess = false
		open := slices.ContainsFunc(c.binding.Slots, func(s shape.Slot) bool {
			return !p.taken[s.Volume] && !c.failed[s.Volume]
		})
		if !open && !c.binding.Made {
			continue
		}
		if len(c.slot().Terms) > 0 {
			c.failed[c.volume] = true
		}
		p.takeBack(c)
		rest = append(rest, c)
	}
	if len(rest) > 0 {
		p.guess(rest, func(*claim, *shape.Slot) bool { return false })
		p.again = true
	}
}

// loosen takes volumes back from claims of which no pod has found a place after all, once: others may do better with
// them, and what is told of such pods should not be the fault of a choice. Pods that were refused for want of volumes
// get another try if there are some for them by now.
func (p *Pass) loosen() {
	p.loosened = true
	var none []*claim
	for _, c := range p.claims {
		if c.none != "" {
			none = append(none, c)
		}
		if c.volume == "" || c.closed || p.held[c.name] || len(p.placed(c.users)) > 0 {
			continue
		}
		p.takeBack(c)
		clear(c.failed)
		p.again = true
	}
	for _, c := range none {
		p.readmit(c)
	}
}

// readmit lets the pods of a claim that got no volume be planned again if there is one for each of their claims.
func (p *Pass) readmit(c *claim) {
	var shut []*claim // with it, for the same pods
	for _, one := range c.users {
		if one.refused != c.none {
			return
		}
		for _, o := range one.claims {
			if o.closed && !slices.Contains(shut, o) {
				shut = append(shut, o)
			}
		}
	}
	why := c.none
	for _, one := range c.users {
		one.refused = ""
	}
	for _, o := range shut {
		clear(o.failed)
	}
	if got := p.match(shut, p.anywhere); len(got) < len(shut) {
		for _, one := range c.users {
			one.refused = why
		}
		return
	}
	for _, o := range shut {
		o.closed, o.none = false, ""
	}
	p.again = true
}

// takeBack frees the volume of a claim, and its pods of what that means for them.
func (p *Pass) takeBack(c *claim) {
	terms := c.slot().Terms
	delete(p.taken, c.volume)
	c.volume, c.byGuess = "", false
	for _, one := range c.users {
		if i := slices.IndexFunc(one.terms, func(t []shape.NodeTerm) bool { return sameList(t, terms) }); i >= 0 {
			one.terms = slices.Delete(slices.Clone(one.terms), i, i+1)
		}
	}
}

// sameList reports whether two lists are one.
func sameList(a, b []shape.NodeTerm) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// slots are the volumes that there are for a claim, and then the one that may be made.
func (c *claim) slots() iter.Seq[*shape.Slot] {
	return func(yield func(*shape.Slot) bool) {
		for i := range c.binding.Slots {
			if !yield(&c.binding.Slots[i]) {
				return
			}
		}
		if c.fresh != nil {
			yield(c.fresh)
		}
	}
}

func (c *claim) slot() *shape.Slot { return c.slotOf(c.volume) }

// slotOf is the slot of a volume that a claim may have.
func (c *claim) slotOf(volume string) *shape.Slot {
	for s := range c.slots() {
		if s.Volume == volume {
			return s
		}
	}
	return nil
}
