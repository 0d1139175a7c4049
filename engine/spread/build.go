package spread

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// ruleBuilder makes the rules and tallies of a State, and fills them from the pods that run.
type ruleBuilder struct {
	*State
	byText map[string]int32 // tallies by what they count
}

// bind makes the rules that a class states itself.
func (b *ruleBuilder) bind(i int, c *feasible.Class) {
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
		at, known := b.byText[string(text)]
		if !known {
			at = b.newTally(string(text), sp.Key, Tally{
				matches: []matcher{newMatcher(c.Namespace, &shape.PodTerm{Selector: selector})}, filter: f.clone(),
			})
		}
		b.named = b.named || f.named()
		b.rule(i, c, Rule{
			Kind: Skew, Tally: at, MaxSkew: max(sp.MaxSkew, 1), MinDomains: sp.MinDomains,
			Wish: c.Wished != nil && c.Wished[k],
		})
		t := &b.Tallies[at]
		if t.maxSkew == 0 || sp.MaxSkew < t.maxSkew {
			t.maxSkew = max(sp.MaxSkew, 1)
		}
	}
	b.bindNear(i, c)
	b.bindPorts(i, c)
	for k := range c.Affinity {
		term := &c.Affinity[k]
		if !term.Anti || term.Weight != 0 {
			continue
		}
		at := b.tally("match "+termText(c.Namespace, term), term.Key, func() Tally {
			return Tally{matches: []matcher{newMatcher(c.Namespace, term)}, ending: true}
		})
		b.rule(i, c, Rule{Kind: Apart, Tally: at})
	}
}

// bindNear makes the rules of required affinity. A pod counts for them only if it matches
// all terms of the class.
func (b *ruleBuilder) bindNear(i int, c *feasible.Class) {
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
		tallies[k] = b.tally("match "+key+text.String(), key, func() Tally {
			return Tally{matches: all(), ending: true}
		})
	}
	for _, at := range tallies {
		b.rule(i, c, Rule{Kind: Near, Tally: at, all: tallies})
	}
}

// bindBySymmetry keeps pods away from others whose required anti-affinity selects them. Terms are
// taken in the order of their text: that of the Snapshot's classes must not matter.
func (b *ruleBuilder) bindBySymmetry() {
	type carried struct {
		text, namespace string
		term            *shape.PodTerm
	}
	var terms []carried
	for _, c := range b.table.Snapshot().Classes {
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
		for i, own := range b.table.Classes {
			if b.isRepresentative(i) && matches.selects(own.Class) {
				at := b.tally("holder "+term.text, term.term.Key, func() Tally {
					return Tally{holder: term.text, ending: true}
				})
				b.rule(i, own, Rule{Kind: Apart, Tally: at})
			}
		}
	}
}

// tally finds or makes the tally of that text.
func (b *ruleBuilder) tally(text, key string, make func() Tally) int32 {
	if at, ok := b.byText[text]; ok {
		return at
	}
	return b.newTally(text, key, make())
}

func (b *ruleBuilder) newTally(text, key string, t Tally) int32 {
	k, ok := b.byKey[key]
	if !ok {
		k = int32(len(b.Keys))
		b.byKey[key] = k
		b.Keys = append(b.Keys, Key{Name: key, Host: key == shape.LabelHostname})
	}
	t.Key = k
	at := int32(len(b.Tallies))
	b.byText[text] = at
	b.Tallies = append(b.Tallies, t)
	return at
}

func (b *ruleBuilder) rule(i int, c *feasible.Class, r Rule) {
	r.Key = b.Tallies[r.Tally].Key
	r.Self = b.Tallies[r.Tally].adds(c.Class)
	b.Classes[i].Rules = append(b.Classes[i].Rules, r)
}

// involve finds out which tallies each class grows and what it must know of its domain.
func (b *ruleBuilder) involve() {
	known := map[string][]int32{} // what classes add, by their part
	for i, c := range b.table.Classes {
		if !b.isRepresentative(i) {
			continue
		}
		own := &b.Classes[i]
		note := func(key int32) {
			if b.Keys[key].Host {
				own.Hosts = true
			} else {
				own.Domains = true
				own.Keys = append(own.Keys, key)
			}
		}
		text := part(c.Class)
		if _, ok := known[text]; !ok {
			known[text] = b.grownBy(c.Class)
		}
		own.Adds = known[text]
		for _, k := range own.Adds {
			note(b.Tallies[k].Key)
		}
		slices.SortStableFunc(own.Rules, func(x, y Rule) int { return b.late(&x) - b.late(&y) })
		for _, r := range own.Rules {
			note(r.Key)
		}
		slices.Sort(own.Keys)
		own.Keys = slices.Compact(own.Keys)
	}
}

