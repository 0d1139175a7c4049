package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// bindings reads claim="NAME [once] [made [in:ZONE]] [key:KEY] [slots:VOLUME@ZONE,…]". The name own is a claim of each
// pod's own; the zone * is everywhere, and KEY=VALUE in its place is another label.
func (a *args) bindings(c *shape.Class) error {
	for _, text := range a.all("claim") {
		f := strings.Fields(text)
		if len(f) < 2 {
			return fmt.Errorf("claim=%q wants a name and what is to be settled", text)
		}
		b := shape.Binding{Claim: "default/" + f[0]}
		if f[0] == "own" {
			b.Claim = ""
		}
		for _, w := range f[1:] {
			kind, rest, _ := strings.Cut(w, ":")
			switch kind {
			case "once":
				b.Once = true
			case "made":
				b.Made = true
			case "in":
				b.Terms = slotIn("", rest).Terms
			case "key":
				b.Key = longKey(rest)
			case "slots":
				for _, one := range strings.Split(rest, ",") {
					volume, zone, _ := strings.Cut(one, "@")
					b.Slots = append(b.Slots, slotIn(volume, zone))
				}
			default:
				return fmt.Errorf("claim=%q: unknown word %q", text, w)
			}
		}
		bindTo(c, b)
	}
	return nil
}

func slotIn(volume, zone string) shape.Slot {
	s := shape.Slot{Volume: volume}
	if zone != "*" {
		key, value, labelled := strings.Cut(zone, "=")
		if !labelled {
			key, value = shape.LabelZone, zone
		}
		s.Terms = []shape.NodeTerm{{Labels: []shape.Requirement{{Key: key, Values: []string{value}}}}}
	}
	return s
}

// bindTo adds a binding to a class, and what it allows by itself.
func bindTo(c *shape.Class, b shape.Binding) {
	c.Bindings = append(c.Bindings, b)
	terms := slices.Clone(b.Terms)
	for _, s := range b.Slots {
		if len(s.Terms) == 0 {
			return
		}
		terms = append(terms, s.Terms...)
	}
	if b.Made && len(b.Terms) == 0 {
		return
	}
	both, ok := require.AndTerms(c.VolumeTerms, terms)
	if !ok {
		c.Refused = "no node can reach all of its volumes"
	}
	c.VolumeTerms = both
}

// mount is a claim with where the pods are that use it.
type mount struct {
	binding *shape.Binding
	users   []shape.PodID
	at      []site
	fresh   bool // some of the pods were placed by the decision
}

// site is a node as it may come up: one list of labels for each option.
type site struct {
	name   string // shape.Node.Name, empty for a new node
	labels [][]shape.Label
}

// claims holds the outcome against what volume claims allow: one pod at a time, all pods of a claim where its volume
// is, and a volume for every claim.
func (c *checker) claims() error {
	mounts, order := c.mounts()
	var static []*mount
	for _, name := range order {
		m := mounts[name]
		b := m.binding
		if b.Once && m.fresh && len(m.users) > 1 {
			return fmt.Errorf("claim %s is open to one pod at a time, and %s have it", name, m.users)
		}
		if len(b.Slots) > 0 {
			static = append(static, m)
		} else if b.Made && b.Key != "" && m.fresh && !m.shareOne(b.Key) {
			return fmt.Errorf(
				"the volume of claim %s can be where one value of %s is, and its pods %s are at several", name, b.Key,
				m.users,
			)
		}
	}
	for _, m := range static {
		if !contested(m, static) {
			if err := m.everywhere(); err != nil {
				return err
			}
		}
	}
	all := slices.Clone(static)
	static = slices.DeleteFunc(static, func(m *mount) bool { return !contested(m, all) })
	if !matchable(static, map[string]bool{}) {
		return fmt.Errorf(
			"the claims of %v cannot all have a volume of their own where their pods are", usersOf(static),
		)
	}
	return nil
}

// contested reports whether a claim has several pods, or another claim might get one of its volumes.
func contested(m *mount, all []*mount) bool {
	return len(m.users) > 1 || slices.ContainsFunc(all, func(o *mount) bool {
		return o != m && slices.ContainsFunc(o.binding.Slots, func(s shape.Slot) bool {
			return slices.ContainsFunc(m.binding.Slots, func(own shape.Slot) bool { return own.Volume == s.Volume })
		})
	})
}

