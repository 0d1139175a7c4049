package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/nominate"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// addProvisioning adds what plans pods and opens nodes for them.
func (k *kit) addProvisioning() error {
	record, err := journal.New(journal.Options{Dir: k.config.Planning.JournalDir})
	if err != nil {
		return err
	}
	k.journal = record
	deps := provision.Deps{
		Mirror:  k.mirror,
		Cloud:   k.cloudFor("provisioner"),
		Overlay: k.overlay,
		Apply:   k.apply,
		Journal: record,
		Tell:    &provision.Teller{Client: k.client, Events: k.events},
		Batch:   k.batch,
		Rest:    k.joining.Rest,
		Decided: k.times.Decided,
		Policy:  policyOf(k.config.Planning),
		Clock:   k.clock, Metrics: k.metrics, Log: k.log.WithName("provisioner"),
	}
	if k.buffers != nil {
		deps.Headroom = k.buffers.Planned
	}
	if k.planner, err = provision.New(deps); err != nil {
		return err
	}
	return errors.Join(k.manager.Add(record), k.manager.Add(whenSynced{k.mirror, k.planner}))
}

// hold tells the scheduler of the plan when a node is about to take pods; nil if that is switched off.
func (k *kit) hold() (func(context.Context, *karpenterv1.NodeClaim, *corev1.Node) (time.Duration, error), error) {
	if !k.config.Planning.Nominate {
		return nil, nil
	}
	writer, err := k.unthrottled()
	if err != nil {
		return nil, err
	}
	n, err := nominate.New(nominate.Deps{
		Client: writer, Plans: k.mirror, Clock: k.clock, Log: k.log.WithName("nominator"), HoldAtMost: k.config.Planning.NominationHold,
	})
	if err != nil {
		return nil, err
	}
	return n.Hold, k.manager.Add(n)
}

// unthrottled is a client without a limit to requests a second: nodes wait while thousands of nominations are
// written, and the nominator itself bounds how many it writes at once.
func (k *kit) unthrottled() (client.Client, error) {
	config := rest.CopyConfig(k.manager.GetConfig())
	config.QPS, config.RateLimiter = -1, nil
	c, err := client.New(config, client.Options{Scheme: k.manager.GetScheme(), Mapper: k.manager.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("preparing to write nominations: %w", err)
	}
	return c, nil
}

// bound counts a planned pod that was bound, and says why it was bound elsewhere.
func (k *kit) bound(b mirror.Binding) {
	asPlanned := b.Why == mirror.AsPlanned
	k.metrics.Pods.Planned.WithLabelValues(b.Pool, strconv.FormatBool(asPlanned)).Inc()
	if !asPlanned {
		k.log.V(1).Info("a pod was bound elsewhere than planned", observe.LogPod, b.Pod, "planned", b.Planned, observe.LogNode, b.Node, observe.LogReason, b.Why)
	}
}

// policyOf is what the planner is told of the configuration.
func policyOf(c config.Planning) engine.Policy {
	p := engine.DefaultPolicy()
	p.Effort = c.Effort
	p.NodePrice = shape.Dollars(c.NodePrice)
	if c.Preferences == "Ignore" {
		p.Preferences = engine.IgnorePreferences
	}
	if c.MinValues == "BestEffort" {
		p.MinValues = engine.MinValuesBestEffort
	}
	return p
}

// leastNomination is how long a planned pod keeps its place at least.
const leastNomination = 10 * time.Second

// nomination is how long a planned pod keeps its place on a ready node. Karpenter's rule.
func nomination(batchMax time.Duration) time.Duration { return max(2*batchMax, leastNomination) }

// whenSynced runs on the leader, once the mirror has seen the whole cluster: planning for
// half a cluster buys what is there already.
type whenSynced struct {
	mirror *mirror.Mirror
	run    manager.Runnable
}

// syncPause is how often the mirror is asked whether it has seen the whole cluster.
const syncPause = 10 * time.Millisecond

// NeedLeaderElection is true.
func (w whenSynced) NeedLeaderElection() bool { return true }

// Start waits, and then runs.
func (w whenSynced) Start(ctx context.Context) error {
	for !w.mirror.Synced() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(syncPause):
		}
	}
	return w.run.Start(ctx)
}
