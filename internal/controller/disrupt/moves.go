package disrupt

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/backoff"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

const (
	// moveLimit is how long nodes may wait for those that replace them. Karpenter's figure.
	moveLimit = 10 * time.Minute

	// maxForesights bounds the what-if plans of one pass for drifted nodes. What is left is looked at in the next.
	maxForesights = 40
)

// view is all that the moves of one pass are decided from.
type view struct {
	all      []seen // as sorted by decide
	snapshot shape.Snapshot
	guards   guards
	podOf    func(shape.PodID) *corev1.Pod
	now      time.Time
	policy   engine.Policy
	rules    Rules
	devices  *devices.World // nil if claims for devices are not planned
	effort   int            // of a search; 0 for sweepEffort
}

// Rules say which moves are worth it. See refit.Policy.
type Rules struct {
	SpotToSpot bool
	MinSaving  float64 // 0 to 1
	PodPrice   shape.Money
	Payback    time.Duration

	// First are the reasons for which a node may be ended before its replacement is there: see
	// AnnotationTerminateFirst.
	First map[karpenterv1.DisruptionReason]bool
}

// memory is what is kept from one pass to the next. To lose it costs a few what-ifs.
type memory struct {
	attempts map[attempt]backoff.Rest    // how moves of a claim's node failed
	pools    map[poolReason]backoff.Rest // nodes that could not be replaced
	moves    map[types.UID]*move
	told     map[types.UID]string      // why the node was kept when it was last counted
	removed  map[types.UID]metav1.Time // claims that were deleted, and when: the cache shows it late
	sweep    sweep
	rest     time.Time // until when no pass is made
	asked    time.Time // when the cloud was last asked what it sells
	claims   own[*karpenterv1.NodeClaim]
	nodes    own[*corev1.Node]
}

func newMemory() memory {
	return memory{
		attempts: map[attempt]backoff.Rest{}, pools: map[poolReason]backoff.Rest{},
		moves: map[types.UID]*move{}, told: map[types.UID]string{},
		removed: map[types.UID]metav1.Time{},
		claims:  own[*karpenterv1.NodeClaim]{}, nodes: own[*corev1.Node]{},
	}
}

// retry is how long a node is left alone after moves of it failed.
var retry = backoff.Schedule{First: time.Minute, Last: 10 * time.Minute}

// move is a move that is under way: what was found, and how far it has come.
type move struct {
	// Move is what was found. After a restart only InTurn is known of it.
	refit.Move

	reason   karpenterv1.DisruptionReason
	why      string      // it was begun, without a full stop
	members  []types.UID // in the order in which they are drained
	restored string      // its ID, if another controller began it
	first    string      // the reservation in which its node goes before its replacement is there; empty for none
	began    time.Time   // zero after a restart
	drained  time.Time   // when the last of its nodes was seen to drain, zero if none was
	opened   bool        // what replaces them was opened
	opens    int         // how often
	claims   []string    // that were opened

	// homes is where its pods are to go, nodes or claims: plans of later passes keep to it.
	homes map[shape.PodID]string
}

// settle notes where a pod is to go.
func (m *move) settle(pod shape.PodID, home string) {
	if m.homes == nil {
		m.homes = map[shape.PodID]string{}
	}
	m.homes[pod] = home
}

// moves is what a pass decides beyond emptiness.
type moves struct {
	choices []choice
	open    []opening
	waiting []string            // claims that moves wait for
	wanted  map[string]struct{} // nodes that take pods of nodes that go: they are not empty
	spent   []string            // pools whose budgets keep nodes from being looked at
	found   *refit.Result       // nil if no search was due
	search  *journal.Search     // how it was found; nil if it has no moves
	notes   []note              // that are to be written on claims before anything else is done
	again   time.Duration
}

// chose reports whether a claim's node was chosen to go.
func (m moves) chose(claim *karpenterv1.NodeClaim) bool {
	return slices.ContainsFunc(m.choices, func(c choice) bool {
		return c.takes() && c.claim.Name == claim.Name
	})
}

// opening are nodes that are to be opened for a move.
type opening struct {
	nodes    []engine.NewNode
	move     *move
	replaced []seen
}