func usersOf(list []*mount) []shape.PodID {
	var out []shape.PodID
	for _, m := range list {
		out = append(out, m.users...)
	}
	return out
}

// mounts collects what pods that have a place use.
func (c *checker) mounts() (byName map[string]*mount, order []string) {
	byName = map[string]*mount{}
	add := func(id shape.PodID, class *shape.Class, at site, fresh bool) {
		for i := range class.Bindings {
			b := &class.Bindings[i]
			kind := fmt.Sprintf("%s %v %v", b.Claim, b.Once, len(b.Slots) > 0)
			if b.Claim == "" {
				kind = fmt.Sprintf("%s %d", id, i)
			}
			m := byName[kind]
			if m == nil {
				m = &mount{binding: b}
				byName[kind] = m
				order = append(order, kind)
			}
			m.users, m.at, m.fresh = append(m.users, id), append(m.at, at), m.fresh || fresh
		}
	}
	placed := map[string][]shape.PodID{}
	for _, p := range c.d.Place {
		placed[p.Node] = append(placed[p.Node], p.Pod)
	}
	for _, n := range c.s.Nodes {
		labels := labelMap(append([]shape.Label{
			{Key: shape.LabelHostname, Value: n.Hostname},
		}, c.s.Profiles[n.Profile].Labels...))
		at := site{n.Name, [][]shape.Label{labels}}
		for i := range n.Pods {
			add(n.Pods[i].ID, c.s.Classes[n.Pods[i].Class], at, false)
		}
		for _, id := range placed[n.Name] {
			add(id, c.pods[id], at, true)
		}
	}
	for _, n := range c.d.Open {
		at := site{}
		for _, o := range n.Options {
			it, off := c.offering(c.pool(n.Pool), o)
			at.labels = append(at.labels, c.labels(c.pool(n.Pool), it, off, n))
		}
		for _, id := range n.Pods {
			add(id, c.pods[id], at, true)
		}
	}
	return byName, order
}

// shareOne reports whether all nodes have one value of a label, whatever they are launched from, or are one node.
func (m *mount) shareOne(key string) bool {
	seen := map[string]bool{}
	hosts := map[string]bool{}
	for _, at := range m.at {
		for _, labels := range at.labels {
			value, _ := shape.LabelValue(labels, key)
			seen[value] = true
			host, _ := shape.LabelValue(labels, shape.LabelHostname)
			hosts[host] = true
		}
	}
	return len(seen) == 1 || len(hosts) == 1
}

// holdsAt reports whether a slot can be reached from all nodes of a mount.
func (m *mount) holdsAt(s *shape.Slot) bool {
	for _, at := range m.at {
		for _, labels := range at.labels {
			if !reaches(s.Terms, labels, at.name) {
				return false
			}
		}
	}
	return true
}

func reaches(terms []shape.NodeTerm, labels []shape.Label, name string) bool {
	return len(terms) == 0 || slices.ContainsFunc(terms, func(t shape.NodeTerm) bool {
		return require.TermMatches(t, labels, name)
	})
}

// everywhere holds the one claim that there is against each option by itself.
func (m *mount) everywhere() error {
	for _, labels := range m.at[0].labels {
		one := &mount{binding: m.binding, at: []site{{m.at[0].name, [][]shape.Label{labels}}}}
		if !matchable([]*mount{one}, map[string]bool{}) {
			return fmt.Errorf("the claim of %s has no volume at %v", m.users[0], labels)
		}
	}
	return nil
}

// matchable tries all ways to give claims a volume each.
func matchable(list []*mount, taken map[string]bool) bool {
	if len(list) == 0 {
		return true
	}
	m := list[0]
	for i := range m.binding.Slots {
		s := &m.binding.Slots[i]
		if taken[s.Volume] || !m.holdsAt(s) {
			continue
		}
		taken[s.Volume] = true
		if matchable(list[1:], taken) {
			return true
		}
		delete(taken, s.Volume)
	}
	made := shape.Slot{Terms: m.binding.Terms}
	return m.binding.Made && m.holdsAt(&made) && (m.binding.Key == "" || m.shareOne(m.binding.Key)) &&
		matchable(list[1:], taken)
}
