package spread

import (
	"math"
	"slices"
)

// Ledger counts what kube-scheduler sees: pods that are bound, on nodes that exist. Unlike State it knows the
// domain of every node, new ones included, and counts no domain in which there is none.
//
// Nodes are numbered as in feasible.Table.Nodes; new ones follow in the order in which they joined.
type Ledger struct {
	s     *State
	books []book  // by State.Tallies
	skews []int32 // topology spread's tallies
	hosts []int32 // hostname's tallies
	sites []*Site // of the new nodes

	joined  []int32 // domains of the new nodes, by node and key
	scratch []int32 // by key
}

// book is one tally as far as nodes and pods are there.
type book struct {
	count   []int32 // by domain; new nodes of hostname tallies are appended
	nodes   []int32 // by domain: nodes that are counted; nil but for topology spread
	pods    int64
	domains int32 // that have nodes

	least int32 // smallest count of a domain that has nodes
	at    int32 // domains with that count; 0 if least is not known
}

// NewLedger has the existing nodes with the pods that run. So many new nodes are going to join.
func NewLedger(s *State, join int) *Ledger {
	l := &Ledger{s: s, books: make([]book, len(s.Tallies)), sites: make([]*Site, 0, join)}
	l.joined, l.scratch = make([]int32, 0, join*len(s.Keys)), make([]int32, len(s.Keys))
	for k := range s.Tallies {
		t, b, spare := &s.Tallies[k], &l.books[k], 0
		if s.Keys[t.Key].Host {
			spare = join
			l.hosts = append(l.hosts, int32(k))
		}
		b.count = append(make([]int32, 0, len(t.running)+spare), t.running...)[:len(t.running)+spare]
		for _, n := range t.running {
			b.pods += int64(n)
		}
		if t.filter == nil {
			continue
		}
		l.skews = append(l.skews, int32(k))
		b.nodes = append(make([]int32, 0, len(t.running)+spare), t.standing...)[:len(t.running)+spare]
		for _, n := range t.standing {
			if n > 0 {
				b.domains++
			}
		}
	}
	return l
}

// Join adds a new node with those of its daemons that may matter to pods on other nodes.
func (l *Ledger) Join(site *Site) (node int) {
	node = len(l.s.table.Nodes) + len(l.sites)
	l.sites = append(l.sites, site)
	for k, d := range site.domains {
		if l.s.Keys[k].Host {
			d = int32(node)
		}
		l.joined = append(l.joined, d)
	}
	domains := l.domains(node)
	for _, k := range l.hosts {
		if b := &l.books[k]; node >= len(b.count) {
			b.count = append(b.count, 0)
			if b.nodes != nil {
				b.nodes = append(b.nodes, 0)
			}
		}
	}
	for _, k := range l.skews {
		d := domains[l.s.Tallies[k].Key]
		if d < 0 || !site.counted[k] {
			continue
		}
		b := &l.books[k]
		if b.nodes[d]++; b.nodes[d] == 1 {
			b.domains++
			b.at = 0
		}
	}
	for _, k := range site.hosts {
		if d := domains[l.s.Tallies[k].Key]; d >= 0 {
			l.books[k].count[d]++
			l.books[k].pods++
		}
	}
	return node
}

// domains are those of a node, by key: -1 where it lacks the label. They are good until the next node's are asked for.
func (l *Ledger) domains(node int) []int32 {
	keys := len(l.s.Keys)
	if n := node - len(l.s.table.Nodes); n >= 0 {
		return l.joined[n*keys : (n+1)*keys]
	}
	for k := range l.scratch {
		l.scratch[k] = l.s.NodeDomain(int32(k), node)
	}
	return l.scratch
}

