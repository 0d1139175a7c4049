package oracle

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Kind tells disagreements apart.
type Kind string

const (
	// Refused placements never pass the filters, in no order that was tried.
	Refused Kind = "the scheduler refuses a placement"
	// RefusedOption is the same on nodes that came up as another of their options than the cheapest.
	RefusedOption Kind = "the scheduler refuses a placement on another option"
	// Possible pods are called unplaceable, and the filters let them on a node.
	Possible Kind = "the scheduler places an unplaceable pod"
	// Late pods are Possible ones that the planner places itself once the others are where it put them.
	Late Kind = "the planner gives a pod up which it places in its next pass"
	// Untranslated objects are valid and our translation refuses them.
	Untranslated Kind = "a valid object is refused"
)

// Disagreement is one pod about which the planner and kube-scheduler differ.
type Disagreement struct {
	Seed   uint64
	Kind   Kind
	Pod    string
	Node   string
	Plugin string // that refuses
	Why    string
}

func (d Disagreement) String() string {
	return fmt.Sprintf("seed %d: %s: pod %s, %s, %s: %s", d.Seed, d.Kind, d.Pod, d.Node, d.Plugin, d.Why)
}

// orders is how many orders of placements are tried before one counts as impossible.
const orders = 40

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// counts says how much was checked.
type counts struct {
	clusters, placements, onNew, unplaced int
}

// judge plans a cluster and holds the plan against the scheduler.
func judge(ctx context.Context, s *scheduler, c *cluster) (counts, []Disagreement) {
	snapshot, problems := translate.Snapshot(c.objects(), noon)
	if len(problems) > 0 {
		return counts{}, []Disagreement{{Seed: c.seed, Kind: Untranslated, Why: problems[0].Error()}}
	}
	decision := engine.Plan(snapshot, engine.DefaultPolicy())
	t := trial{scheduler: s, cluster: c, decision: decision, pods: map[shape.PodID]*corev1.Pod{}}
	for _, p := range c.pending {
		t.pods[translate.IDOf(p)] = p
	}
	n := counts{clusters: 1, unplaced: len(decision.Unplaced)}
	for _, o := range decision.Open {
		n.onNew += len(o.Pods)
	}
	n.placements = n.onNew + len(decision.Place)

	d := newDice(c.seed)
	out := t.replay(ctx, d, Refused, func(engine.NewNode) int { return 0 })
	if len(out) == 0 {
		out = t.impossible(ctx)
		out = append(out, t.replay(ctx, d, RefusedOption, func(n engine.NewNode) int { return d.IntN(len(n.Options)) })...)
	}
	return n, out
}

// trial is one decision under test.
type trial struct {
	scheduler *scheduler
	cluster   *cluster
	decision  engine.Decision
	pods      map[shape.PodID]*corev1.Pod
}

type move struct {
	pod  *corev1.Pod
	node string
}

// moves lists the placements, those of one node together.
func (t *trial) moves() []move {
	var out []move
	for _, p := range t.decision.Place {
		out = append(out, move{t.pods[p.Pod], p.Node})
	}
	for _, n := range t.decision.Open {
		for _, id := range n.Pods {
			out = append(out, move{t.pods[id], "new-" + n.ID})
		}
	}
	return out
}

// replay looks for an order in which all placements pass, on new nodes made from the options that choose picks.
// The board shows the end of it.
func (t *trial) replay(ctx context.Context, d dice, kind Kind, choose func(engine.NewNode) int) []Disagreement {
	machines := slices.Clone(t.cluster.machines)
	for _, n := range t.decision.Open {
		machines = append(machines, t.cluster.launched(n, n.Options[choose(n)]))
	}
	moves := t.moves()
	var stuck []move
	for range orders {
		t.scheduler.board = newBoard(machines)
		left := t.place(ctx, moves)
		if len(left) == 0 {
			return nil
		}
		if stuck == nil || len(left) < len(stuck) {
			stuck = left
		}
		// What got stuck goes first next time, the rest in another order.
		rest := slices.DeleteFunc(slices.Clone(moves), func(m move) bool { return slices.Contains(left, m) })
		d.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		if d.percent(50) {
			moves = append(slices.Clone(left), rest...)
		} else {
			moves = append(rest, left...)
			d.Shuffle(len(moves), func(i, j int) { moves[i], moves[j] = moves[j], moves[i] })
		}
	}
	var out []Disagreement
	for _, m := range stuck {
		plugin, why := t.scheduler.attempt(ctx, m.pod).refusal(t.scheduler.board.byName[m.node])
		out = append(out, Disagreement{Seed: t.cluster.seed, Kind: kind, Pod: string(translate.IDOf(m.pod)), Node: "node " + m.node, Plugin: plugin, Why: why})
	}
	return out
}

// place makes moves in rounds until none passes any more, and returns those left.
func (t *trial) place(ctx context.Context, moves []move) []move {
	for {
		var left []move
		for _, m := range moves {
			node := t.scheduler.board.byName[m.node]
			if plugin, _ := t.scheduler.attempt(ctx, m.pod).refusal(node); plugin != "" {
				left = append(left, m)
				continue
			}
			bound := m.pod.DeepCopy()
			bound.Spec.NodeName = m.node
			node.AddPod(bound)
		}
		if len(left) == 0 || len(left) == len(moves) {
			return left
		}
		moves = left
	}
}

// impossible checks that pods without a place have none, on the board as it is after all placements.
func (t *trial) impossible(ctx context.Context) []Disagreement {
	var out []Disagreement
	s := t.scheduler
	fresh := t.cluster.fresh()
	for _, u := range t.decision.Unplaced {
		pod := t.pods[u.Pod]
		try := s.attempt(ctx, pod)
		where := ""
		for _, n := range s.board.list {
			if plugin, _ := try.refusal(s.board.byName[n.Node().Name]); plugin == "" {
				where = "node " + n.Node().Name
			}
		}
		for i := 0; where == "" && i < len(fresh); i++ {
			node := s.board.add(fresh[i])
			if plugin, _ := s.attempt(ctx, pod).refusal(node); plugin == "" {
				n := fresh[i].node
				where = fmt.Sprintf("a fresh %s of %s in %s (%s)", n.Labels[shape.LabelInstanceType], n.Labels[shape.LabelNodePool], n.Labels[shape.LabelZone], n.Labels[shape.LabelCapacityType])
			}
			s.board.drop()
		}
		if where != "" {
			kind := Possible
			if t.nextPass(pod) {
				kind = Late
			}
			out = append(out, Disagreement{Seed: t.cluster.seed, Kind: kind, Pod: string(u.Pod), Node: where, Why: u.Why.Sentence()})
		}
	}
	return out
}

// nextPass reports whether the planner places a pod when it is asked again, with its plan carried out.
func (t *trial) nextPass(pod *corev1.Pod) bool {
	after := *t.cluster
	after.machines, after.pending = nil, []*corev1.Pod{pod}
	for _, n := range t.scheduler.board.list {
		m := machine{node: n.Node(), csi: t.scheduler.board.csi[n.Node().Name]}
		for _, p := range n.GetPods() {
			m.pods = append(m.pods, p.GetPod())
		}
		after.machines = append(after.machines, m)
	}
	snapshot, _ := translate.Snapshot(after.objects(), noon)
	return len(engine.Plan(snapshot, engine.DefaultPolicy()).Unplaced) == 0
}