// grownBy are the tallies that pods of a class add to.
func (b *ruleBuilder) grownBy(c *shape.Class) (tallies []int32) {
	for k := range b.Tallies {
		if b.Tallies[k].adds(c) {
			tallies = append(tallies, int32(k))
		}
	}
	return tallies
}

// late puts rules about hostnames after the others: of two reasons the one about more nodes is told.
func (b *ruleBuilder) late(r *Rule) int {
	if b.Keys[r.Key].Host {
		return 1
	}
	return 0
}

// nameDomains numbers the domains of every key: what nodes have and what new ones could have.
func (b *ruleBuilder) nameDomains() {
	t := b.table
	for k := range b.Keys {
		key := &b.Keys[k]
		if key.Host {
			continue
		}
		names := append(b.labelled(key.Name), t.PossibleValues(key.Name)...)
		slices.Sort(names)
		key.Domains = slices.Compact(names)
		key.made, key.begun = make([]bool, len(key.Domains)), make([]bool, len(key.Domains))
		for d, name := range key.Domains {
			key.made[d] = feasible.MadeUp(t, key.Name, name)
		}
	}
	b.domains = make([][]int32, len(b.Keys))
	for k := range b.Keys {
		b.domains[k] = make([]int32, len(t.Snapshot().Profiles))
		for i, p := range t.Snapshot().Profiles {
			v, ok := shape.LabelValue(p.Labels, b.Keys[k].Name)
			b.domains[k][i] = -1
			if at, found := slices.BinarySearch(b.Keys[k].Domains, v); ok && found {
				b.domains[k][i] = int32(at)
			}
		}
	}
	for i := range b.Tallies {
		n := len(b.Keys[b.Tallies[i].Key].Domains)
		if b.Keys[b.Tallies[i].Key].Host {
			n = len(t.Nodes)
		}
		b.Tallies[i].Count = make([]int32, n)
		b.Tallies[i].Nodes = make([]int32, n)
	}
}

// labelled are the values that nodes have of a label, each once a profile: nodes have few.
func (b *ruleBuilder) labelled(key string) (values []string) {
	seen := make([]bool, len(b.table.Snapshot().Profiles))
	for i := range b.table.Nodes {
		p := b.table.Nodes[i].Node.Profile
		if p < 0 || int(p) >= len(seen) || seen[p] {
			continue
		}
		seen[p] = true
		if v, ok := shape.LabelValue(b.table.Nodes[i].Profile.Labels, key); ok {
			values = append(values, v)
		}
	}
	return values
}

// countRunning fills the tallies from the pods that run.
func (b *ruleBuilder) countRunning() {
	t := b.table
	classes := t.Snapshot().Classes
	adds := make([][]int32, len(classes)) // by class, found when first asked
	known := make([]bool, len(classes))
	count := func(c int32, n int, ending bool) {
		if !known[c] {
			known[c], adds[c] = true, b.grownBy(classes[c])
		}
		for _, k := range adds[c] {
			if !ending || b.Tallies[k].ending {
				b.Add(k, n, 1)
			}
		}
	}
	for n := range t.Nodes {
		node := &t.Nodes[n]
		b.countNode(n)
		some := t.MovingFrom(node.Name)
		for i := range node.Pods {
			p := &node.Pods[i]
			if p.Class < 0 || int(p.Class) >= len(classes) || some && t.Moving(p.ID) {
				continue
			}
			count(p.Class, n, p.Role == shape.Ending)
		}
		for _, c := range t.Expected(n) {
			count(c, n, false)
		}
	}
}

// countNode adds a node to the domains that it is one of for topology spread.
func (b *ruleBuilder) countNode(n int) {
	node := &b.table.Nodes[n]
	if node.Stage == shape.Leaving {
		return
	}
	for k := range b.Tallies {
		if d := b.NodeDomain(b.Tallies[k].Key, n); d >= 0 && b.Tallies[k].filter.counts(node) {
			b.Tallies[k].Nodes[d]++
		}
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
