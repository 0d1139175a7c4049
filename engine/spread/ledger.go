package spread

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Ledger counts what kube-scheduler sees: pods that are bound, on nodes that exist. Unlike State it knows the
// domain of every node, new ones included, and counts no domain in which there is none.
//
// Nodes are numbered as in feasible.Table.Nodes; new ones follow in the order in which they joined.
type Ledger struct {
	s     *State
	books []book  // by State.Tallies
	sites []*Site // of the new nodes
}

// book is one tally as far as nodes and pods are there.
type book struct {
	count   []int32 // by domain; new nodes of hostname tallies are appended
	nodes   []int32 // by domain: nodes that are counted
	pods    int64
	domains int32 // that have nodes

	least int32 // smallest count of a domain that has nodes
	at    int32 // domains with that count; 0 if least is not known
}

// Site is what topology rules see of a new node.
type Site struct {
	domains []int32 // by State.Keys; -1 for a missing label and for hostname
	counted []bool  // by State.Tallies: the tally looks at the node
}

// NewLedger has the existing nodes with the pods that run.
func NewLedger(s *State) *Ledger {
	l := &Ledger{s: s, books: make([]book, len(s.Tallies))}
	for k := range s.Tallies {
		t, b := &s.Tallies[k], &l.books[k]
		b.count = slices.Clone(t.running)
		b.nodes = slices.Clone(t.standing)
		for d := range b.count {
			b.pods += int64(b.count[d])
			if b.nodes[d] > 0 {
				b.domains++
			}
		}
	}
	return l
}

// Site is that of a new node from a column, of whose free labels only some values remain. Equal ones are one.
func (s *State) Site(p *feasible.Pool, column int, free bitset.Set) *Site {
	t := s.table
	site := &Site{domains: make([]int32, len(s.Keys)), counted: make([]bool, len(s.Tallies))}
	for k := range s.Keys {
		site.domains[k] = -1
		if s.Keys[k].Host {
			continue
		}
		if value, ok := t.NewLabel(p, column, free, s.Keys[k].Name); ok {
			if d, found := slices.BinarySearch(s.Keys[k].Domains, value); found {
				site.domains[k] = int32(d)
			}
		}
	}
	text := make([]byte, 0, 4*len(s.Keys)+len(s.Tallies))
	for _, d := range site.domains {
		text = append(text, byte(d), byte(d>>8), byte(d>>16), byte(d>>24))
	}
	for k := range s.Tallies {
		site.counted[k] = s.countsNew(s.Tallies[k].filter, site, p, column, free)
		text = append(text, flag(site.counted[k]))
	}
	if known := s.sites[string(text)]; known != nil {
		return known
	}
	if s.sites == nil {
		s.sites = map[string]*Site{}
	}
	s.sites[string(text)] = site
	return site
}

// countsNew is filter.counts for a new node.
func (s *State) countsNew(f *filter, site *Site, p *feasible.Pool, column int, free bitset.Set) bool {
	if f == nil {
		return true
	}
	if slices.ContainsFunc(f.keys, func(key string) bool { return site.domains[s.byKey[key]] < 0 }) {
		return false
	}
	if f.taints {
		if _, ok := f.where.Tolerates(p.Taints); !ok {
			return false
		}
	}
	return !f.affinity || s.table.LabelsAllowNew(f.where, p, column, free)
}

// Join adds a new node.
func (l *Ledger) Join(site *Site) (node int) {
	node = len(l.s.table.Nodes) + len(l.sites)
	l.sites = append(l.sites, site)
	for k := range l.books {
		b := &l.books[k]
		d := l.domain(l.s.Tallies[k].Key, node)
		if l.s.Keys[l.s.Tallies[k].Key].Host {
			b.count, b.nodes = append(b.count, 0), append(b.nodes, 0)
		}
		if d < 0 || !site.counted[k] {
			continue
		}
		if b.nodes[d]++; b.nodes[d] == 1 {
			b.domains++
			b.at = 0
		}
	}
	return node
}

// domain is in which domain of a key a node is, -1 if it lacks the label.
func (l *Ledger) domain(key int32, node int) int32 {
	if l.s.Keys[key].Host {
		return int32(node)
	}
	if n := node - len(l.s.table.Nodes); n >= 0 {
		return l.sites[n].domains[key]
	}
	return l.s.NodeDomain(key, node)
}

// counts reports whether a tally looks at a node.
func (l *Ledger) counts(tally int32, node int) bool {
	if n := node - len(l.s.table.Nodes); n >= 0 {
		return l.sites[n].counted[tally]
	}
	return l.s.Tallies[tally].filter.counts(&l.s.table.Nodes[node])
}

// Add notes n more pods of a class on a node.
func (l *Ledger) Add(class, node, n int) {
	for _, k := range l.s.Classes[class].Adds {
		if d := l.domain(l.s.Tallies[k].Key, node); d >= 0 && l.counts(k, node) {
			b := &l.books[k]
			if b.at > 0 && b.nodes[d] > 0 && b.count[d] == b.least {
				b.at--
			}
			b.count[d] += int32(n)
			b.pods += int64(n)
		}
	}
}

// Room is how many more pods of a class the rules allow on a node that is there, at most limit. It may be less than
// fit in the end, but is not 0 unless none does.
func (l *Ledger) Room(class, node, limit int) int {
	n, _, _ := l.room(class, limit, func(r *Rule) int32 { return l.domain(r.Key, node) })
	return n
}

