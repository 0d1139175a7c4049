package interrupt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/drift"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/regular"
	"github.com/dovetail-sh/dovetail/provider"
)

const (
	// atOnce is how many notices are acted upon at once; more are not received meanwhile.
	atOnce = 100

	// fullAnswer is how many notices SQS gives in one answer. When it does there are likely more, and they are worth
	// more readers than one: up to mostReaders, since each waits for one answer after the other.
	fullAnswer  = 10
	mostReaders = 8

	// seenWithin is how long the cache may take to show the machine of a claim that was launched just now. A notice for
	// a machine of which no claim is known is not done with before: a queue gives it again after some seconds.
	seenWithin = 10 * time.Second

	// Pauses after a queue that does not answer: doubling from the first to the last.
	firstPause = time.Second
	lastPause  = time.Minute
)

// Deps are what a Listener needs; all are required.
type Deps struct {
	// Client reads claims and nodes, with the indexes of lookup, and annotates claims.
	Client  client.Client
	Cloud   provider.Interrupter
	Clock   clock.Clock
	Events  *observe.Recorder
	Metrics observe.NoticeMetrics
	Log     logr.Logger

	// Outcome is told how asking the cloud went.
	Outcome regular.Outcome

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error

	// Outcome of a launch: it is told that a pool's machine ended before its node joined.
	NeverJoined func(pool string)

	// ReplaceOnRebalance has nodes replaced that the cloud recommends to rebalance, a new one first. Else an event
	// tells.
	ReplaceOnRebalance bool
}

// Listener receives notices and acts upon them.
type Listener struct{ Deps }

// NeedLeaderElection is true: a standby would take messages that it does not act upon.
func (l *Listener) NeedLeaderElection() bool { return true }

// Register has the manager run the Listener on the leader.
func (l *Listener) Register(m manager.Manager) error {
	if err := m.Add(l); err != nil {
		return fmt.Errorf("adding the listener for interruptions: %w", err)
	}
	return nil
}

