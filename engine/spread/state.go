package spread

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// State holds all tallies of a plan and who is bound by them.
type State struct {
	Keys    []Key
	Tallies []Tally

	// Classes is by feasible.Table.Classes.
	Classes []Class

	table          *feasible.Table
	byText         map[string]int32
	byKey          map[string]int32
	domains        [][]int32 // by key, by profile: domain or -1
	sites          sites
	named          bool            // some tally tells nodes of one profile apart
	newNodeDaemons []newNodeDaemon // ascending by daemon
	representative []int32         // by class: the first that is alike but for requests
}

// Class is how one class of pods takes part in counting.
type Class struct {
	Rules []Rule
	Adds  []int32 // tallies that grow by one for each pod placed

	// Domains is set when a tally of another key than hostname concerns the class, so that
	// the domain of each of its pods has to be known.
	Domains bool
	// Keys are those other keys, ascending.
	Keys []int32
	// Hosts is set when a hostname tally concerns the class.
	Hosts bool
	// AffectedByDaemons is set when a daemon on a new node could shut that node's domain to the class, or be a
	// neighbour that it looks for.
	AffectedByDaemons bool
	// Leaving is set when pods of the class are to leave nodes that they run on. They are spread over hosts as if one
	// more, empty host could always be made: kube-scheduler counts those alone that stay, and with every move the pods
	// would gather on fewer of them.
	Leaving bool
}

// RuleKind is what a rule demands.
type RuleKind uint8

const (
	// Skew allows at most MaxSkew more in the pod's domain than in the emptiest one.
	Skew RuleKind = iota
	// Near demands a counted pod in the domain already.
	Near
	// Apart demands that there is none.
	Apart
)

// Rule is what a class demands of a tally.
type Rule struct {
	Kind  RuleKind
	Tally int32
	Key   int32

	MaxSkew    int32 // at least 1
	MinDomains int32

	// Self is set when pods of the class are counted by the tally themselves.
	Self bool

	// Wish is set for a rule that is only preferred. Domains that take no more pods do not hold the others back then.
	Wish bool

	// Universe are the domains that count for the minimum besides those that have nodes:
	// those in which a node could be opened for the class. Filled by SetUniverse. kube-scheduler knows nothing of
	// them; the plan spreads over them as long as it can.
	universe []bool

	// withheld are domains of the universe in which no node can be opened any more, because others took what is scarce.
	withheld []int32

	// all are the tallies of all Near rules of the class. Only if none has counted a pod may one that counts itself
	// be the first.
	all []int32

	// Port is set for a rule about a host port: protocol and number.
	Port string
}

// New compiles all rules of the classes to be placed, and counts the pods that run.
func New(t *feasible.Table) *State {
	s := &State{table: t, byText: map[string]int32{}, byKey: map[string]int32{}}
	s.Classes = make([]Class, len(t.Classes))
	findEquivalent(s)
	for i, c := range t.Classes {
		if s.isRepresentative(i) {
			s.bind(i, c)
		}
	}
	s.bindBySymmetry()
	s.Tallies = slices.Clip(s.Tallies)
	if len(s.Tallies) == 0 {
		return s
	}
	s.nameDomains()
	s.countRunning()
	for i := range s.Tallies {
		s.Tallies[i].running = slices.Clone(s.Tallies[i].Count)
		s.Tallies[i].standing = slices.Clone(s.Tallies[i].Nodes)
	}
	s.involve()
	copyToEquivalent(s)
	for i, c := range t.Classes {
		s.Classes[i].Leaving = t.Leaves(c)
	}
	findDaemonsThatMatter(s)
	return s
}

// bind makes the rules that a class states itself.
func (s *State) bind(i int, c *feasible.Class) {
	for k := range c.Spread {
		sp := &c.Spread[k]
		if !sp.Hard {
			continue
		}
		f := filter{where: c.Strict, keys: otherKeys(c, sp.Key), affinity: !sp.IgnoreAffinity, taints: sp.HonorTaints}
		selector := sp.Selector
		if len(selector.Requirements) == 0 {
			selector.Nothing = true // kube-scheduler counts no pods for a selector that all would match
		}
		text := append(make([]byte, 0, 128), "spread\x00"...)
		text = append(append(append(append(text, sp.Key...), 0), c.Namespace...), 0)
		text = append(append(append(text, flag(f.affinity), flag(f.taints)), filterText(&f)...), 0)
		for _, key := range f.keys {
			text = append(append(text, key...), 0)
		}
		text = appendSelector(text, &selector)
		at, known := s.byText[string(text)]
		if !known {
			at = s.newTally(string(text), sp.Key, Tally{
				matches: []matcher{newMatcher(c.Namespace, &shape.PodTerm{Selector: selector})}, filter: f.clone(),
			})
		}
		s.named = s.named || f.named()
		s.rule(i, c, Rule{
			Kind: Skew, Tally: at, MaxSkew: max(sp.MaxSkew, 1), MinDomains: sp.MinDomains,
			Wish: c.Wished != nil && c.Wished[k],
		})
		t := &s.Tallies[at]
		if t.maxSkew == 0 || sp.MaxSkew < t.maxSkew {
			t.maxSkew = max(sp.MaxSkew, 1)
		}
	}
	s.bindNear(i, c)
	s.bindPorts(i, c)
	for k := range c.Affinity {
		term := &c.Affinity[k]
		if !term.Anti || term.Weight != 0 {
			continue
		}
		at := s.tally("match "+termText(c.Namespace, term), term.Key, func() Tally {
			return Tally{matches: []matcher{newMatcher(c.Namespace, term)}, ending: true}
		})
		s.rule(i, c, Rule{Kind: Apart, Tally: at})
	}
}

