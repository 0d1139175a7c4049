package oracle

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Kind tells disagreements apart.
type Kind string

const (
	// Refused placements never pass the filters, in no order that was tried.
	Refused Kind = "the scheduler refuses a placement"
	// RefusedOption is the same on nodes that came up as another of their options than the cheapest.
	RefusedOption Kind = "the scheduler refuses a placement on another option"
	// HeldOption is the same on options that their launches had to keep for minValues: see trial.held.
	HeldOption Kind = "the scheduler refuses a placement on another option, which minValues wants kept"
	// Possible pods are called unplaceable, and the filters let them on a node.
	Possible Kind = "the scheduler places an unplaceable pod"
	// Late pods are Possible ones that the planner places itself once the others are where it put them.
	Late Kind = "the planner gives a pod up which it places in its next pass"
	// Withheld pods would go on a new node that has room, but a domain over which they are spread is emptier, and had
	// no more nodes only because others took what was scarce.
	Withheld Kind = "the planner keeps a pod off a domain while another one is empty for want of machines"
	// Narrow pods are Late ones that fit a new node as it is planned, but on too few of its instance types for
	// minValues.
	Narrow Kind = "the planner gives a pod up which would leave a new node's launch too few instance types"
	// NearDaemon pods would go on a new node only because a daemon there is a neighbour that they want.
	NearDaemon Kind = "the scheduler places an unplaceable pod beside a new node's daemon"
	// DaemonByLabel pods would go on a new node only under a value of an open label with which one of its daemons does
	// not run.
	DaemonByLabel Kind = "the scheduler places an unplaceable pod where a daemon's label is chosen against it"
	// Untrue reasons are given for pods that have no place indeed.
	Untrue Kind = "a reason is not true"
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
const orders = 200

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// counts says how much was checked.
type counts struct {
	clusters, placements, onNew, unplaced int
}

func (c counts) plus(d counts) counts {
	return counts{c.clusters + d.clusters, c.placements + d.placements, c.onNew + d.onNew, c.unplaced + d.unplaced}
}

// judge plans a cluster and holds the plan against the scheduler.
func judge(ctx context.Context, s *scheduler, c *cluster) (counts, []Disagreement) {
	s.use(c.equipment)
	objects := c.objects()
	snapshot, problems := translate.Snapshot(objects, noon)
	if len(problems) > 0 {
		return counts{}, []Disagreement{{Seed: c.seed, Kind: Untranslated, Why: problems[0].Error()}}
	}
	decision := c.plan(snapshot, objects.Devices)
	t := newTrial(s, c, decision)
	n := counts{clusters: 1, unplaced: len(decision.Unplaced)}
	for _, o := range decision.Open {
		n.onNew += len(o.Pods)
	}
	n.placements = n.onNew + len(decision.Place)

	d := sample.NewDice(c.seed)
	out := t.replay(ctx, d, Refused, func(engine.NewNode) int { return 0 })
	if len(out) == 0 {
		out = t.impossible(ctx)
		out = append(out, t.otherOptions(ctx, d)...)
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

func newTrial(s *scheduler, c *cluster, d engine.Decision) *trial {
	t := &trial{scheduler: s, cluster: c, decision: d, pods: map[shape.PodID]*corev1.Pod{}}
	for _, p := range slices.Concat(c.pending, c.displaced()) {
		t.pods[translate.IDOf(p)] = p
	}
	return t
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
func (t *trial) replay(
	ctx context.Context,
	d sample.Dice,
	kind Kind,
	choose func(engine.NewNode) int,
) []Disagreement {
	var fresh []machine
	for _, n := range t.decision.Open {
		fresh = append(fresh, t.cluster.launched(n, n.Options[choose(n)]))
	}
	moves := t.moves()
	var stuck []Disagreement
	for i := range orders {
		t.scheduler.board = t.scheduler.newBoard(t.cluster.machines)
		var made []move
		if i%2 == 0 {
			made = t.early(ctx, moves, i%4 == 0 || i%16 == leads)
		}
		for _, m := range fresh {
			t.scheduler.board.add(m)
		}
		later := slices.DeleteFunc(slices.Clone(moves), func(m move) bool { return slices.Contains(made, m) })
		var left []move
		if i%16 == leads {
			left = t.lead(ctx, later)
		} else {
			left = t.place(ctx, later, i > 0)
		}
		if len(left) == 0 {
			return nil
		}
		if stuck == nil || len(left) < len(stuck) {
			stuck = t.refusals(ctx, kind, left)
		}
		if i%2 == 1 {
			// Who found their node closed comes first: those that closed it may not mind.
			moves = append(left, slices.DeleteFunc(moves, func(m move) bool { return slices.Contains(left, m) })...)
			continue
		}
		d.Shuffle(len(moves), func(i, j int) { moves[i], moves[j] = moves[j], moves[i] })
		if i%8 != 0 {
			// Pods that nothing restrains can wait for those that count their neighbours; most often that is it.
			// Those that count more than others come first, or do so only by chance.
			most := math.MaxInt
			if i%4 == 2 {
				most = 1
			}
			slices.SortStableFunc(moves, func(a, b move) int {
				return cmp.Compare(min(restraint(b.pod), most), min(restraint(a.pod), most))
			})
		}
	}
	return stuck
}

// early makes those moves to nodes that are there which pass before any new node is: the scheduler does not wait for
// nodes. It returns them. Picky leaves pods out that no rule restrains: they can wait for those that count their
// neighbours.
func (t *trial) early(ctx context.Context, moves []move, picky bool) []move {
	var here []move
	for _, m := range moves {
		if t.scheduler.board.byName[m.node] != nil && !(picky && restraint(m.pod) == 0) {
			here = append(here, m)
		}
	}
	left := t.place(ctx, here, true)
	return slices.DeleteFunc(here, func(m move) bool { return slices.Contains(left, m) })
}

// refusals says for moves that do not pass why not.
func (t *trial) refusals(ctx context.Context, kind Kind, left []move) []Disagreement {
	var out []Disagreement
	for _, m := range left {
		plugin, why := t.scheduler.attempt(ctx, m.pod).refusal(t.scheduler.board.byName[m.node])
		out = append(
			out,
			Disagreement{
				Seed:   t.cluster.seed,
				Kind:   kind,
				Pod:    string(translate.IDOf(m.pod)),
				Node:   "node " + m.node,
				Plugin: plugin,
				Why:    why,
			},
		)
	}
	return out
}

// restraint is how many rules about neighbours a pod has.
func restraint(pod *corev1.Pod) int {
	n := len(pod.Spec.TopologySpreadConstraints)
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		n += len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	}
	return n
}

// leads is the one of 16 tries in which pods with rules lead.
const leads = 6

// lead makes moves of pods with rules as soon as they pass, and in between those of others that help one of them.
func (t *trial) lead(ctx context.Context, moves []move) []move {
	var bound, free []move
	for _, m := range moves {
		if restraint(m.pod) > 0 {
			bound = append(bound, m)
		} else {
			free = append(free, m)
		}
	}
	for {
		bound = t.place(ctx, bound, true)
		i := slices.IndexFunc(free, func(m move) bool { return len(bound) > 0 && t.helps(ctx, m, bound) })
		if i < 0 {
			return t.place(ctx, append(bound, free...), true)
		}
		t.place(ctx, free[i:i+1], true)
		free = slices.Delete(free, i, i+1)
	}
}

// helps reports whether one of several moves would pass after another one.
func (t *trial) helps(ctx context.Context, first move, then []move) bool {
	undo := t.scheduler.board.undo()
	if len(t.place(ctx, []move{first}, true)) > 0 {
		return false
	}
	node := t.scheduler.board.byName[first.node]
	helped := slices.ContainsFunc(then, func(m move) bool {
		plugin, _ := t.scheduler.attempt(ctx, m.pod).refusal(t.scheduler.board.byName[m.node])
		return plugin == ""
	})
	if err := node.RemovePod(klog.FromContext(ctx), first.pod); err != nil {
		panic(fmt.Sprintf("taking %s off %s again: %v", first.pod.Name, first.node, err))
	}
	t.scheduler.board.volumes.rise(first.pod)
	undo()
	return helped
}

// place makes moves until none passes any more, and returns those left. It goes through them in rounds or, to
// keep to their order, begins again after each.
func (t *trial) place(ctx context.Context, moves []move, again bool) []move {
	moves = slices.Clone(moves)
	for at, passed := 0, false; ; {
		if at == len(moves) {
			if !passed {
				return moves
			}
			at, passed = 0, false
			continue
		}
		m := moves[at]
		node := t.scheduler.board.byName[m.node]
		try := t.scheduler.attempt(ctx, m.pod)
		if plugin, _ := try.refusal(node); plugin != "" {
			at++
			continue
		}
		bound := m.pod.DeepCopy()
		bound.Spec.NodeName = m.node
		try.seat(bound, m.node)
		moves, passed = slices.Delete(moves, at, at+1), true
		if again {
			at = 0
		}
	}
}

// impossible checks that pods without a place have none, on the board as it is after all placements.
func (t *trial) impossible(ctx context.Context) []Disagreement {
	var out []Disagreement
	fresh := t.cluster.fresh(t.decision)
	for _, u := range t.decision.Unplaced {
		pod := t.pods[u.Pod]
		where, kind := t.room(ctx, pod, fresh)
		if where == "" {
			if lie := t.untrue(ctx, pod, u.Why); lie != "" {
				out = append(
					out,
					Disagreement{
						Seed: t.cluster.seed,
						Kind: Untrue,
						Pod:  string(u.Pod),
						Node: lie,
						Why:  u.Why.Sentence(),
					},
				)
			}
			continue
		}
		if kind == Possible && t.withheld(ctx, pod, where) {
			kind = Withheld
		}
		if kind == Possible && t.nextPass(pod) {
			kind = Late
			if t.narrows(ctx, pod, strings.TrimPrefix(where, "node ")) {
				kind = Narrow
			}
		}
		out = append(
			out,
			Disagreement{Seed: t.cluster.seed, Kind: kind, Pod: string(u.Pod), Node: where, Why: u.Why.Sentence()},
		)
	}
	return out
}

// room looks for a node that takes a pod, among those there are and fresh ones. Empty means none.
func (t *trial) room(ctx context.Context, pod *corev1.Pod, fresh []machine) (where string, kind Kind) {
	s := t.scheduler
	try := s.attempt(ctx, pod)
	for _, n := range s.board.list {
		if plugin, _ := try.refusal(s.board.byName[n.Node().Name]); plugin == "" {
			return "node " + n.Node().Name, Possible
		}
	}
	for _, m := range fresh {
		if !t.passes(ctx, pod, m) || !t.broad(ctx, pod, m, fresh) {
			continue
		}
		l := m.node.Labels
		where = fmt.Sprintf(
			"a fresh %s of %s in %s (%s)",
			l[shape.LabelInstanceType],
			l[shape.LabelNodePool],
			l[shape.LabelZone],
			l[shape.LabelCapacityType],
		)
		if !t.passes(ctx, pod, withAllDaemons(m, fresh)) {
			kind = DaemonByLabel
			continue
		}
		m.pods = nil
		if t.passes(ctx, pod, m) {
			return where, Possible
		}
		kind = NearDaemon
	}
	return where, kind
}

// withheld reports whether the node that would take a pod is in a domain that has more pods than another in which a
// node could have been opened for it before the plan, by more than a constraint of the pod allows. Where says which
// node, as room does.
func (t *trial) withheld(ctx context.Context, pod *corev1.Pod, where string) bool {
	node := t.scheduler.board.byName[strings.TrimPrefix(where, "node ")]
	if node == nil && !strings.HasPrefix(where, "a fresh ") ||
		node != nil && !strings.HasPrefix(node.Node().Name, "new-") {
		return false
	}
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable != corev1.DoNotSchedule || c.TopologyKey == shape.LabelHostname {
			continue
		}
		there, before := map[string]bool{}, t.scheduler.board
		for _, n := range before.list {
			there[n.Node().Labels[c.TopologyKey]] = true
		}
		t.scheduler.board = t.scheduler.newBoard(t.cluster.machines)
		lost := false
		for _, m := range t.cluster.fresh(engine.Decision{}) {
			lost = lost ||
				m.node.Labels[c.TopologyKey] != "" && !there[m.node.Labels[c.TopologyKey]] && t.passes(ctx, pod, m)
		}
		t.scheduler.board = before
		if lost {
			return true
		}
	}
	return false
}

// withAllDaemons is a fresh machine with the daemons that it would have under any value of the labels that its pool
// leaves open.
func withAllDaemons(m machine, fresh []machine) machine {
	m.pods = slices.Clone(m.pods)
	for _, o := range fresh {
		for _, key := range []string{shape.LabelNodePool, shape.LabelInstanceType, shape.LabelZone, shape.LabelCapacityType} {
			if o.node.Labels[key] != m.node.Labels[key] {
				o.pods = nil
			}
		}
		for _, pod := range o.pods {
			if !slices.ContainsFunc(m.pods, func(p *corev1.Pod) bool { return p.Name == pod.Name }) {
				m.pods = append(m.pods, pod)
			}
		}
	}
	return m
}

// domainKeys are the labels by which a pod's rules look for neighbours, apart from the hostname: a launch settles each
// of them.
func domainKeys(pod *corev1.Pod) []string {
	var out []string
	for _, c := range pod.Spec.TopologySpreadConstraints {
		out = append(out, c.TopologyKey)
	}
	if a := pod.Spec.Affinity; a != nil && a.PodAffinity != nil {
		for _, term := range a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			out = append(out, term.TopologyKey)
		}
	}
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		for _, term := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			out = append(out, term.TopologyKey)
		}
	}
	return slices.DeleteFunc(out, func(key string) bool { return key == shape.LabelHostname })
}

