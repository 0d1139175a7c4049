package shadow

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// Ledger is the account of a cluster over a time. Its methods are called one at a time, with moments that ascend.
type Ledger struct {
	source string

	first, last Sight
	began       bool
	looks       int

	claims  map[string]view.Life // all that were seen, by key
	there   map[string]bool      // claims of the first sight
	pods    map[string]*wait     // that found no node when they came, by name
	evicted map[string]bool      // pods that the running controller took from their nodes, by key and node

	paid, would float64 // dollars

	bought  map[purchase]view.Purchase // that Dovetail would have made
	moves   *view.Moves
	opens   view.PerHour         // what nodes cost that Dovetail would buy now
	removed map[string]departure // nodes that Dovetail would have given up, by claim or name

	changed bool // a claim came or went since the last Thought
	notes   []string
}

// wait is a pod that found no node when it came.
type wait struct {
	since, bound time.Time
	gone         bool
	verdict      verdict
	why          string
}

// verdict is what Dovetail planned for a pod.
type verdict int

const (
	unknown verdict = iota
	onExisting
	onNew
	nowhere
)

// purchase is what makes nodes alike.
type purchase struct{ pool, instanceType, capacityType string }

// departure is a node that Dovetail would have given up.
type departure struct {
	reason string
	pods   int
}

// New is an empty account of a cluster that was read there.
func New(source string) *Ledger {
	return &Ledger{
		source: source, claims: map[string]view.Life{}, there: map[string]bool{}, pods: map[string]*wait{},
		evicted: map[string]bool{}, bought: map[purchase]view.Purchase{}, removed: map[string]departure{},
	}
}

// Known reports whether Dovetail has thought about a pod that waits.
func (l *Ledger) Known(pod string) bool {
	w := l.pods[pod]
	return w != nil && w.verdict != unknown
}

// Fresh is how many pods wait that Dovetail has not thought about.
func (l *Ledger) Fresh() (n int) {
	for pod := range l.last.Waiting {
		if !l.Known(pod) {
			n++
		}
	}
	return n
}

// Changed reports whether a NodeClaim came or went since Dovetail thought last.
func (l *Ledger) Changed() bool { return l.changed }

// See adds what is seen now.
func (l *Ledger) See(s Sight) {
	if !l.began {
		l.began, l.first = true, s
		for key := range s.Claims {
			l.there[key] = true
		}
	} else {
		hours := s.At.Sub(l.last.At).Hours()
		price := priceOf(l.last.Nodes)
		l.paid += price.Dollar() * hours
		l.would += (price + l.delta()).Dollar() * hours
		l.departures(s)
	}
	for key, now := range s.Claims {
		before, known := l.claims[key]
		l.changed = l.changed || !known
		now.Price = cmp.Or(now.Price, before.Price)
		l.claims[key] = now
	}
	l.waits(s)
	l.last = s
}

// delta is what Dovetail's next steps would add to the price.
func (l *Ledger) delta() view.PerHour {
	if l.moves == nil {
		return l.opens
	}
	return l.opens - money(l.moves.Together.Saving)
}

func priceOf(nodes []view.Machine) (sum view.PerHour) {
	for i := range nodes {
		sum += nodes[i].Price
	}
	return sum
}

// departures says which claims have gone since the last sight, and which pods had to leave their nodes.
func (l *Ledger) departures(now Sight) {
	for key, before := range l.last.Claims {
		if _, still := now.Claims[key]; !still {
			l.changed = true
			before = l.claims[key]
			before.Gone, before.Reason = now.At, cmp.Or(before.Reason, "deleted")
			l.claims[key] = before
		}
	}
	here := map[string]bool{}
	for i := range now.Nodes {
		here[now.Nodes[i].Name] = true
	}
	leaving := map[string]bool{}
	for i := range l.last.Nodes {
		m := &l.last.Nodes[i]
		leaving[m.Name] = m.Phase.Going() || !here[m.Name]
	}
	for key, before := range l.last.Pods {
		after, runs := now.Pods[key]
		left := !runs || after.Node != before.Node
		if before.Evicted || left && leaving[before.Node] {
			l.evicted[key+" "+before.Node] = true
		}
	}
}