// plan carries moves on that have begun and looks for new ones: first sick nodes, then drifted ones, then nodes whose
// pods fit elsewhere for less.
func (v view) plan(m *memory) moves {
	p := &planner{view: v, memory: m, left: map[karpenterv1.DisruptionReason]map[string]int{}}
	p.out.wanted = map[string]struct{}{}
	m.restore(v.all, v.now)
	groups := p.underWay()
	var since time.Time
	for _, g := range groups {
		if began := g.since(p.now); since.IsZero() || began.Before(since) {
			since = began
		}
	}
	due := p.sweepDue()
	courses := make([]refit.Course, len(groups))
	for i, g := range groups {
		courses[i] = g.course()
	}
	policy := p.refitPolicy(due)
	p.pass = refit.Begin(v.snapshot, policy, since, courses...)
	if due {
		p.search = &journal.Search{
			Revision: v.snapshot.Revision,
			Snapshot: v.snapshot,
			Policy:   policy,
			Since:    since,
			Courses:  frozen(courses),
			Allowed:  map[string]int{},
		}
	}
	for _, g := range groups {
		p.carryOn(g)
	}
	mandatory := replacer{p}
	repairs{mandatory}.unhealthy()
	mandatory.drifted()
	if due {
		p.underutilized()
	}
	p.out.notes = m.notes(v.all)
	return p.out
}

// planner is one pass.
type planner struct {
	view
	memory *memory
	pass   *refit.Pass
	search *journal.Search // what was asked of pass; nil if no search is due
	left   map[karpenterv1.DisruptionReason]map[string]int
	looks  int
	out    moves
}

// follow asks the pass what becomes of a move.
func (p *planner) follow(c refit.Course) refit.Outlook {
	if p.search != nil {
		p.search.Followed = append(p.search.Followed, frozen([]refit.Course{c})...)
	}
	next, snapshot := p.pass.Follow(c), p.snapshot
	for round := 1; next.Why.Kind == ""; round++ {
		open, ok := p.devices.Allows(snapshot, next.Place, next.Open)
		if ok {
			next.Open = open
			return next
		}
		if round == otherWays || c.Thrifty || !p.alone(c) {
			return refit.Outlook{Why: refit.Reason{Kind: refit.NoPlace, Want: devices.NotMoved}}
		}
		// The pods' devices may be had in another way, on several nodes say. What other moves need is not known then.
		snapshot = devices.Narrowed(p.devices, snapshot, next.Place, next.Open)
		next = refit.Begin(snapshot, p.refitPolicy(false), time.Time{}).Follow(c)
	}
	if next.Unplaced != nil {
		u := devices.Told(p.devices, snapshot, *next.Unplaced)
		next.Why = refit.WithoutPlace(&u)
	}
	return next
}

// otherWays is in how many ways a move is tried whose pods claim devices.
const otherWays = 4

// alone reports whether no other move is under way.
func (p *planner) alone(c refit.Course) bool {
	for _, m := range p.memory.moves {
		for _, name := range m.Remove {
			if !slices.Contains(c.Nodes, name) {
				return false
			}
		}
	}
	return true
}

// frozen are courses whose homes nobody will change: moves go on while the journal writes.
func frozen(courses []refit.Course) []refit.Course {
	out := slices.Clone(courses)
	for i := range out {
		out[i].Homes = maps.Clone(out[i].Homes)
	}
	return out
}

// group is a move with those of its nodes that are still there.
type group struct {
	*move
	nodes []seen // that were chosen
	later []seen // that wait for budgets to let them go
}

// all is the group's nodes in the order in which they are drained.
func (g group) all() []seen { return slices.Concat(g.nodes, g.later) }

// held is for how long all of the group's chosen nodes have been reserved, at least.
func (g group) held(now time.Time) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, s := range g.nodes {
		least = min(least, s.reservedFor(now))
	}
	return least
}

