package bind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Place is where a plan has put a pod.
type Place struct {
	Name string // of the node, or of the new one; equal for pods that share it
	Node string // shape.Node.Name; empty for a new node

	// Labels are the node's, hostname included; for a new node by option, the planned one first. Each list ascends by
	// key.
	Labels [][]shape.Label
}

// Trial plans for some of the pods, and says how many of them found a place, or what those are worth, and what new
// nodes cost.
type Trial func(shape.Snapshot) (placed int, price shape.Money)

// Pass is the settling of one Snapshot.
type Pass struct {
	s      *shape.Snapshot
	pods   []*pod // that have bindings, in the order in which they come first
	byID   map[shape.PodID]*pod
	claims []*claim // of pods, in the order of their first pods, then of the pod's bindings
	byName map[string]*claim
	taken  map[string]bool // volumes that a claim has
	held   map[string]bool // claims of pods that hold room already

	reaches map[string]bool       // see reachable
	places  map[shape.PodID]Place // of the plan that is looked at
	rounds  int
	again   bool

	loosened bool // volumes that did not help have been taken back
}

// pod is one to be placed.
type pod struct {
	at      int // index into Snapshot.Pods
	class   *shape.Class
	claims  []*claim           // by the class's Bindings
	terms   [][]shape.NodeTerm // what has been settled for it: one of each must hold
	refused string
}

// claim is a volume claim that still has to be settled in some way.
type claim struct {
	name    string
	binding *shape.Binding
	users   []*pod

	fresh   *shape.Slot     // the volume that is made where there is none; nil if none is made
	volume  string          // of the slot that it gets
	failed  map[string]bool // volumes that it had and with which its pods found no place
	byGuess bool            // volume was chosen without a place
	made    bool            // none of the slots is to be had: a volume will be made
	value   bool            // Key's value is settled
	closed  bool            // nothing is left to be settled
	none    string          // why its pods are refused, if that is for want of a volume
}

// Rounds bounds how many plans a Pass asks for; what is open then waits for the next Snapshot.
const Rounds = 12

// Begin starts a Pass; nil if the Snapshot's pods depend on no claim that is still to be settled.
func Begin(s *shape.Snapshot) *Pass {
	p := &Pass{
		s: s, byID: map[shape.PodID]*pod{}, byName: map[string]*claim{}, taken: map[string]bool{},
		held: map[string]bool{}, reaches: map[string]bool{},
	}
	for i := range s.Pods {
		if c := p.classOf(s.Pods[i].Class); c != nil && len(c.Bindings) > 0 && c.Refused == "" {
			one := &pod{at: i, class: c}
			p.pods = append(p.pods, one)
			p.byID[s.Pods[i].ID] = one
		}
	}
	if len(p.pods) == 0 {
		return nil
	}
	slices.SortFunc(p.pods, func(a, b *pod) int {
		x, y := &s.Pods[a.at], &s.Pods[b.at]
		return cmp.Or(
			cmp.Compare(b.class.Priority, a.class.Priority), x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID),
		)
	})
	for _, one := range p.pods {
		for i := range one.class.Bindings {
			b := &one.class.Bindings[i]
			c := p.claim(claimName(s.Pods[one.at].ID, i, b), b)
			c.users = append(c.users, one)
			one.claims = append(one.claims, c)
		}
	}
	p.hold()
	return p
}

func (p *Pass) classOf(i int32) *shape.Class {
	if i < 0 || int(i) >= len(p.s.Classes) {
		return nil
	}
	return p.s.Classes[i]
}

func claimName(id shape.PodID, i int, b *shape.Binding) string {
	if b.Claim != "" {
		return b.Claim
	}
	return fmt.Sprintf("%s#%d", id, i)
}

// claim finds a claim by its name or makes it.
func (p *Pass) claim(name string, b *shape.Binding) *claim {
	if c := p.byName[name]; c != nil {
		return c
	}
	c := &claim{name: name, binding: b, failed: map[string]bool{}}
	if b.Made {
		c.fresh = &shape.Slot{Volume: "made for " + name, Terms: b.Terms} // no volume has such a name
	}
	p.byName[name] = c
	p.claims = append(p.claims, c)
	return c
}

