package bind

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// mostValues bounds how many values of a label are tried for one claim.
const mostValues = 12

// settleValues chooses where the volumes will be made that several pods share. What has been settled since the plan may
// send some of these pods elsewhere; then their places say nothing, and the next plan's will.
func (p *Pass) settleValues(try Trial) {
	moves := func(one *pod) bool { // what has been settled keeps it off the node that it is planned for
		at, _ := p.place(one)
		return slices.ContainsFunc(one.terms, func(terms []shape.NodeTerm) bool { return !planned(terms, at) })
	}
	for _, c := range p.claims {
		if !c.lacksValue() {
			continue
		}
		g := joined(c)
		placed := p.placed(g.users)
		if len(placed) > 1 && !p.together(placed) && (p.last() || !slices.ContainsFunc(placed, moves)) {
			p.settleValue(g, placed, try)
		}
	}
}

// lacksValue reports whether it is open where the volume of a claim will be made.
func (c *claim) lacksValue() bool {
	b := c.binding
	return !c.closed && !c.value && b.Key != "" && b.Made && c.volume == "" && (len(b.Slots) == 0 || c.made)
}

// group are claims whose volumes are made in one place, as each has a pod in common with another one.
type group struct {
	claims []*claim
	users  []*pod // of all of them
}

// joined is the group of a claim that lacks a value.
func joined(c *claim) group {
	g := group{claims: []*claim{c}}
	known, seen := map[*claim]bool{c: true}, map[*pod]bool{}
	for i := 0; i < len(g.claims); i++ {
		for _, one := range g.claims[i].users {
			if !seen[one] {
				seen[one] = true
				g.users = append(g.users, one)
				g.claims = append(g.claims, one.joins(c.binding.Key, known)...)
			}
		}
	}
	return g
}

// joins are the pod's claims that lack a value of a label and are not known yet; then they are.
func (one *pod) joins(key string, known map[*claim]bool) []*claim {
	var out []*claim
	for _, c := range one.claims {
		if !known[c] && c.lacksValue() && c.binding.Key == key {
			known[c] = true
			out = append(out, c)
		}
	}
	return out
}

// hasValue says that it is settled where the volumes of all claims will be made.
func (g *group) hasValue() {
	for _, c := range g.claims {
		c.value = true
	}
}

// together reports whether pods share a node.
func (p *Pass) together(pods []*pod) bool {
	first, _ := p.place(pods[0])
	return !slices.ContainsFunc(pods, func(one *pod) bool {
		at, _ := p.place(one)
		return at.Name != first.Name
	})
}

func (p *Pass) settleValue(g group, placed []*pod, try Trial) {
	key := g.claims[0].binding.Key
	votes := map[string]int{}
	certain := true
	for _, one := range placed {
		at, _ := p.place(one)
		value := valueAt(at, 0, key)
		votes[value]++
		for i := range at.Labels {
			certain = certain && valueAt(at, i, key) == value
		}
	}
	delete(votes, "")
	values := p.values(key, votes)
	best, found := candidate{}, false
	for _, value := range values {
		if len(values) == 1 || len(votes) == 1 && votes[value] == len(g.users) {
			best, found = candidate{value: value}, true
			break
		}
		if len(votes) == 1 && votes[value] == 0 {
			continue // they agree; those that have no place have none for other reasons
		}
		next := candidate{value: value, votes: votes[value]}
		next.placed, next.price = try(p.narrowed(g.users, only(key, value)))
		if !found || next.better(best) {
			best, found = next, true
		}
	}
	if !found {
		return
	}
	g.hasValue()
	p.demand(g.users, only(key, best.value))
	p.again = p.again || !certain || len(votes) != 1 || votes[best.value] != len(placed)
}

// candidate is a value and what comes of it.
type candidate struct {
	value  string
	placed int
	price  shape.Money
	votes  int
}

func (c candidate) better(o candidate) bool {
	return cmp.Or(
		cmp.Compare(o.placed, c.placed), cmp.Compare(c.price, o.price), cmp.Compare(o.votes, c.votes),
		cmp.Compare(c.value, o.value),
	) < 0
}

func valueAt(at Place, option int, key string) string {
	if option >= len(at.Labels) {
		return ""
	}
	value, _ := shape.LabelValue(at.Labels[option], key)
	return value
}

