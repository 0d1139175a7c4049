package bind

import (
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// suit tells whether a claim could have a volume.
type suit func(*claim, *shape.Slot) bool

// matching gives claims volumes, pod by pod: each pod gets one for every claim, all within reach of one node, or none.
// A pod that finds the volumes gone has others give way to it if there are different ones for those.
type matching struct {
	pass  *Pass
	may   map[*claim][]*shape.Slot // of claims that want a volume, in the order in which they are tried
	got   map[*claim]*shape.Slot
	owner map[string]*claim // by volume
	left  int               // of mostTries
}

// mostTries bounds how often a volume is tried for a claim in one matching; from then on every pod takes what it finds
// first.
const mostTries = 20_000

// match gives the claims of as many pods as possible a volume each that suits, the first pods before the others, and
// each claim the first of its slots that leaves the others theirs, or one that is made; with more than one suits, what
// an earlier one is for comes first.
func (p *Pass) match(claims []*claim, suits ...suit) map[*claim]*shape.Slot {
	m := &matching{
		pass: p, may: map[*claim][]*shape.Slot{}, got: map[*claim]*shape.Slot{}, owner: map[string]*claim{},
		left: mostTries,
	}
	var pods []*pod
	for _, c := range claims {
		m.may[c] = []*shape.Slot{}
		for _, suit := range suits {
			for s := range c.slots() {
				if !p.taken[s.Volume] && !c.failed[s.Volume] && !slices.Contains(m.may[c], s) && suit(c, s) {
					m.may[c] = append(m.may[c], s)
				}
			}
		}
		for _, one := range c.users {
			if one.refused == "" && !slices.Contains(pods, one) {
				pods = append(pods, one)
			}
		}
	}
	for _, one := range pods {
		m.serve(one, map[string]bool{})
	}
	return m.got
}

// serve gives all claims of a pod a volume or none of them. Volumes that were asked of others before are not asked for
// again.
func (m *matching) serve(one *pod, seen map[string]bool) bool {
	var open []*claim
	for _, c := range one.claims {
		if m.may[c] != nil && m.got[c] == nil && !slices.Contains(open, c) {
			open = append(open, c)
		}
	}
	return m.fill(one, open, nil) || m.left > 0 && m.fill(one, open, seen)
}

// fill gives the claims of a pod volumes one after the other, and takes them again if the last ones find none. With
// seen, it asks for volumes that others have.
func (m *matching) fill(one *pod, open []*claim, seen map[string]bool) bool {
	if len(open) == 0 {
		return true
	}
	c := open[0]
	for k, s := range m.may[c] {
		if m.left--; m.left < 0 && k > 0 {
			return false
		}
		if owner := m.owner[s.Volume]; owner == nil {
			if m.reach(c, s) {
				m.owner[s.Volume], m.got[c] = c, s
				if m.fill(one, open[1:], seen) {
					return true
				}
				delete(m.owner, s.Volume)
				delete(m.got, c)
			}
		} else if seen != nil && !seen[s.Volume] && m.ask(one, open, s, seen) {
			return true
		}
	}
	return false
}

// ask gives the first of a pod's claims a volume that a claim of another pod has, if that pod finds others.
func (m *matching) ask(one *pod, open []*claim, s *shape.Slot, seen map[string]bool) bool {
	other := m.owner[s.Volume].users
	if len(other) != 1 || other[0] == one {
		return false
	}
	seen[s.Volume] = true
	got, owner := maps.Clone(m.got), maps.Clone(m.owner)
	for _, c := range other[0].claims {
		if slot := m.got[c]; slot != nil && len(c.users) == 1 {
			delete(m.owner, slot.Volume)
			delete(m.got, c)
		}
	}
	if m.reach(open[0], s) {
		m.owner[s.Volume], m.got[open[0]] = open[0], s
		if m.fill(one, open[1:], seen) && m.serve(other[0], seen) && (len(one.claims)+len(other[0].claims) == 2 ||
			m.inSomeOrder()) {
			return true
		}
	}
	m.got, m.owner = got, owner
	return false
}

// reach reports whether each pod of a claim may be where this volume and those of its other claims are, and gets them
// there: kube-scheduler goes through a pod's claims one after the other, and gives each the first volume that is left
// for it.
func (m *matching) reach(c *claim, s *shape.Slot) bool {
	return !slices.ContainsFunc(c.users, func(one *pod) bool {
		if one.refused != "" {
			return false
		}
		slots, before := []*shape.Slot{s}, true
		for _, o := range one.claims {
			before = before && o != c
			if m.got[o] == nil || o == c {
				continue
			}
			if before && o.prefers(s, m.got[o]) || !before && c.prefers(m.got[o], s) {
				return true
			}
			slots = append(slots, m.got[o])
		}
		return len(slots) > 1 && !m.pass.reachable(one, slots)
	})
}

// prefers reports whether a claim takes a volume rather than another one if both are left.
func (c *claim) prefers(s, other *shape.Slot) bool {
	for own := range c.slots() {
		switch own.Volume {
		case other.Volume:
			return false
		case s.Volume:
			return true
		}
	}
	return false
}

// inSomeOrder reports whether pods get what they have if they come one after the other in some order. A pod must come
// after those that have what one of its claims would rather take.
func (m *matching) inSomeOrder() bool {
	var pods []*pod
	after := map[*pod][]*pod{}
	for c := range m.got {
		one := c.users[0]
		if !slices.Contains(pods, one) {
			pods = append(pods, one)
		}
		for volume, o := range m.owner {
			if s := o.slotOf(volume); o.users[0] != one && c.prefers(s, m.got[c]) && m.reachWith(one, c, s) {
				after[one] = append(after[one], o.users[0])
			}
		}
	}
	for len(pods) > 0 {
		rest := slices.DeleteFunc(slices.Clone(pods), func(one *pod) bool {
			return !slices.ContainsFunc(after[one], func(o *pod) bool { return slices.Contains(pods, o) })
		})
		if len(rest) == len(pods) {
			return false
		}
		pods = rest
	}
	return true
}

// reachWith reports whether a pod might have another volume for a claim where it has its others.
func (m *matching) reachWith(one *pod, c *claim, s *shape.Slot) bool {
	slots := []*shape.Slot{s}
	for _, o := range one.claims {
		if o != c && m.got[o] != nil {
			slots = append(slots, m.got[o])
		}
	}
	return m.pass.reachable(one, append(slots, m.got[c]))
}
