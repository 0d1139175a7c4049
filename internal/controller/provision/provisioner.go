package provision

import (
	"context"
	"errors"
	"fmt"
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
type Provisioner struct{ Deps }

// New checks that nothing is missing.
func New(d Deps) (*Provisioner, error) {
	if d.Mirror == nil || d.Cloud == nil || d.Apply == nil || d.Journal == nil || d.Tell == nil || d.Batch == nil || d.Clock == nil || d.Metrics == nil {
		return nil, errors.New("provisioner: a dependency is missing")
	}
	return &Provisioner{d}, nil
}

// NeedLeaderElection is true: two planners would buy everything twice.
func (p *Provisioner) NeedLeaderElection() bool { return true }

// Start plans until the context ends.
func (p *Provisioner) Start(ctx context.Context) error {
	p.Mirror.Hear(func(mirror.Change) { p.Batch.Trigger() })
	p.Batch.Trigger() // pods may have been waiting for a leader
	var patience time.Duration
	for ctx.Err() == nil {
		p.Batch.Wait(ctx, patience)
		if ctx.Err() != nil {
			return nil
		}
		open, err := p.Pass(ctx)
		if err != nil && ctx.Err() == nil {
			p.Log.Error(err, "carrying out the plan; what is left is planned again")
			open = true
		}
		patience = 0
		if open {
			patience = lookAgain
		}
	}
	return nil
}

// Pass plans all pods that need a place now, once. open is true while some of them have none yet.
func (p *Provisioner) Pass(ctx context.Context) (open bool, err error) {
	// See.
	began := p.Clock.Now()
	Refresh(ctx, p.Mirror, p.Cloud)
	snapshot := p.Mirror.Snapshot()
	p.Metrics.Scheduler.QueueDepth.WithLabelValues(controllerName, "").Set(float64(len(snapshot.Pods)))
	if len(snapshot.Pods) == 0 {
		p.Metrics.Scheduler.Unplaced.WithLabelValues(controllerName).Set(0)
		return false, nil
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
	claims, err := p.Apply.Open(ctx, decision.Open, Reason)
	if err != nil {
		err = fmt.Errorf("opening nodes: %w", err)
	}
	p.nominate(decision.Place)
	p.Tell.All(ctx, decision, claims)
	return true, err
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