// since is when the move began, as far as that is known.
func (g group) since(now time.Time) time.Time {
	first := g.began
	for _, s := range g.nodes {
		if at := now.Add(-s.reservedFor(now)); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// course is the move as the planner knows it.
func (g group) course() refit.Course {
	return refit.Course{
		Nodes:   g.names(),
		Homes:   g.homes,
		Thrifty: g.reason == karpenterv1.DisruptionReasonUnderutilized,
	}
}

func (g group) names() []string {
	var out []string
	for _, s := range g.all() {
		out = append(out, s.node.Name)
	}
	return out
}

// moves reports whether a node was chosen to go with its pods.
func (s seen) moves() bool {
	reason := markOf(s.claim)
	return (mandatory(reason) || reason == karpenterv1.DisruptionReasonUnderutilized) &&
		!nodehealth.Rebooting(s.claim)
}

// underWay lists the moves that have begun, the oldest node's first. Nodes that are marked and say nothing of a move,
// as an older controller leaves them, are put together: drifted and sick ones go by themselves, all others are one
// move, which together must save something.
func (p *planner) underWay() []group {
	var out []group
	at := map[*move]int{}
	var lost *move
	for _, s := range p.all {
		reason, waits := markOf(s.claim), p.waits(s)
		if !waits && !s.moves() ||
			s.pool != nil && s.pool.Spec.Replicas != nil || // static sees to its own
			!s.claim.DeletionTimestamp.IsZero() || s.node == nil || s.pods == nil {
			continue
		}
		m := p.memory.moves[s.claim.UID]
		if m == nil {
			m = &move{reason: reason}
			if reason == karpenterv1.DisruptionReasonUnderutilized {
				if lost == nil {
					lost = m
				}
				m = lost
			}
			m.members = append(m.members, s.claim.UID)
			p.memory.moves[s.claim.UID] = m
		}
		k, ok := at[m]
		if !ok {
			k = len(out)
			at[m] = k
			out = append(out, group{move: m})
		}
		if waits {
			out[k].later = append(out[k].later, s)
		} else {
			out[k].nodes = append(out[k].nodes, s)
		}
	}
	for _, g := range out {
		for _, list := range [][]seen{g.nodes, g.later} {
			slices.SortStableFunc(list, func(a, b seen) int {
				return cmp.Compare(slices.Index(g.members, a.claim.UID), slices.Index(g.members, b.claim.UID))
			})
		}
	}
	return slices.DeleteFunc(out, p.unbegun)
}

// soonest is when a pass looks again at the earliest, so that a time that has just come does not make the loop spin.
const soonest = 100 * time.Millisecond

// soon has the next pass come after d at the latest.
func (p *planner) soon(d time.Duration) {
	p.out.again = minPositive(p.out.again, max(d, soonest))
}

// allowed reports whether the pool's budgets let one more node go, and takes it if take is set. A sick node that was
// never ready for pods needs none: nothing is lost with it.
func (p *planner) allowed(s seen, reason karpenterv1.DisruptionReason, take bool) bool {
	if reason == karpenterv1.DisruptionReasonUnhealthy &&
		!condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) {
		return true
	}
	if p.leftOf(reason)[s.pool.Name] <= 0 {
		p.soon(budgetEvery)
		if !slices.Contains(p.out.spent, s.pool.Name) {
			p.out.spent = append(p.out.spent, s.pool.Name)
		}
		return false
	}
	if take {
		for _, other := range p.left {
			other[s.pool.Name]-- // a node that goes counts against every budget
		}
	}
	return true
}

func (p *planner) leftOf(reason karpenterv1.DisruptionReason) map[string]int {
	if p.left[reason] == nil {
		p.left[reason] = allowances(p.all, p.now, reason)
		for _, c := range p.out.choices {
			if c.takes() {
				p.left[reason][c.pool.Name]--
			}
		}
	}
	return p.left[reason]
}

// choose begins a move. Nodes that budgets do not let go yet wait for their turn.
func (p *planner) choose(m *move, nodes []seen) {
	m.began = p.now
	for _, s := range nodes {
		m.members = append(m.members, s.claim.UID)
		p.memory.moves[s.claim.UID] = m
	}
	p.takeTurns(group{move: m, later: nodes})
}

// want notes where pods of nodes that go will be.
func (p *planner) want(list []engine.Placement) {
	for _, place := range list {
		p.out.wanted[place.Node] = struct{}{}
	}
}

// because is why a node goes, in words.
func because(reason karpenterv1.DisruptionReason) string {
	switch reason {
	case karpenterv1.DisruptionReasonDrifted:
		return "it has drifted"
	case karpenterv1.DisruptionReasonUnderutilized:
		return "its pods fit elsewhere for less"
	case karpenterv1.DisruptionReasonEmpty:
		return "it is empty"
	case karpenterv1.DisruptionReasonUnhealthy:
		return "it is unhealthy"
	}
	return fmt.Sprintf("of %s", reason)
}
