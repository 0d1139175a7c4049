package roster

import (
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// OfPlan is the fleet that a plan of the journal was made for, with what it decided of the pods that waited.
func OfPlan(r journal.Record, source string) view.Fleet {
	out := remembered(&r.Snapshot, r.At, source)
	said := Recall(r).verdicts()
	for _, p := range r.Snapshot.Pods {
		w := said[string(p.ID)]
		w.Pod, w.Since = string(p.ID), p.Created
		out.Pending = append(out.Pending, w)
	}
	return out
}

// Recall is what was thought when a plan of the journal was made.
func Recall(r journal.Record) *Thoughts {
	return &Thoughts{plan: &simulate.Result{Snapshot: r.Snapshot, Decision: r.Decision}}
}

// OfSearch is the fleet that a search of the journal looked at, with the moves that it found and why the other nodes
// stayed.
func OfSearch(s journal.Search, source string) view.Fleet {
	out := remembered(&s.Snapshot, s.At, source)
	moves := view.MovesOf(s.Result, nil)
	t := &Thoughts{outlook: &moves}
	stays := t.stays()
	for i := range out.Nodes {
		m := &out.Nodes[i]
		if stay, ok := stays[m.Name]; ok {
			m.Why, m.WhyKind = stay.Why, stay.Kind
		}
	}
	out.Moves = append(out.Moves, t.moves()...)
	out.Money.Saving = t.saving()
	return out
}

// remembered is what a snapshot holds of a fleet.
func remembered(s *shape.Snapshot, at time.Time, source string) view.Fleet {
	out := view.Fleet{Header: view.HeaderOf("Fleet"), At: at, Source: source,
		Nodes: []view.Machine{}, Pending: []view.Waiting{}, Moves: []view.Course{}}
	pools := map[string]*view.Pool{}
	for _, p := range s.Pools {
		pools[p.Name] = &view.Pool{Name: p.Name, Trouble: p.NotReady}
		for _, l := range p.Limits {
			pools[p.Name].Limits = append(
				pools[p.Name].Limits,
				view.Limit{Resource: l.Resource, Used: l.Used, Max: l.Max},
			)
		}
	}
	for _, n := range s.Nodes {
		m := fromSnapshot(n, s.Classes)
		if n.Kept != "" {
			m.Why, m.WhyKind = n.Kept, "Held"
		}
		out.Nodes = append(out.Nodes, m)
		add(&out.Money, &m)
		if p := pools[m.Pool]; p != nil {
			p.Nodes++
			p.PerHour += m.Price
		}
	}
	for _, p := range s.Pools {
		out.Pools = append(out.Pools, *pools[p.Name])
	}
	out.Missing = unpriced(out.Nodes)
	return out
}