// hold settles what pods have settled that hold room already.
func (p *Pass) hold() {
	nodes := slices.Clone(p.s.Nodes)
	slices.SortFunc(nodes, func(a, b *shape.Node) int { return cmp.Compare(a.Name, b.Name) })
	for _, n := range nodes {
		pods := slices.DeleteFunc(slices.Clone(n.Pods), func(pod shape.Pod) bool {
			c := p.classOf(pod.Class)
			return c == nil || len(c.Bindings) == 0 || p.byID[pod.ID] != nil
		})
		if len(pods) == 0 {
			continue
		}
		slices.SortFunc(pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
		labels := p.labels(n)
		for i := range pods {
			c := p.classOf(pods[i].Class)
			for k := range c.Bindings {
				p.heldBy(&pods[i], n, labels, k, &c.Bindings[k])
			}
		}
	}
}

// heldBy settles a claim by a pod that is on a node.
func (p *Pass) heldBy(holder *shape.Pod, n *shape.Node, labels []shape.Label, i int, b *shape.Binding) {
	name := claimName(holder.ID, i, b)
	c := p.byName[name]
	if p.held[name] {
		return
	}
	p.held[name] = true
	if b.Once && c != nil {
		p.refuse(
			c.users,
			"its volume claim "+short(c.name)+" is open to one pod at a time (ReadWriteOncePod), "+
				"and pod "+string(holder.ID)+" has it",
		)
		c.closed = true
	}
	for k := range b.Slots {
		if slot := &b.Slots[k]; !p.taken[slot.Volume] && holds(slot.Terms, labels, n.Name) {
			p.taken[slot.Volume] = true
			if c != nil {
				p.give(c, slot)
			}
			return
		}
	}
	if c != nil && b.Made && b.Key != "" {
		p.fix(c, labels)
	}
}

// short is a claim's name without its namespace.
func short(name string) string { return name[strings.IndexByte(name, '/')+1:] }

// labels are a node's with its hostname, ascending.
func (p *Pass) labels(n *shape.Node) []shape.Label {
	var out []shape.Label
	if n.Profile >= 0 && int(n.Profile) < len(p.s.Profiles) {
		out = slices.Clone(p.s.Profiles[n.Profile].Labels)
	}
	return WithLabel(out, shape.LabelHostname, n.Hostname)
}

// WithLabel sets a label in a list that ascends by key, which is written to.
func WithLabel(list []shape.Label, key, value string) []shape.Label {
	i, found := slices.BinarySearchFunc(list, key, func(l shape.Label, key string) int {
		return cmp.Compare(l.Key, key)
	})
	if found {
		list[i].Value = value
		return list
	}
	return slices.Insert(list, i, shape.Label{Key: key, Value: value})
}

// holds reports whether one of the terms holds on a node; no terms always do.
func holds(terms []shape.NodeTerm, labels []shape.Label, name string) bool {
	return len(terms) == 0 || slices.ContainsFunc(terms, func(t shape.NodeTerm) bool {
		return require.TermMatches(t, labels, name)
	})
}

// everywhere reports whether one of the terms holds on a node whichever of its options it is launched from.
func everywhere(terms []shape.NodeTerm, at Place) bool {
	return !slices.ContainsFunc(at.Labels, func(labels []shape.Label) bool { return !holds(terms, labels, at.Node) })
}

// planned reports whether one of the terms holds on a node as it is planned.
func planned(terms []shape.NodeTerm, at Place) bool {
	return len(terms) == 0 || len(at.Labels) > 0 && holds(terms, at.Labels[0], at.Node)
}

func (p *Pass) refuse(pods []*pod, why string) {
	for _, one := range pods {
		if one.refused == "" {
			one.refused = why
			p.again = true
		}
	}
}

// demand adds a condition on the nodes of pods.
func (p *Pass) demand(pods []*pod, terms []shape.NodeTerm) {
	for _, one := range pods {
		if len(terms) > 0 {
			one.terms = append(one.terms, terms)
		}
	}
}

// Snapshot is the Snapshot in which pods go only where what has been settled lets them.
func (p *Pass) Snapshot() shape.Snapshot { return p.narrowed(nil, nil) }

// narrowed is Snapshot for some of the pods, nil for all, with one more condition for them.
func (p *Pass) narrowed(only []*pod, terms []shape.NodeTerm) shape.Snapshot {
	s := *p.s
	s.Classes = slices.Clip(s.Classes)
	s.Pods = slices.Clone(s.Pods)
	known := map[string]int32{}
	for _, one := range p.pods {
		lists := one.terms
		if only != nil {
			lists = append(slices.Clip(lists), terms)
		}
		if one.refused == "" && len(lists) == 0 {
			continue
		}
		key := fmt.Sprintf("%d %q %v", s.Pods[one.at].Class, one.refused, lists)
		at, found := known[key]
		if !found {
			at = int32(len(s.Classes))
			s.Classes = append(s.Classes, one.narrow(lists))
			known[key] = at
		}
		s.Pods[one.at].Class = at
	}
	if only == nil {
		return s
	}
	some := make([]shape.Pod, 0, len(only))
	for _, one := range only {
		some = append(some, s.Pods[one.at])
	}
	slices.SortFunc(some, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
	s.Pods = some
	return s
}

// narrow is the pod's class with all that has been settled.
func (one *pod) narrow(lists [][]shape.NodeTerm) *shape.Class {
	c := *one.class
	c.Refused = one.refused
	for _, terms := range lists {
		both, ok := require.AndTerms(c.VolumeTerms, terms)
		if !ok {
			c.Refused = cmp.Or(c.Refused, "no node can reach all of its volumes")
			break
		}
		c.VolumeTerms = both
	}
	return &c
}

// Learn binds claims by where a plan for Snapshot has put its pods, and reports whether another plan is wanted: some
// pods are where their volumes will not be.
func (p *Pass) Learn(places map[shape.PodID]Place, try Trial) (again bool) {
	p.rounds++
	p.places, p.again = places, false
	p.settleOnce()
	p.settleSlots()
	p.settleValues(try)
	if !p.again && !p.loosened {
		p.loosen()
	}
	return p.again && p.rounds < Rounds
}

// last reports whether there will be one more plan at most: what has no volume by now waits.
func (p *Pass) last() bool { return p.rounds >= Rounds-1 }

// placed are those of some pods that have a place.
func (p *Pass) placed(users []*pod) []*pod {
	var out []*pod
	for _, one := range users {
		if _, ok := p.place(one); ok {
			out = append(out, one)
		}
	}
	return out
}

func (p *Pass) place(one *pod) (Place, bool) {
	at, ok := p.places[p.s.Pods[one.at].ID]
	return at, ok && one.refused == ""
}

// settleOnce leaves claims for one pod at a time to the first of those that have a place.
func (p *Pass) settleOnce() {
	for _, c := range p.claims {
		if !c.binding.Once || c.closed {
			continue
		}
		placed := p.placed(c.users)
		if len(placed) == 0 {
			continue
		}
		first := placed[0]
		for _, one := range c.users {
			if one != first {
				p.refuse([]*pod{one}, "its volume claim "+short(c.name)+" is open to one "+
					"pod at a time (ReadWriteOncePod), and pod "+
					string(p.s.Pods[first.at].ID)+" will have it")
			}
		}
		c.users = []*pod{first}
	}
}
