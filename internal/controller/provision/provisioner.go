package provision

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Reason is why claims are created here, as metrics name it.
const Reason = "provisioned"

// lookAgain is how soon pods are planned again that found no room, or that were planned and have not been bound:
// not every change that helps them is seen as one. Karpenter's figure.
const lookAgain = 10 * time.Second

// opener creates claims.
type opener interface {
	Open(ctx context.Context, nodes []engine.NewNode, reason string) (map[string]*karpenterv1.NodeClaim, error)
}

// Deps are what a Provisioner needs; all but Headroom, Rest and Decided are required.
type Deps struct {
	Mirror  *mirror.Mirror
	Market  *market.Market
	Apply   opener
	Journal interface{ Add(journal.Kept) }
	Tell    *Teller
	Batch   *Batch
	Policy  engine.Policy
	Clock   clock.Clock
	Metrics *observe.Metrics
	Log     logr.Logger

	// Rest is until when a pool is to launch nothing because its nodes do not join.
	Rest func(pool string) time.Time

	// Decided is told which pods a plan has looked at. It must be quick.
	Decided func(pods []shape.PodID)

	// Headroom is told what each plan says of CapacityBuffers. It must be quick.
	Headroom func(map[types.NamespacedName]Headroom)
}

// Provisioner plans batches of pods.
type Provisioner struct {
	Deps

	rests    rests          // of the one goroutine that makes passes
	bought   purchases      // of the same
	certain  certainty      // of the same
	planner  engine.Planner // of the same; what the mirror has not changed since the last pass is not compiled again
	open     atomic.Bool    // some pods have found no place, so far
	began    atomic.Int64   // when the running plan began, in nanoseconds since 1970; 0 for none
	buffered atomic.Bool    // there are buffers, whose room any change may touch

	told atomic.Pointer[Told]
}

// Told is what the last plan had no place for, and when the next one is made at the latest. It does not change.
type Told struct {
	At, Next time.Time
	Unplaced map[shape.PodID]explain.Tree
}

// Told is of the last plan; nil before the first.
func (p *Provisioner) Told() *Told { return p.told.Load() }

func (p *Provisioner) tell(at time.Time, patience time.Duration, list []engine.Unplaced) {
	t := &Told{At: at, Next: p.Clock.Now().Add(patience), Unplaced: make(map[shape.PodID]explain.Tree, len(list))}
	for _, u := range list {
		t.Unplaced[u.Pod] = u.Why
	}
	p.told.Store(t)
}

// New checks that nothing is missing.
func New(d Deps) (*Provisioner, error) {
	if d.Mirror == nil || d.Market == nil || d.Apply == nil || d.Journal == nil || d.Tell == nil ||
		d.Batch == nil ||
		d.Clock == nil ||
		d.Metrics == nil {
		return nil, errors.New("provisioner: a dependency is missing")
	}
	return &Provisioner{
		Deps:   d,
		rests:  rests{},
		bought: newPurchases(d.Mirror.Ledger().IsReserved),
	}, nil
}

// NeedLeaderElection is true: two planners would buy everything twice.
func (p *Provisioner) NeedLeaderElection() bool { return true }

// Start plans until the context ends.
func (p *Provisioner) Start(ctx context.Context) error {
	if !p.Mirror.WaitForSync(ctx) {
		return nil // the context ended first
	}
	p.Mirror.Hear(p.Hear)
	p.Batch.Trigger() // pods may have been waiting for a leader
	patience := lookAgain
	for ctx.Err() == nil {
		p.Batch.WaitAnd(ctx, patience, p.Meanwhile)
		if ctx.Err() != nil {
			return nil
		}
		var err error
		p.certain.forget()
		if patience, err = p.Pass(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error(err, "carrying out the plan; what is left is planned again")
		}
	}
	return nil
}

// Hear turns news from the mirror into batches. Start asks for it.
func (p *Provisioner) Hear(c mirror.Change) {
	switch {
	case c&mirror.Wanted != 0:
		p.Batch.Trigger()
	case c&mirror.Confirmed != 0, p.open.Load(), p.buffered.Load():
		p.Batch.Nudge()
	}
}