// domain is in which domain of a key a node is, -1 if it lacks the label.
func (l *Ledger) domain(key int32, node int) int32 {
	if n := node - len(l.s.table.Nodes); n >= 0 {
		return l.joined[n*len(l.s.Keys)+int(key)]
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
	domains := l.domains(node)
	for _, k := range l.s.Classes[class].Adds {
		if d := domains[l.s.Tallies[k].Key]; d >= 0 && l.counts(k, node) {
			b := &l.books[k]
			if b.at > 0 && b.count[d] == b.least && b.nodes[d] > 0 {
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
	n, _, _ := l.room(class, limit, l.domains(node), l.isNew(node))
	return n
}

// RoomAt is Room for a new node that would join.
func (l *Ledger) RoomAt(class int, site *Site, limit int) int {
	n, _, _ := l.room(class, limit, site.domains, true)
	return n
}

// Objection is the first rule that keeps a pod of a class off a node, and for a Skew rule the skew that it would make;
// skew is meaningless if the node lacks the label. ok is false if no rule objects.
func (l *Ledger) Objection(class, node int) (r *Rule, skew int32, ok bool) {
	_, r, skew = l.room(class, 1, l.domains(node), l.isNew(node))
	return r, skew, r != nil
}

// ObjectionAt is Objection for a new node that would join.
func (l *Ledger) ObjectionAt(class int, site *Site) (r *Rule, skew int32, ok bool) {
	_, r, skew = l.room(class, 1, site.domains, true)
	return r, skew, r != nil
}

// empty is the domain of a host that is yet to join.
const empty = math.MaxInt32

// isNew reports whether a node is one of those that join.
func (l *Ledger) isNew(node int) bool { return node >= len(l.s.table.Nodes) }

// room asks all rules of a class about a node in some domains, by key, which is a new one or not.
func (l *Ledger) room(class, limit int, domains []int32, fresh bool) (n int, objects *Rule, skew int32) {
	rules := l.s.Classes[class].Rules
	room := int32(min(limit, math.MaxInt32))
	for i := range rules {
		r := &rules[i]
		d := domains[r.Key]
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
			if fresh {
				least = min(least, l.withheld(r))
			}
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

// withheld is the smallest count of a domain that is withheld from a rule.
func (l *Ledger) withheld(r *Rule) int32 {
	least := int32(math.MaxInt32)
	for _, d := range r.withheld {
		least = min(least, l.books[r.Tally].count[d])
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
// then those that came late may have come too late. Its daemons may shut a domain, too, or end that a pod may be the
// first of its group.
func (l *Ledger) Unsettles(site *Site) bool {
	for _, k := range site.hosts {
		key := l.s.Tallies[k].Key
		if d := site.domains[key]; l.s.Keys[key].Host || d >= 0 && l.books[k].count[d] == 0 {
			return true
		}
	}
	for k := range l.books {
		t := &l.s.Tallies[k]
		if t.filter == nil || !site.counted[k] {
			continue
		}
		if d := site.domains[t.Key]; (d >= 0 || l.s.Keys[t.Key].Host) && l.Upsets(int32(k), d) {
			return true
		}
	}
	return false
}

// Ordered reports whether it matters for a class when its pods come: before or after others.
func (c *Class) Ordered() bool {
	return slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Kind != Apart })
}

// Domain is in which domain of a rule's key a node is, -1 if it lacks the label.
func (l *Ledger) Domain(r *Rule, node int) int32 { return l.domain(r.Key, node) }

// Place numbers places that differ for pods of a class. Negative ones are sets of nodes that are alike to the class:
// existing nodes of one profile, new ones of one site.
func (l *Ledger) Place(class, node int) int32 {
	if l.s.Classes[class].Hosts || l.s.named {
		return int32(node)
	}
	if n := node - len(l.s.table.Nodes); n >= 0 {
		return -2 - int32(len(l.s.table.Snapshot().Profiles)) - l.sites[n].number
	}
	return -2 - l.s.table.Nodes[node].Node.Profile
}

// Upsets reports whether pods would find their node closed if there were another, empty node in a domain of a topology
// spread's tally. For hostname any domain stands for that of a node which is yet to join.
func (l *Ledger) Upsets(tally, domain int32) bool {
	b, t := &l.books[tally], &l.s.Tallies[tally]
	if len(b.count) == 0 {
		return false
	}
	have := int32(0)
	if !l.s.Keys[t.Key].Host {
		if b.nodes[domain] > 0 {
			return false
		}
		have = b.count[domain]
	}
	return slices.Max(b.count) > t.maxSkew+have
}

// Stands reports whether an existing node makes a domain count.
func (l *Ledger) Stands(tally, domain int32) bool {
	t := &l.s.Tallies[tally]
	return int(domain) < len(t.standing) && !l.s.Keys[t.Key].Host && t.standing[domain] > 0
}