// waits keeps account of pods that found no node when they came.
func (l *Ledger) waits(s Sight) {
	if s.Waiting == nil {
		return
	}
	for pod, since := range s.Waiting {
		if l.pods[pod] == nil || l.pods[pod].gone { // a StatefulSet's pods come again by the same name
			l.pods[pod] = &wait{since: since}
		}
	}
	bound := map[string]time.Time{}
	for _, p := range s.Pods {
		bound[p.Name] = cmp.Or(p.Bound, s.At)
	}
	for name, w := range l.pods {
		if _, waits := s.Waiting[name]; waits || w.gone {
			continue
		}
		w.bound, w.gone = bound[name], true
	}
}

// Think adds what Dovetail would do now. It is of what was seen last.
func (l *Ledger) Think(t Thought) {
	l.looks++
	l.changed = false
	l.answer(&t.Answer)
	if t.Plan != nil {
		l.opens = money(t.Plan.PricePerHour)
	}
	if t.Moves != nil {
		l.moves = t.Moves
		l.goes()
	}
	for _, note := range t.Notes {
		if !strings.HasPrefix(note, "nothing to ") && !slices.Contains(l.notes, note) && len(l.notes) < mostNotes {
			l.notes = append(l.notes, note)
		}
	}
}

// mostNotes is how many notes are kept: those of a cluster that changes all the time differ each time.
const mostNotes = 20

// answer takes over what is planned for pods that were not thought about before.
func (l *Ledger) answer(p *view.Plan) {
	fresh := func(pod string) *wait {
		if w := l.pods[pod]; w != nil && w.verdict == unknown {
			return w
		}
		return nil
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		anew := false
		for _, pod := range n.Pods {
			if w := fresh(pod); w != nil {
				w.verdict, anew = onNew, true
			}
		}
		if anew {
			add(l.bought, n.Pool, n.InstanceType, n.CapacityType, money(n.Price))
		}
	}
	for _, place := range p.Placed {
		if w := fresh(place.Pod); w != nil {
			w.verdict = onExisting
		}
	}
	for i := range p.Unplaced {
		if w := fresh(p.Unplaced[i].Pod); w != nil {
			w.verdict, w.why = nowhere, p.Unplaced[i].Why.Brief(reasonLength)
		}
	}
}

// reasonLength is how long a reason may be, in bytes.
const reasonLength = 300

func add(to map[purchase]view.Purchase, pool, instanceType, capacityType string, price view.PerHour) {
	key := purchase{pool, instanceType, capacityType}
	sum := to[key]
	sum.Pool, sum.InstanceType, sum.CapacityType = pool, instanceType, capacityType
	sum.Nodes++
	sum.Price += price
	to[key] = sum
}

// goes takes over which nodes Dovetail would give up. A node counts once, however often it is found; pods that a later
// round takes from a node that an earlier one would open count again.
func (l *Ledger) goes() {
	on, there := map[string]int{}, map[string]bool{}
	for _, p := range l.last.Pods {
		on[p.Node]++
	}
	for i := range l.last.Nodes {
		there[l.last.Nodes[i].Name] = true
	}
	for i := range l.moves.Moves {
		m := &l.moves.Moves[i]
		pods, fresh := m.Evicted, []string{}
		for _, node := range m.GiveUp {
			switch _, known := l.removed[node]; {
			case known:
				pods -= on[node]
			case there[node]:
				fresh = append(fresh, node)
			}
		}
		for k, node := range fresh {
			d := departure{reason: cmp.Or(m.Reason, "Underutilized")}
			if k == 0 {
				d.pods = max(pods, 0)
			}
			l.removed[node] = d
		}
	}
}
