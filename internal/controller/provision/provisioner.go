package provision

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Reason is why claims are created here, as metrics name it.
const Reason = "provisioned"

// lookAgain is how soon pods are planned again that found no room, or that were planned and have not been bound:
// not every change that helps them is seen as one. Karpenter's figure.
const lookAgain = 10 * time.Second

// syncAgain is how soon it is looked again whether the mirror has seen the whole cluster.
const syncAgain = 50 * time.Millisecond

// opener creates claims.
type opener interface {
	Open(ctx context.Context, nodes []engine.NewNode, reason string) (map[string]*karpenterv1.NodeClaim, error)
}

// Deps are what a Provisioner needs; all are required.
type Deps struct {
	Mirror  *mirror.Mirror
	Cloud   seller
	Apply   opener
	Journal *journal.Journal
	Tell    *Teller
	Batch   *Batch
	Policy  engine.Policy
	Clock   clock.Clock
	Metrics *observe.Metrics
	Log     logr.Logger
}

// Provisioner plans batches of pods.
type Provisioner struct {
	Deps

	rests rests       // of the one goroutine that makes passes
	open  atomic.Bool // some pods have found no place, so far
}

// New checks that nothing is missing.
func New(d Deps) (*Provisioner, error) {
	if d.Mirror == nil || d.Cloud == nil || d.Apply == nil || d.Journal == nil || d.Tell == nil || d.Batch == nil || d.Clock == nil || d.Metrics == nil {
		return nil, errors.New("provisioner: a dependency is missing")
	}
	return &Provisioner{Deps: d, rests: rests{}}, nil
}

// NeedLeaderElection is true: two planners would buy everything twice.
func (p *Provisioner) NeedLeaderElection() bool { return true }

// Start plans until the context ends.
func (p *Provisioner) Start(ctx context.Context) error {
	p.Mirror.Hear(p.hear)
	p.Batch.Trigger() // pods may have been waiting for a leader
	patience := lookAgain
	for ctx.Err() == nil {
		p.Batch.Wait(ctx, patience)
		if ctx.Err() != nil {
			return nil
		}
		if !p.Mirror.Synced() {
			patience = syncAgain
			continue
		}
		var err error
		if patience, err = p.Pass(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error(err, "carrying out the plan; what is left is planned again")
		}
	}
	return nil
}

// hear turns news from the mirror into batches.
func (p *Provisioner) hear(c mirror.Change) {
	switch {
	case c&mirror.Wanted != 0:
		p.Batch.Trigger()
	case p.open.Load():
		p.Batch.Nudge()
	}
}

// Pass plans all pods that need a place now, once, and says how long the next one may wait if there is no news.
// An error means that part of the plan could not be carried out.
func (p *Provisioner) Pass(ctx context.Context) (patience time.Duration, err error) {
	// See.
	began := p.Clock.Now()
	Refresh(ctx, p.Mirror, p.Cloud)
	snapshot := p.Mirror.Snapshot()
	var due time.Time
	snapshot.Pools, due = p.rests.apply(snapshot.Pools, began)
	p.Metrics.Scheduler.QueueDepth.WithLabelValues(controllerName, "").Set(float64(len(snapshot.Pods)))
	if len(snapshot.Pods) == 0 {
		p.open.Store(false)
		p.Metrics.Scheduler.Unplaced.WithLabelValues(controllerName).Set(0)
		return lookAgain, nil
	}

	// Decide.
	decision := engine.Plan(snapshot, p.Policy)
	took := p.Clock.Since(began)
	p.Metrics.Scheduler.Duration.WithLabelValues(controllerName).Observe(took.Seconds())
	p.Metrics.Scheduler.Unplaced.WithLabelValues(controllerName).Set(float64(len(decision.Unplaced)))
	p.Log.Info("planned pods", observe.LogPodCount, len(snapshot.Pods), "placed", len(decision.Place), "new-nodes", len(decision.Open),
		"unplaced", len(decision.Unplaced), "price-per-hour", decision.Price.String(), observe.LogDuration, took.String())
	p.Journal.Add(journal.Record{At: began, Revision: snapshot.Revision, Took: took, Snapshot: snapshot, Policy: p.Policy, Decision: decision})

	// Act.
	p.nominate(decision.Place)
	claims, err := p.Apply.Open(ctx, decision.Open, Reason)
	now := p.Clock.Now()
	p.rests.note(decision.Open, claims, now)
	p.open.Store(len(decision.Unplaced) > 0 || len(claims) < len(decision.Open))
	p.Tell.All(ctx, decision, claims)
	patience = lookAgain
	if !due.IsZero() {
		patience = min(patience, max(due.Sub(now), time.Millisecond))
	}
	return patience, err
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