// RoomAt is Room for a new node that would join.
func (l *Ledger) RoomAt(class int, site *Site, limit int) int {
	n, _, _ := l.room(class, limit, l.fresh(site))
	return n
}

// Objection is the first rule that keeps a pod of a class off a node, and for a Skew rule the skew that it would make;
// skew is meaningless if the node lacks the label. ok is false if no rule objects.
func (l *Ledger) Objection(class, node int) (r *Rule, skew int32, ok bool) {
	_, r, skew = l.room(class, 1, func(r *Rule) int32 { return l.domain(r.Key, node) })
	return r, skew, r != nil
}

// ObjectionAt is Objection for a new node that would join.
func (l *Ledger) ObjectionAt(class int, site *Site) (r *Rule, skew int32, ok bool) {
	_, r, skew = l.room(class, 1, l.fresh(site))
	return r, skew, r != nil
}

// empty is the domain of a host that is yet to join.
const empty = math.MaxInt32

func (l *Ledger) fresh(site *Site) func(*Rule) int32 {
	return func(r *Rule) int32 {
		if l.s.Keys[r.Key].Host {
			return empty
		}
		return site.domains[r.Key]
	}
}

// room asks all rules of a class. at tells the node's domain for a rule, -1 if there is none.
func (l *Ledger) room(class, limit int, at func(*Rule) int32) (n int, objects *Rule, skew int32) {
	rules := l.s.Classes[class].Rules
	room := int32(min(limit, math.MaxInt32))
	for i := range rules {
		r := &rules[i]
		d := at(r)
		if d < 0 && r.Kind != Apart {
			return 0, r, NoDomain
		}
		have := int32(0)
		if d >= 0 && d != empty {
			have = l.books[r.Tally].count[d]
		}
		self := int32(0)
		if r.Self {
			self = 1
		}
		switch r.Kind {
		case Skew:
			least := l.least(r, d)
			if have+self-least > r.MaxSkew {
				return 0, r, have + self - least
			}
			if r.Self {
				room = min(room, r.MaxSkew-have+least)
			}
		case Near:
			if have == 0 && !l.first(r) {
				return 0, r, 0
			}
		case Apart:
			if have > 0 {
				return 0, r, 0
			}
			if r.Self {
				room = min(room, 1)
			}
		}
	}
	return int(room), nil, 0
}

// NoDomain is an Objection's skew for a node that lacks the label.
const NoDomain = math.MinInt32

// least is the smallest count of a domain with nodes, 0 if there are fewer than MinDomains. Domain d counts in any
// case: it is that of the node in question.
func (l *Ledger) least(r *Rule, d int32) int32 {
	b := &l.books[r.Tally]
	if b.at <= 0 {
		b.survey()
	}
	least, domains := b.least, b.domains
	if d == empty {
		least, domains = 0, domains+1
	} else if b.nodes[d] == 0 {
		least, domains = min(least, b.count[d]), domains+1
	}
	if domains < r.MinDomains {
		return 0
	}
	return least
}

// survey looks for the smallest count.
func (b *book) survey() {
	b.least, b.at = math.MaxInt32, 0
	for d, n := range b.nodes {
		switch {
		case n == 0 || b.count[d] > b.least:
		case b.count[d] < b.least:
			b.least, b.at = b.count[d], 1
		default:
			b.at++
		}
	}
}

func (l *Ledger) first(r *Rule) bool {
	return r.Self && !slices.ContainsFunc(r.all, func(k int32) bool { return l.books[k].pods != 0 })
}

// Helps reports whether a pod of another class on a node would let pods in that a rule keeps out of a place: it would
// be the neighbour that they want, or fill up an emptiest domain.
func (l *Ledger) Helps(r *Rule, class, node int) bool {
	if !slices.Contains(l.s.Classes[class].Adds, r.Tally) || !l.counts(r.Tally, node) {
		return false
	}
	d := l.domain(r.Key, node)
	if d < 0 || r.Kind != Skew {
		return d >= 0 && r.Kind == Near
	}
	b := &l.books[r.Tally]
	if b.at <= 0 {
		b.survey()
	}
	return b.count[d] == b.least
}

// Unsettles reports whether another new node could be an empty domain to a rule that has let pods in by what is there:
// then those that came late may have come too late.
func (l *Ledger) Unsettles(site *Site) bool {
	for k := range l.books {
		t, b := &l.s.Tallies[k], &l.books[k]
		if t.filter == nil || !site.counted[k] {
			continue
		}
		if !l.s.Keys[t.Key].Host {
			if d := site.domains[t.Key]; d < 0 || b.nodes[d] > 0 {
				continue
			}
		}
		if len(b.count) > 0 && slices.Max(b.count) > t.maxSkew {
			return true
		}
	}
	return false
}

// Ordered reports whether it matters for a class when its pods come: before or after others.
func (c *Class) Ordered() bool {
	return slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Kind != Apart })
}

// Place tells places apart that differ for pods of a class: nodes of one Place are interchangeable to them. Existing
// nodes of one profile are alike, and new ones of one site.
func (l *Ledger) Place(class, node int) Place {
	c := &l.s.Classes[class]
	if c.Hosts || l.s.named {
		return Place{Node: int32(node)}
	}
	if n := node - len(l.s.table.Nodes); n >= 0 {
		return Place{Node: -1, Site: l.sites[n]}
	}
	return Place{Node: -1, Profile: l.s.table.Nodes[node].Profile}
}

// Place is a set of nodes; see Ledger.Place.
type Place struct {
	Node    int32 // -1 for all of a profile or site
	Profile *shape.Profile
	Site    *Site
}