func only(key, value string) []shape.NodeTerm {
	return []shape.NodeTerm{{Labels: []shape.Requirement{{Key: key, Operator: shape.In, Values: []string{value}}}}}
}

// values lists what the label may be on nodes, those that pods have been given first.
func (p *Pass) values(key string, votes map[string]int) []string {
	seen := map[string]bool{}
	note := func(value string) { seen[value] = true }
	for value := range votes {
		note(value)
	}
	for _, n := range p.s.Nodes {
		if value, ok := shape.LabelValue(p.labels(n), key); ok && n.Stage != shape.Leaving {
			note(value)
		}
	}
	for _, t := range p.s.Types {
		for i := range t.Offerings {
			if o := &t.Offerings[i]; o.Available && key == shape.LabelZone {
				note(o.Zone)
			} else if value, ok := shape.LabelValue(o.Extra, key); ok && o.Available {
				note(value)
			}
		}
	}
	delete(seen, "")
	var out []string
	for value := range seen {
		out = append(out, value)
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(votes[b], votes[a]), cmp.Compare(a, b)) })
	return out[:min(len(out), mostValues)]
}

// fix settles a claim's value by the node of a pod that has it.
func (p *Pass) fix(c *claim, labels []shape.Label) {
	value, ok := shape.LabelValue(labels, c.binding.Key)
	if !ok || c.value {
		return
	}
	c.value = true
	p.demand(c.users, only(c.binding.Key, value))
}

// reachable reports whether a pod might go where several volumes are, as far as it alone is concerned.
func (p *Pass) reachable(one *pod, slots []*shape.Slot) bool {
	key := fmt.Appendf(nil, "%p", one.class)
	lists := slices.Clip(one.terms)
	for _, s := range slots {
		if len(s.Terms) > 0 {
			key = fmt.Appendf(key, " %p", s)
			lists = append(lists, s.Terms)
		}
	}
	if len(one.terms) > 0 {
		return p.mayReach(one, lists)
	}
	may, known := p.reaches[string(key)]
	if !known {
		may = p.mayReach(one, lists)
		p.reaches[string(key)] = may
	}
	return may
}

func (p *Pass) mayReach(one *pod, lists [][]shape.NodeTerm) bool {
	c := *one.narrow(lists)
	if c.Refused != "" {
		return false
	}
	for _, n := range p.s.Nodes {
		labels := p.labels(n)
		_, selected := require.New(c.NodeSelector).HasLabels(labels)
		if n.Stage != shape.Leaving && selected && !c.NoNode && holds(c.NodeTerms, labels, n.Name) &&
			holds(c.VolumeTerms, labels, n.Name) && holds(c.Untried, labels, n.Name) && c.Requests.Fits(p.room(n)) {
			return true
		}
	}
	for _, t := range p.s.Types {
		for i := range t.Offerings {
			if o := &t.Offerings[i]; o.Available && len(p.s.Pools) > 0 && mayHold(&c, o) {
				return true
			}
		}
	}
	return false
}

func (p *Pass) room(n *shape.Node) shape.Vector {
	if n.Requested != nil {
		return n.Allocatable.Sub(*n.Requested)
	}
	room := n.Allocatable
	for i := range n.Pods {
		if c := p.classOf(n.Pods[i].Class); c != nil {
			room = room.Sub(c.Requests)
		}
	}
	return room
}

// mayHold looks at an offering's zone and capacity type alone; a new node has a name that nobody knows.
func mayHold(c *shape.Class, o *shape.Offering) bool {
	open := func(reqs []shape.Requirement) bool {
		return !slices.ContainsFunc(reqs, func(r shape.Requirement) bool {
			v := require.Of(r)
			switch r.Key {
			case shape.LabelZone:
				return !v.Has(o.Zone)
			case shape.LabelCapacityType:
				return !v.Has(o.CapacityType)
			case shape.LabelHostname:
				return r.Operator == shape.In || r.Operator == shape.DoesNotExist
			}
			return false
		})
	}
	some := func(terms []shape.NodeTerm) bool {
		return len(terms) == 0 || slices.ContainsFunc(terms, func(t shape.NodeTerm) bool {
			return open(t.Labels) && !slices.ContainsFunc(t.Names, func(r shape.Requirement) bool {
				return r.Operator == shape.In
			})
		})
	}
	return !c.NoNode && open(c.NodeSelector) && some(c.NodeTerms) && some(c.VolumeTerms) && some(c.Untried)
}
