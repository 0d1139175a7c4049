package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/binder"
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
	advice := newAdviser(k, record)
	deps := provision.Deps{
		Mirror:  k.mirror,
		Market:  k.market("provisioner"),
		Apply:   k.apply,
		Journal: advice,
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
	return errors.Join(k.manager.Add(record), k.manager.Add(advice), k.manager.Add(whenSynced{k.mirror, k.planner}))
}

// addPlacement adds what brings pods to the nodes that were bought for them. Even if that is left to kube-scheduler,
// nodes are opened that an earlier process has kept.
func (k *kit) addPlacement() (*binder.Keeper, error) {
	writer, err := k.unthrottled()
	if err != nil {
		return nil, err
	}
	mode := k.config.Planning.Placement
	deps := binder.Deps{
		Client:     writer,
		Live:       k.manager.GetAPIReader(),
		Plans:      k.mirror.Ledger(),
		Clock:      k.clock,
		Log:        k.log.WithName("binder"),
		Metrics:    k.metrics.Pods,
		Keep:       mode != config.PlacementOff,
		Bind:       mode == config.PlacementBind,
		HoldAtMost: k.config.Planning.PlacementHold,
	}
	var told error
	if deps.Keep {
		n, err := nominate.New(
			nominate.Deps{Client: writer, Plans: k.mirror.Ledger(), Clock: k.clock, Log: k.log.WithName("nominator")},
		)
		if err != nil {
			return nil, err
		}
		deps.Scheduler = n
		told = k.manager.Add(n)
	}
	keeper, err := binder.New(deps)
	if err != nil {
		return nil, err
	}
	return keeper, errors.Join(told, k.manager.Add(whenSynced{k.mirror, keeper}))
}

// unthrottled is a client without a limit to requests a second: nodes wait while thousands of pods are bound or
// nominated, and those who do that bound how many they write to at once.
func (k *kit) unthrottled() (client.Client, error) {
	config := rest.CopyConfig(k.manager.GetConfig())
	config.QPS, config.RateLimiter = -1, nil
	c, err := client.New(config, client.Options{Scheme: k.manager.GetScheme(), Mapper: k.manager.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("preparing to write to many pods: %w", err)
	}
	return c, nil
}

// bound counts a planned pod that was bound, and says why it was bound elsewhere.
func (k *kit) bound(b mirror.Binding) {
	asPlanned := b.Why == mirror.AsPlanned
	k.metrics.Pods.Planned.WithLabelValues(b.Pool, strconv.FormatBool(asPlanned)).Inc()
	if !asPlanned {
		k.log.V(1).
			Info("a pod was bound elsewhere than planned", observe.LogPod, b.Pod, "planned", b.Planned, observe.LogNode, b.Node, observe.LogReason, b.Why)
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

// NeedLeaderElection is true.
func (w whenSynced) NeedLeaderElection() bool { return true }

// Start waits, and then runs.
func (w whenSynced) Start(ctx context.Context) error {
	if !w.mirror.WaitForSync(ctx) {
		return nil
	}
	return w.run.Start(ctx)
}