// otherKeys are the keys of a class's topology spread besides one and hostname, which all nodes have. A node that
// lacks any of them is not looked at.
func otherKeys(c *feasible.Class, but string) []string {
	var out []string
	for i := range c.Spread {
		if key := c.Spread[i].Key; c.Spread[i].Hard && key != but && key != shape.LabelHostname {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// bindNear makes the rules of required affinity. A pod counts for them only if it matches
// all terms of the class.
func (s *State) bindNear(i int, c *feasible.Class) {
	var text strings.Builder
	var keys []string
	for k := range c.Affinity {
		if term := &c.Affinity[k]; !term.Anti && term.Weight == 0 {
			text.WriteString("&" + termText(c.Namespace, term))
			keys = append(keys, term.Key)
		}
	}
	all := func() (list []matcher) {
		for k := range c.Affinity {
			if term := &c.Affinity[k]; !term.Anti && term.Weight == 0 {
				list = append(list, newMatcher(c.Namespace, term))
			}
		}
		return list
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	tallies := make([]int32, len(keys))
	for k, key := range keys {
		tallies[k] = s.tally("match "+key+text.String(), key, func() Tally {
			return Tally{matches: all(), ending: true}
		})
	}
	for _, at := range tallies {
		s.rule(i, c, Rule{Kind: Near, Tally: at, all: tallies})
	}
}

func flag(on bool) byte {
	if on {
		return 'y'
	}
	return 'n'
}

func filterText(f *filter) string {
	if !f.affinity && !f.taints {
		return ""
	}
	return f.where.Text()
}

// bindBySymmetry keeps pods away from others whose required anti-affinity selects them. Terms are
// taken in the order of their text: that of the Snapshot's classes must not matter.
func (s *State) bindBySymmetry() {
	type carried struct {
		text, namespace string
		term            *shape.PodTerm
	}
	var terms []carried
	for _, c := range s.table.Snapshot().Classes {
		for k := range c.Affinity {
			if term := &c.Affinity[k]; term.Anti && term.Weight == 0 {
				terms = append(terms, carried{termText(c.Namespace, term), c.Namespace, term})
			}
		}
	}
	slices.SortStableFunc(terms, func(a, b carried) int { return cmp.Compare(a.text, b.text) })
	terms = slices.CompactFunc(terms, func(a, b carried) bool { return a.text == b.text })
	for _, term := range terms {
		matches := newMatcher(term.namespace, term.term)
		for i, own := range s.table.Classes {
			if s.isRepresentative(i) && matches.selects(own.Class) {
				at := s.tally("holder "+term.text, term.term.Key, func() Tally {
					return Tally{holder: term.text, ending: true}
				})
				s.rule(i, own, Rule{Kind: Apart, Tally: at})
			}
		}
	}
}

// tally finds or makes the tally of that text.
func (s *State) tally(text, key string, make func() Tally) int32 {
	if at, ok := s.byText[text]; ok {
		return at
	}
	return s.newTally(text, key, make())
}

func (s *State) newTally(text, key string, t Tally) int32 {
	k, ok := s.byKey[key]
	if !ok {
		k = int32(len(s.Keys))
		s.byKey[key] = k
		s.Keys = append(s.Keys, Key{Name: key, Host: key == shape.LabelHostname})
	}
	t.Key = k
	at := int32(len(s.Tallies))
	s.byText[text] = at
	s.Tallies = append(s.Tallies, t)
	return at
}

func (s *State) rule(i int, c *feasible.Class, r Rule) {
	r.Key = s.Tallies[r.Tally].Key
	r.Self = s.Tallies[r.Tally].adds(c.Class)
	s.Classes[i].Rules = append(s.Classes[i].Rules, r)
}

// involve finds out which tallies each class grows and what it must know of its domain.
func (s *State) involve() {
	known := map[string][]int32{} // what classes add, by their part
	for i, c := range s.table.Classes {
		if !s.isRepresentative(i) {
			continue
		}
		own := &s.Classes[i]
		note := func(key int32) {
			if s.Keys[key].Host {
				own.Hosts = true
			} else {
				own.Domains = true
				own.Keys = append(own.Keys, key)
			}
		}
		text := part(c.Class)
		adds, ok := known[text]
		if !ok {
			for k := range s.Tallies {
				if s.Tallies[k].adds(c.Class) {
					adds = append(adds, int32(k))
				}
			}
			known[text] = adds
		}
		own.Adds = adds
		for _, k := range adds {
			note(s.Tallies[k].Key)
		}
		slices.SortStableFunc(own.Rules, func(x, y Rule) int { return s.late(&x) - s.late(&y) })
		for _, r := range own.Rules {
			note(r.Key)
		}
		slices.Sort(own.Keys)
		own.Keys = slices.Compact(own.Keys)
	}
}

// late puts rules about hostnames after the others: of two reasons the one about more nodes is told.
func (s *State) late(r *Rule) int {
	if s.Keys[r.Key].Host {
		return 1
	}
	return 0
}

// nameDomains numbers the domains of every key: what nodes have and what new ones could have.
func (s *State) nameDomains() {
	t := s.table
	seen := make([]bool, len(t.Snapshot().Profiles))
	for k := range s.Keys {
		key := &s.Keys[k]
		if key.Host {
			continue
		}
		var names []string
		clear(seen)
		for i := range t.Nodes {
			p := t.Nodes[i].Node.Profile // nodes have few profiles
			if p >= 0 && int(p) < len(seen) && !seen[p] {
				seen[p] = true
				if v, ok := shape.LabelValue(t.Nodes[i].Profile.Labels, key.Name); ok {
					names = append(names, v)
				}
			}
		}
		names = append(names, t.PossibleValues(key.Name)...)
		slices.Sort(names)
		key.Domains = slices.Compact(names)
		key.made, key.begun = make([]bool, len(key.Domains)), make([]bool, len(key.Domains))
		for d, name := range key.Domains {
			key.made[d] = feasible.MadeUp(t, key.Name, name)
		}
	}
	s.domains = make([][]int32, len(s.Keys))
	for k := range s.Keys {
		s.domains[k] = make([]int32, len(t.Snapshot().Profiles))
		for i, p := range t.Snapshot().Profiles {
			v, ok := shape.LabelValue(p.Labels, s.Keys[k].Name)
			s.domains[k][i] = -1
			if at, found := slices.BinarySearch(s.Keys[k].Domains, v); ok && found {
				s.domains[k][i] = int32(at)
			}
		}
	}
	for i := range s.Tallies {
		n := len(s.Keys[s.Tallies[i].Key].Domains)
		if s.Keys[s.Tallies[i].Key].Host {
			n = len(t.Nodes)
		}
		s.Tallies[i].Count = make([]int32, n)
		s.Tallies[i].Nodes = make([]int32, n)
	}
}

// NodeDomain is the domain of an existing node, -1 if it lacks the label.
func (s *State) NodeDomain(key int32, node int) int32 {
	if s.Keys[key].Host {
		return int32(node)
	}
	p := s.table.Nodes[node].Node.Profile
	if p < 0 || int(p) >= len(s.domains[key]) {
		return -1
	}
	return s.domains[key][p]
}

// countRunning fills the tallies from the pods that run.
func (s *State) countRunning() {
	t := s.table
	classes := t.Snapshot().Classes
	adds := make([][]int32, len(classes))
	known := make([]bool, len(classes))
	counted := func(c int32) bool {
		if !known[c] {
			known[c] = true
			for k := range s.Tallies {
				if s.Tallies[k].adds(classes[c]) {
					adds[c] = append(adds[c], int32(k))
				}
			}
		}
		return len(adds[c]) > 0
	}
	count := func(c int32, n int, ending bool) {
		if !counted(c) {
			return
		}
		for _, k := range adds[c] {
			if !ending || s.Tallies[k].ending {
				s.Add(k, n, 1)
			}
		}
	}
	for n := range t.Nodes {
		node := &t.Nodes[n]
		for k := range s.Tallies {
			if d := s.NodeDomain(s.Tallies[k].Key, n); d >= 0 && node.Stage != shape.Leaving &&
				s.Tallies[k].filter.counts(node) {
				s.Tallies[k].Nodes[d]++
			}
		}
		some := t.MovingFrom(node.Name)
		for i := range node.Pods {
			if p := &node.Pods[i]; p.Class >= 0 && int(p.Class) < len(classes) && counted(p.Class) && !(some &&
				t.Moving(p.ID)) {
				count(p.Class, n, p.Role == shape.Ending)
			}
		}
		for _, c := range t.Expected(n) {
			count(c, n, false)
		}
	}
}

// Add counts n more pods on an existing node; n may be negative.
func (s *State) Add(tally int32, node int, n int32) {
	t := &s.Tallies[tally]
	if d := s.NodeDomain(t.Key, node); d >= 0 && t.filter.counts(&s.table.Nodes[node]) {
		if n < 0 {
			t.atLeast = 0
		} else if t.atLeast > 0 && t.Count[d] == t.least && t.Nodes[d] > 0 {
			t.atLeast--
		}
		t.Count[d] += n
		t.Total += int64(n)
		t.Here += int64(n)
	}
}