// Pass plans all pods that need a place now, once, and says how long the next one may wait if there is no news.
// An error means that part of the plan could not be carried out.
func (p *Provisioner) Pass(ctx context.Context) (patience time.Duration, err error) {
	// See.
	began := p.Clock.Now()
	p.open.Store(true) // what comes while this pass looks and plans may be too late for it
	p.Market.Refresh(ctx, p.Mirror)
	buffered := p.Mirror.Buffered()
	p.buffered.Store(buffered)
	snapshot := p.Mirror.Snapshot()
	if buffered {
		snapshot = unseat(snapshot)
	}
	var due time.Time
	snapshot.Pools, due = p.rests.apply(snapshot.Pools, began, p.Rest)
	vain := p.bought.look(snapshot, p.Mirror.Pod)
	p.Tell.vain(ctx, vain, p.bought.missed)
	virtual := virtuals(snapshot)
	pending := len(snapshot.Pods) - len(virtual)
	p.Metrics.Scheduler.QueueDepth.WithLabelValues(controllerName, "").Set(float64(pending))
	if len(snapshot.Pods) == 0 {
		if buffered {
			p.seat(snapshot, virtual, engine.Decision{})
		}
		p.open.Store(false)
		p.Metrics.Scheduler.Unplaced.WithLabelValues(controllerName).Set(0)
		p.tell(began, lookAgain, nil)
		return lookAgain, nil
	}

	// Decide.
	p.began.Store(began.UnixNano())
	planned, resting, again := p.bought.apply(snapshot)
	due = sooner(due, again)
	made := p.Mirror.Devices().Plan(planned, func(s shape.Snapshot) engine.Decision {
		return p.planner.Plan(s, p.Policy)
	})
	decision := made.Decision
	p.began.Store(0)
	said := actual(decision, virtual)
	said.Unplaced = append(p.bought.explained(said.Unplaced), resting...)
	p.decided(snapshot)
	p.Tell.found(p.Log, snapshot, virtual, p.Clock.Since(began))
	p.measure(began, pending, said, decision)
	if pending > 0 || len(decision.Open) > 0 {
		p.Journal.Add(
			journal.Record{
				At:       began,
				Revision: snapshot.Revision,
				Took:     p.Clock.Since(began),
				Snapshot: made.Snapshot,
				Policy:   p.Policy,
				Decision: made.Plan,
			},
		)
	}

	// Act.
	if buffered {
		p.seat(snapshot, virtual, decision)
	}
	p.nominate(said.Place)
	claims, err := p.carryOut(ctx, decision, snapshot)
	now := p.Clock.Now()
	p.open.Store(len(said.Unplaced) > 0 || len(claims) < len(decision.Open))
	p.Tell.All(ctx, said, claims)
	p.Tell.unplaced(p.Log, said.Unplaced)
	patience = lookAgain
	if !due.IsZero() {
		patience = min(patience, max(due.Sub(now), time.Millisecond))
	}
	p.tell(began, patience, said.Unplaced)
	return patience, err
}

// carryOut creates the claims of a plan, and remembers for which pods.
func (p *Provisioner) carryOut(
	ctx context.Context,
	d engine.Decision,
	s shape.Snapshot,
) (map[string]*karpenterv1.NodeClaim, error) {
	claims, err := p.Apply.Open(ctx, d.Open, Reason)
	p.rests.note(d.Open, claims, p.Clock.Now())
	p.bought.note(d.Open, claims, s.Types, p.Mirror.Pod)
	return claims, err
}

// sooner is the earlier of two times of which either may be zero.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Unfinished is for how long the running plan has been at it; 0 for none.
func (p *Provisioner) Unfinished() time.Duration {
	if began := p.began.Load(); began != 0 {
		return p.Clock.Since(time.Unix(0, began))
	}
	return 0
}

func (p *Provisioner) decided(s shape.Snapshot) {
	if p.Decided == nil {
		return
	}
	pods := make([]shape.PodID, len(s.Pods))
	for i := range s.Pods {
		pods[i] = s.Pods[i].ID
	}
	p.Decided(pods)
}

// measure puts a plan into metrics and the log. One that only confirms buffers is not worth a line.
func (p *Provisioner) measure(began time.Time, pending int, said, all engine.Decision) {
	took := p.Clock.Since(began)
	p.Metrics.Scheduler.Duration.WithLabelValues(controllerName).Observe(took.Seconds())
	p.Metrics.Scheduler.Unplaced.WithLabelValues(controllerName).Set(float64(len(said.Unplaced)))
	if pods := opened(said); pods > 0 {
		p.Log.Info(observe.SaidClaimsComputed, "nodeclaims", len(said.Open), "pods", pods)
	}
	log := p.Log
	if pending == 0 && len(all.Open) == 0 || !p.Tell.news(said, all) {
		log = log.V(1)
	}
	log.Info("planned pods", observe.LogPodCount, pending, "placed", len(said.Place), "new-nodes", len(all.Open),
		"unplaced", len(said.Unplaced), "price-per-hour", all.Price.String(), observe.LogDuration, took.String())
}

// opened counts the pods for which nodes are opened.
func opened(d engine.Decision) (pods int) {
	for _, node := range d.Open {
		pods += len(node.Pods)
	}
	return pods
}

// seat remembers where buffers have their room, and tells them.
func (p *Provisioner) seat(s shape.Snapshot, virtual map[shape.PodID]bool, d engine.Decision) {
	seats, reports := p.headroom(s, virtual, d)
	p.Mirror.Seat(seats)
	if p.Headroom != nil {
		p.Headroom(reports)
	}
}

// nominate remembers where pods were planned, so that the next plan leaves the room to them. Those
// planned onto new nodes are remembered when their claims are made.
func (p *Provisioner) nominate(list []engine.Placement) {
	onto := map[string][]shape.PodID{}
	for _, placement := range list {
		onto[placement.Node] = append(onto[placement.Node], placement.Pod)
	}
	for node, pods := range onto {
		p.Mirror.Nominate(pods, node)
	}
}

// controllerName labels metrics.
const controllerName = "provisioner"
