package contest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/bench/peer"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// moment is the planner's clock in every run.
var moment = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Verdict is what came of one cluster.
type Verdict struct {
	Seed   uint64
	Pods   int
	Rule   Rule
	Detail string // for people
}

// match is one cluster with both plans.
type match struct {
	cluster  *sample.Cluster
	snapshot shape.Snapshot
	ours     engine.Decision
	theirs   peer.Placing
	fault    error // what is wrong with our translation or plan
	invalid  error // what is wrong with the peer's plan

	more, fewer []shape.PodID // pods that only our plan places, and only the peer's
}

// Judge plans the cluster of a seed, with up to so many pods for each workload.
func Judge(ctx context.Context, seed uint64, pods int) (Verdict, error) {
	m, err := newMatch(ctx, seed, pods)
	if err != nil {
		return Verdict{}, err
	}
	return Verdict{Seed: seed, Pods: len(m.cluster.Pods), Rule: m.rule(), Detail: m.detail()}, nil
}

// newMatch has both plan a cluster, the peer only if our plan is valid.
func newMatch(ctx context.Context, seed uint64, pods int) (*match, error) {
	m := &match{cluster: sample.NewCluster(seed, pods)}
	var problems []translate.Problem
	m.snapshot, problems = translate.Snapshot(m.cluster.Objects(), moment)
	if len(problems) > 0 {
		m.fault = problems[0]
		return m, nil
	}
	m.ours = engine.Plan(m.snapshot, engine.DefaultPolicy())
	if m.fault = enginetest.Check(m.snapshot, engine.DefaultPolicy(), m.ours); m.fault != nil {
		return m, nil
	}
	var err error
	if m.theirs, err = peer.Place(ctx, m.cluster); err != nil {
		return nil, fmt.Errorf("having the peer plan cluster %d: %w", seed, err)
	}
	m.compare()
	return m, nil
}

// pair forgets pods of one class of which each plan places another: they are alike.
func (m *match) pair() {
	class := map[shape.PodID]int32{}
	for _, p := range m.snapshot.Pods {
		class[p.ID] = p.Class
	}
	for i := len(m.fewer) - 1; i >= 0; i-- {
		k := slices.IndexFunc(m.more, func(id shape.PodID) bool { return class[id] == class[m.fewer[i]] })
		if k >= 0 {
			m.more, m.fewer = slices.Delete(m.more, k, k+1), slices.Delete(m.fewer, i, i+1)
		}
	}
}

// detail is what both plans come to, for people.
func (m *match) detail() string {
	if m.fault != nil {
		return m.fault.Error()
	}
	out := fmt.Sprintf(
		"ours: %d nodes for %s, %d unplaced; the peer's: %d for %s, %d unplaced",
		len(m.ours.Open),
		m.ours.Price,
		len(m.ours.Unplaced),
		len(m.theirs.Decision.Open),
		m.theirs.Decision.Price,
		len(m.theirs.Decision.Unplaced),
	)
	if len(m.fewer) > 0 {
		i := slices.IndexFunc(m.ours.Unplaced, func(u engine.Unplaced) bool { return u.Pod == m.fewer[0] })
		out += fmt.Sprintf("; only the peer places %v: %s", m.fewer, m.ours.Unplaced[i].Why.Sentence())
	}
	if m.invalid != nil {
		out += "; the peer's plan: " + m.invalid.Error()
	}
	return out
}

// compare finds which pods only one plan places, and whether the peer's is valid.
func (m *match) compare() {
	m.more, m.fewer = nil, nil
	waiting := func(d *engine.Decision) map[shape.PodID]bool {
		out := map[shape.PodID]bool{}
		for _, u := range d.Unplaced {
			out[u.Pod] = true
		}
		return out
	}
	ours, theirs := waiting(&m.ours), waiting(&m.theirs.Decision)
	for i := range m.snapshot.Pods {
		switch id := m.snapshot.Pods[i].ID; {
		case ours[id] && !theirs[id]:
			m.fewer = append(m.fewer, id)
		case theirs[id] && !ours[id]:
			m.more = append(m.more, id)
		}
	}
	m.pair()
	m.invalid = enginetest.CheckPlaces(m.snapshot, m.theirs.Decision)
}