// Start listens until the context ends.
func (l *Listener) Start(ctx context.Context) error {
	var work errgroup.Group
	work.SetLimit(atOnce)
	var helpers errgroup.Group
	helpers.SetLimit(mostReaders - 1)
	pause := firstPause
	for ctx.Err() == nil {
		n, err := l.read(ctx, &work)
		if err == nil {
			pause = firstPause
			if n >= fullAnswer {
				helpers.TryGo(func() error {
					l.help(ctx, &work)
					return nil
				})
			}
			continue
		}
		if ctx.Err() != nil {
			break
		}
		l.Log.Error(err, "listening for interruptions; trying again", observe.LogDuration, pause.String())
		select {
		case <-ctx.Done():
		case <-l.Clock.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
	_ = helpers.Wait()
	return work.Wait() // never an error: take logs its own
}

// help reads beside Start until an answer is empty. Errors are left to Start, which meets them too.
func (l *Listener) help(ctx context.Context, work *errgroup.Group) {
	for ctx.Err() == nil {
		if n, err := l.read(ctx, work); err != nil || n == 0 {
			return
		}
	}
}

// read waits for one answer of the cloud, has each notice acted upon, and says how many there were.
func (l *Listener) read(ctx context.Context, work *errgroup.Group) (int, error) {
	notices, err := l.Cloud.Notices(ctx)
	l.Outcome(ctx, "Reading the interruption queue", err)
	for _, n := range notices {
		work.Go(func() error {
			l.take(ctx, n)
			return nil
		})
	}
	return len(notices), err
}

// take acts upon a notice and deletes it. One that fails comes again.
func (l *Listener) take(ctx context.Context, n provider.Notice) {
	l.Metrics.Received.WithLabelValues(string(n.Kind)).Inc()
	if n.Problem != "" {
		l.Log.Info("dropping an interruption message that cannot be understood", observe.LogReason, n.Problem)
	}
	for _, machine := range n.Machines {
		if err := l.actOn(ctx, machine, n); err != nil {
			if ctx.Err() == nil && !errors.Is(err, errUnseen) {
				l.Log.Error(
					err,
					"acting upon an interruption message; it will come again",
					observe.LogReason,
					string(n.Kind),
				)
			}
			return
		}
	}
	if !n.Sent.IsZero() {
		l.Metrics.Waited.WithLabelValues().Observe(max(0, l.Clock.Since(n.Sent).Seconds()))
	}
	err := l.Cloud.Done(ctx, n)
	l.Outcome(ctx, "Deleting messages of the interruption queue", err)
	if err != nil {
		if ctx.Err() == nil {
			l.Log.Error(
				err,
				"deleting an interruption message; it will come again",
				observe.LogReason,
				string(n.Kind),
			)
		}
		return
	}
	l.Metrics.Deleted.WithLabelValues().Inc()
}

// actOn does what a notice asks for one machine. Machines that are not ours, and claims that go already, ask for
// nothing.
func (l *Listener) actOn(ctx context.Context, machine string, n provider.Notice) error {
	claim, err := lookup.ClaimOfMachine(ctx, l.Client, machine)
	if err != nil {
		return err
	}
	if claim == nil {
		return l.unknown(n)
	}
	if n.Kind == provider.SpotInterrupted || n.Kind == provider.CapacityReservationInterrupted {
		l.Cloud.Scarce(claim.Labels) // before anything is planned again
	}
	if err := l.ends(ctx, claim, endOf(n, l.Clock.Now())); err != nil {
		return err
	}
	switch {
	case n.Kind == provider.ScheduledChange:
		return l.schedule(ctx, claim, n)
	case !claim.DeletionTimestamp.IsZero():
		return nil
	case n.Kind == provider.RebalanceRecommendation:
		return l.rebalance(ctx, claim)
	}
	said, ok := sayings[n.Kind]
	if !ok {
		return nil
	}
	l.tell(ctx, claim, said.reason, said.text)
	if err := l.retire(ctx, claim, n.Kind); err != nil {
		return err
	}
	l.judge(claim, n.Kind)
	return nil
}

// judge tells of a machine that ended by itself before its node joined: the next of its pool would end the same way,
// for want of a key or a quota for its disks. A machine that is taken back says nothing of its pool.
func (l *Listener) judge(claim *karpenterv1.NodeClaim, kind provider.NoticeKind) {
	ended := kind == provider.InstanceTerminated || kind == provider.InstanceStopped
	if ended && claim.Status.NodeName == "" {
		l.NeverJoined(claim.Labels[karpenterv1.NodePoolLabelKey])
	}
}

// errUnseen is why a notice is left in the queue for another time.
var errUnseen = errors.New("its claim may not have been seen yet")

// unknown is what becomes of a notice for a machine that no claim is known to have. Most are not ours. One that ends
// soon may be, bought a moment ago: the cache is behind, and nothing else would tell its pods in time.
func (l *Listener) unknown(n provider.Notice) error {
	urgent := n.Kind == provider.SpotInterrupted || n.Kind == provider.CapacityReservationInterrupted
	if urgent && l.Clock.Since(n.Sent) < seenWithin {
		return errUnseen
	}
	return nil
}

// rebalance tells of a recommendation and, if so set, marks the claim for the drift controller to replace it.
func (l *Listener) rebalance(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	l.tell(
		ctx,
		claim,
		observe.SpotRebalanceRecommendation,
		"The spot machine is at a higher risk of being interrupted",
	)
	if !l.ReplaceOnRebalance || claim.Annotations[drift.AnnotationRebalance] != "" {
		return nil
	}
	at := l.Clock.Now().UTC().Format(time.RFC3339)
	return l.annotate(ctx, claim, func(a map[string]string) { a[drift.AnnotationRebalance] = at })
}

// saying is an event.
type saying struct {
	reason *observe.Reason
	text   string
}

// sayings are for the kinds of notices that end a claim at once.
var sayings = map[provider.NoticeKind]saying{
	provider.SpotInterrupted: {observe.SpotInterrupted, "The cloud is taking the spot machine back"},
	provider.CapacityReservationInterrupted: {
		observe.CapacityReservationInterruption,
		"The owner of the capacity reservation is taking the machine back",
	},
	provider.InstanceStopped:    {observe.InstanceStopping, "The machine is stopping or has stopped"},
	provider.InstanceTerminated: {observe.InstanceTerminating, "The machine is being terminated"},
}

// retire deletes a claim and then says so.
func (l *Listener) retire(ctx context.Context, claim *karpenterv1.NodeClaim, why provider.NoticeKind) error {
	l.Log.Info(observe.SaidInterruption, observe.LogMessageKind, string(why),
		observe.LogNodeClaim, claim.Name, observe.LogNode, claim.Status.NodeName, "action", "CordonAndDrain")
	if err := l.Delete(ctx, claim, string(why)); err != nil {
		return fmt.Errorf("deleting NodeClaim %s, whose machine is taken away: %w", claim.Name, err)
	}
	l.tell(ctx, claim, observe.TerminatingOnInterruption, "The node is drained because its machine is taken away")
	return nil
}

// tell records an event about a claim and its node.
func (l *Listener) tell(ctx context.Context, claim *karpenterv1.NodeClaim, reason *observe.Reason, text string) {
	l.Events.Emit(claim, reason, text)
	nodes, err := lookup.Nodes(ctx, l.Client, claim.Status.ProviderID)
	if err != nil {
		l.Log.Error(err, "telling the node of an interruption", observe.LogNodeClaim, claim.Name)
	}
	for i := range nodes {
		l.Events.Emit(&nodes[i], reason, text)
	}
}