// broad reports whether the pod may go on as many instance types, in the place of m, as m's pool wants a launch to
// keep.
func (t *trial) broad(ctx context.Context, pod *corev1.Pod, m machine, fresh []machine) bool {
	want := t.cluster.minValues(m.node.Labels[shape.LabelNodePool])
	if want < 2 {
		return true
	}
	types := map[string]bool{}
	for _, o := range fresh {
		same := true
		for _, key := range append(domainKeys(pod), shape.LabelNodePool, shape.LabelZone, shape.LabelCapacityType, sample.TeamLabel) {
			same = same && o.node.Labels[key] == m.node.Labels[key]
		}
		if same && t.passes(ctx, pod, o) {
			types[o.node.Labels[shape.LabelInstanceType]] = true
		}
	}
	return len(types) >= want
}

// passes reports whether a pod may go on a machine that would be new.
func (t *trial) passes(ctx context.Context, pod *corev1.Pod, m machine) bool {
	node := t.scheduler.board.add(m)
	defer t.scheduler.board.drop()
	plugin, _ := t.scheduler.attempt(ctx, pod).refusal(node)
	return plugin == ""
}

// nextPass reports whether the planner places a pod when it is asked again, with its plan carried out.
func (t *trial) nextPass(pod *corev1.Pod) bool {
	after := *t.cluster
	after.machines, after.pending = t.scheduler.board.machines(), []*corev1.Pod{pod}
	if t.cluster.equipment != nil {
		own := *t.cluster.equipment
		own.claims = t.scheduler.board.claims
		after.equipment = &own
	}
	objects := after.objects()
	snapshot, _ := translate.Snapshot(objects, noon)
	return len(after.plan(snapshot, objects.Devices).Unplaced) == 0
}
