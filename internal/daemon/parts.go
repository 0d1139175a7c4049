package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/apply"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/controller/buffer"
	"github.com/dovetail-sh/dovetail/internal/controller/census"
	"github.com/dovetail-sh/dovetail/internal/controller/collect"
	"github.com/dovetail-sh/dovetail/internal/controller/consistency"
	"github.com/dovetail-sh/dovetail/internal/controller/consolidatable"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/controller/drift"
	"github.com/dovetail-sh/dovetail/internal/controller/expire"
	"github.com/dovetail-sh/dovetail/internal/controller/health"
	"github.com/dovetail-sh/dovetail/internal/controller/interrupt"
	"github.com/dovetail-sh/dovetail/internal/controller/learn"
	"github.com/dovetail-sh/dovetail/internal/controller/lifecycle"
	"github.com/dovetail-sh/dovetail/internal/controller/nodeclass"
	"github.com/dovetail-sh/dovetail/internal/controller/nodepool"
	"github.com/dovetail-sh/dovetail/internal/controller/podevents"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/controller/reboot"
	"github.com/dovetail-sh/dovetail/internal/controller/repair"
	"github.com/dovetail-sh/dovetail/internal/controller/reserve"
	"github.com/dovetail-sh/dovetail/internal/controller/static"
	"github.com/dovetail-sh/dovetail/internal/controller/surge"
	"github.com/dovetail-sh/dovetail/internal/controller/terminate"
	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/learned"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/regular"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// kit is what the parts are made from.
type kit struct {
	config  config.Config
	manager manager.Manager
	client  client.Client
	cloud   provider.Cloud
	clock   clock.Clock
	events  *observe.Recorder
	regular *regular.Teller
	metrics *observe.Metrics
	log     logr.Logger
	classes []client.Object
	mirror  *mirror.Mirror
	book    *learned.Book
	surger  *surge.Surger // nil unless it is switched on
	ending  *terminate.Nodes
	health  *nodehealth.Policies
	apply   *apply.Applier
	batch   *provision.Batch
	overlay *market.Overlays   // market.NoOverlays without the gate
	buffers *buffer.Reconciler // nil without the gate
	joining *health.Reconciler
	times   *census.Times
	planner *provision.Provisioner
	alive   *lifecycle.Reconciler
	journal *journal.Journal
	history *history.Keeper
}

// soldBy is what a cloud knows of the devices of its instance types; nil if it knows none.
func soldBy(c provider.Cloud) func(instanceType string) []*resourcev1.ResourceSlice {
	if knows, ok := c.(interface {
		Devices(instanceType string) []*resourcev1.ResourceSlice
	}); ok {
		return knows.Devices
	}
	return nil
}

// cloudFor is the cloud, with its calls counted for a controller.
func (k *kit) cloudFor(controller string) provider.Cloud { return k.metered(controller) }

func (k *kit) metered(controller string) metered {
	return metered{
		Cloud:      k.cloud,
		controller: controller,
		book:       k.book,
		metrics:    k.metrics.Cloud,
		clock:      k.clock,
		claims:     k.client,
	}
}

// wordsOf is what a user reads of an error of the cloud.
func wordsOf(cloud provider.Cloud, err error) string {
	if e, ok := cloud.(provider.Explainer); ok {
		return e.Explain(err)
	}
	return err.Error()
}

// mostAtOnce bounds atOnce whatever is requested: each object in work has a goroutine and a call, and the API server
// gives one client's calls some hundreds of places.
const mostAtOnce = 1000

// atOnce is how many objects a controller whose work is mostly waiting handles at once: so many for
// each core that it requests, within what memory and the API server bear.
func (k *kit) atOnce(perCore int) int {
	return min(max(perCore*k.config.CPURequests/1000, perCore/2), mostAtOnce)
}

// addParts makes the cloud and everything that works for it, and adds it to the manager.
func (d *Daemon) addParts(ctx context.Context, o Options) error {
	k := &kit{
		config: d.config, manager: d.manager, client: d.manager.GetClient(), clock: o.Clock,
		metrics: d.metrics, log: o.Log, classes: classesOf(d.config), book: learned.NewBook(),
		overlay: market.NoOverlays(),
	}
	//lint:ignore SA1019 the new events API has no source component, which users filter by
	recorder := d.manager.GetEventRecorderFor(observe.Component) //nolint:staticcheck // see above
	k.events = observe.NewRecorder(recorder, o.Clock)
	if d.config.Lifecycle.Surge {
		k.surger = surge.New(
			surge.Deps{Client: k.client, Reader: d.manager.GetAPIReader(), Clock: o.Clock, Events: k.events},
		)
	}
	k.regular = regular.New(regular.Deps{
		Client:  k.client,
		Lists:   func() []client.ObjectList { return listsOf(d.config) },
		Clock:   o.Clock,
		Events:  k.events,
		Log:     o.Log,
		Explain: func(err error) string { return wordsOf(k.cloud, err) },
	})
	if o.Cloud == nil {
		o.Cloud = newCloud
	}
	var err error
	k.cloud, err = o.Cloud(ctx, CloudDeps{
		Config:      d.config,
		Kube:        d.manager.GetConfig(),
		Client:      k.client,
		Live:        d.manager.GetAPIReader(),
		Clock:       o.Clock,
		Events:      k.events,
		Metrics:     d.metrics,
		Log:         o.Log.WithName("cloud"),
		AWSEndpoint: o.AWSEndpoint,
		Tell:        k.regular.Tell,
	})
	if err != nil {
		return fmt.Errorf("preparing the %s cloud: %w", d.config.Cloud, err)
	}
	if k.health, err = policiesOf(k.cloud, d.config.Lifecycle.LegacyRepair); err != nil {
		return err
	}
	for _, t := range k.cloud.Tasks() {
		if err := d.manager.Add(&task{Task: t, clock: o.Clock, log: o.Log, outcome: k.regular.Outcome}); err != nil {
			return fmt.Errorf("adding task %s: %w", t.Name, err)
		}
	}
	defaults, err := translate.ReadDefaults(d.config.Planning.Scheduler)
	if err != nil {
		return fmt.Errorf("--scheduler-config (or SCHEDULER_CONFIG): %w", err)
	}
	if d.config.Planning.Scheduler != "" {
		o.Log.Info(
			"scheduler-config is set: pods without topology spread constraints of their own are planned with these",
			"default-topology-spread-constraints",
			defaults,
		)
	}
	k.mirror = mirror.New(mirror.Options{
		Aliases: k.cloud.LabelRules().Aliases, Clock: o.Clock,
		OwnDeletionCosts: d.config.Gates.PodDeletionCostManagement,
		Nomination:       nomination(d.config.Planning.BatchMax), Bound: k.bound, Defaults: defaults,
		Buffers: d.config.Gates.CapacityBuffer,
		Devices: !d.config.Planning.IgnoreDRA, Sold: soldBy(k.cloud),
	})
	if err := k.mirror.Follow(ctx, d.manager.GetCache()); err != nil {
		return err
	}
	k.batch = provision.NewBatch(d.config.Planning.BatchIdle, d.config.Planning.BatchMax, o.Clock)
	k.joining = health.New(k.client, k.cloudFor("nodepool.registrationhealth"), k.clock)
	if err := k.addHistory(ctx); err != nil {
		return err
	}
	k.apply, err = apply.New(apply.Deps{
		Client:   k.client,
		Live:     k.manager.GetAPIReader(),
		Cloud:    k.cloudFor("provisioner"),
		Mirror:   k.mirror,
		Metrics:  k.metrics,
		Log:      k.log,
		Retiring: k.history.Retiring,
	})
	if err != nil {
		return err
	}
	d.gauges, err = k.addObservers(ctx)
	if err := errors.Join(
		err, k.addOverlays(), k.addBuffers(), k.addProvisioning(), k.addClaims(), k.addPools(), k.addDisruption(),
		k.addInterruption(), k.addPage(o.Explain),
	); err != nil {
		return err
	}
	d.known, err = k.known()
	return err
}

// addClaims adds what brings claims to life and to their end.
func (k *kit) addClaims() error {
	keeper, err := k.addPlacement()
	if err != nil {
		return err
	}
	alive, err := lifecycle.New(lifecycle.Deps{
		Aliases: k.cloud.LabelRules().Aliases,
		Client:  k.client,
		Live:    k.manager.GetAPIReader(),
		Cloud:   k.cloudFor("nodeclaim.lifecycle"),
		Clock:   k.clock,
		Events:  k.events,
		Metrics: k.metrics,
		Limits: lifecycle.Limits{
			Launch:         k.config.Lifecycle.Launch,
			Registration:   k.config.Lifecycle.Registration,
			Initialization: k.config.Lifecycle.Initialization,
		},
		Delete:  k.apply.Retire,
		Hold:    keeper.Hold,
		Devices: k.mirror.Devices,
		Outcome: k.joining.Note,
		Planned: k.mirror.Ledger().Expected,
		Market:  k.market("nodeclaim.lifecycle"),
	})
	if err != nil {
		return err
	}
	k.alive = alive
	ends := terminate.Deps{
		Rank:    k.mirror.EvictionRank,
		Client:  k.client,
		Live:    k.manager.GetAPIReader(),
		Cloud:   k.cloudFor("node.termination"),
		Clock:   k.clock,
		Events:  k.events,
		Metrics: k.metrics,
	}
	var surging error
	if k.surger != nil {
		ends.Refused = k.surger.Begin
		surging = k.surger.Register(k.manager)
	}
	endNodes, err := terminate.NewNodes(ends)
	if err != nil {
		return err
	}
	endClaims, err := terminate.NewClaims(ends)
	if err != nil {
		return err
	}
	k.ending = endNodes
	expired := &expire.Reconciler{Deps: expire.Deps{Client: k.client, Clock: k.clock, Delete: k.apply.Retire}}
	return errors.Join(
		surging,
		alive.Register(k.manager, k.atOnce(200)),
		k.joining.Register(k.manager),
		terminate.Register(k.manager, endNodes, endClaims),
		expired.Register(k.manager),
		(&learn.Reconciler{Client: k.client, Book: k.book}).Register(k.manager),
		k.manager.Add(&collect.Collector{Deps: collect.Deps{
			Client: k.manager.GetAPIReader(), Writer: k.client, Cloud: k.cloudFor("nodeclaim.garbagecollection"),
			Clock: k.clock, Log: k.log, Outcome: k.regular.Outcome, Delete: k.apply.Retire,
			NeverJoined: k.joining.NeverJoined,
		}}),
	)
}

// addPools adds what keeps NodePools and node classes current.
func (k *kit) addPools() error {
	var fixed error
	if k.config.Gates.StaticCapacity {
		fixed = static.New(static.Deps{
			Events:   k.events,
			Metrics:  k.metrics,
			Health:   k.mends(),
			First:    first(k),
			Aliases:  k.cloud.LabelRules().Aliases,
			Client:   k.client,
			Clock:    k.clock,
			Snapshot: k.mirror.Snapshot,
			Types:    k.market("static.provisioning").ForPool,
			Open:     k.apply.Open,
			Delete:   k.apply.Retire,
		}).Register(k.manager)
	}
	pools, err := nodepool.New(
		nodepool.Deps{
			Client:  k.client,
			Cloud:   k.cloudFor("nodepool"),
			Clock:   k.clock,
			Metrics: k.metrics,
			Events:  k.events,
			Rules:   []karpenterv1.LabelRules{k.cloud.LabelRules()},
		},
	)
	if err != nil {
		return err
	}
	return errors.Join(
		fixed,
		pools.Register(k.manager, k.classes...),
		nodeclass.Register(k.manager, k.cloudFor("nodeclass"), k.events, k.classes...),
	)
}

// addDisruption adds what gives nodes up by choice.
func (k *kit) addDisruption() error {
	sold := k.market("disruption")
	var surges func(context.Context, *corev1.Pod) bool
	if k.surger != nil {
		surges = k.surger.Able
	}
	costs, err := k.addDeletionCosts()
	if err != nil {
		return err
	}
	empty, err := disrupt.New(disrupt.Deps{
		Standings: costs,
		Surges:    surges, Health: k.mends(), Live: k.manager.GetAPIReader(),
		Refresh: func(ctx context.Context) { sold.Refresh(ctx, k.mirror) },
		Client:  k.client, Clock: k.clock, Events: k.events, Metrics: k.metrics, Delete: k.apply.Retire,
		Mirror: k.mirror, Apply: k.apply, Policy: policyOf(k.config.Planning),
		Record:   func(s journal.Search) { k.journal.Add(s) },
		Replaced: k.history.Replaces,
		Rules: disrupt.Rules{
			SpotToSpot: k.config.Gates.SpotToSpotConsolidation, MinSaving: k.config.Planning.MinSaving,
			First:    first(k),
			PodPrice: shape.Dollars(k.config.Planning.PodPrice), Payback: k.config.Planning.Payback,
		},
	})
	if err != nil {
		return err
	}
	return errors.Join(
		k.addRepair(),
		empty.Register(k.manager),
		(&drift.Reconciler{Aliases: k.cloud.LabelRules().Aliases, Client: k.client, Cloud: k.cloudFor("nodeclaim.disruption"), Market: k.market("nodeclaim.disruption"), Clock: k.clock}).Register(
			k.manager,
			k.classes...),
		(&consistency.Reconciler{Client: k.client, Clock: k.clock, Events: k.events}).Register(k.manager),
		(&podevents.Reconciler{Client: k.client, Clock: k.clock}).Register(k.manager),
		(&podevents.Protector{Client: k.client, Clock: k.clock, Events: k.events}).Register(k.manager),
		(&consolidatable.Reconciler{Client: k.client, Clock: k.clock}).Register(k.manager),
	)
}

// addRepair adds what follows how nodes are, and what reboots them. Nodes that are sick are replaced by disrupt; the
// repair of before 1.15 does so itself.
func (k *kit) addRepair() error {
	var errs []error
	switch {
	case !k.config.Gates.NodeRepair:
	case k.config.Lifecycle.LegacyRepair:
		errs = append(errs, (&repair.Reconciler{Deps: repair.Deps{
			Client: k.client, Live: k.manager.GetAPIReader(), Clock: k.clock, Events: k.events, Metrics: k.metrics,
			Policies: k.health, Delete: k.apply.Retire,
		}}).Register(k.manager))
	default:
		errs = append(errs, (&repair.Noter{Client: k.client, Clock: k.clock, Policies: k.health}).Register(k.manager))
	}
	if _, can := k.cloud.(provider.Rebooter); can { // whatever the gates say now: a reboot may be under way
		reboots, err := reboot.New(reboot.Deps{
			Client: k.client, Clock: k.clock, Events: k.events, Metrics: k.metrics, Drain: k.ending.AskToLeave,
			Cloud: k.metered("nodeclaim.reboot"),
		})
		if err != nil {
			return err
		}
		errs = append(errs, reboots.Register(k.manager))
	}
	return errors.Join(errs...)
}

// mends are the policies by which sick nodes are repaired as a method of disruption; nil for not at all.
func (k *kit) mends() *nodehealth.Policies {
	if !k.config.Gates.NodeRepair || k.config.Lifecycle.LegacyRepair {
		return nil
	}
	return k.health
}

// first are the reasons for which nodes may be ended before their replacement is there.
func first(k *kit) map[karpenterv1.DisruptionReason]bool {
	return map[karpenterv1.DisruptionReason]bool{
		karpenterv1.DisruptionReasonDrifted:   k.config.Gates.TerminateFirstDrift,
		karpenterv1.DisruptionReasonUnhealthy: k.config.Gates.TerminateFirstRepair && k.mends() != nil,
	}
}

// policiesOf are a cloud's repair policies, for the repair that was chosen: that of before 1.15 only replaces.
func policiesOf(cloud provider.Cloud, legacy bool) (*nodehealth.Policies, error) {
	list := cloud.RepairPolicies()
	if legacy {
		list = slices.DeleteFunc(list, func(p provider.RepairPolicy) bool { return p.Action != provider.ReplaceNode })
	}
	policies, err := nodehealth.Compile(list)
	if err != nil {
		return nil, fmt.Errorf("reading the repair policies of the %s cloud: %w", cloud.Name(), err)
	}
	return policies, nil
}

// addInterruption adds what acts when the cloud takes machines away, or says that they are broken.
func (k *kit) addInterruption() error {
	deps := interrupt.Deps{
		Client: k.client, Clock: k.clock, Events: k.events, Metrics: k.metrics.Notices,
		Log: k.log.WithName("interruption"), Outcome: k.regular.Outcome, Delete: k.apply.Retire,
		NeverJoined:        k.joining.NeverJoined,
		ReplaceOnRebalance: k.config.AWS.RebalanceAction == config.RebalanceReplace,
	}
	listener := &interrupt.Listener{Deps: deps}
	var errs []error
	cloud, listens := k.cloud.(provider.Interrupter)
	if listens && k.config.AWS.InterruptionQueue != "" {
		listener.Cloud = cloud
		errs = append(errs, listener.Register(k.manager))
	}
	doctor, diagnoses := k.cloud.(provider.Diagnoser)
	if diagnoses {
		errs = append(errs, (&interrupt.Checker{Listener: listener, Diagnose: doctor.Diagnose}).Register(k.manager))
	}
	if listens || diagnoses {
		errs = append(errs, listener.RegisterSchedule(k.manager))
	}
	if reserver, ok := k.cloud.(provider.Reserver); ok && k.config.Gates.ReservedCapacity {
		errs = append(
			errs,
			(&reserve.Reconciler{Deps: reserve.Deps{Client: k.client, Cloud: reserver, Delete: k.apply.Retire}}).Register(
				k.manager,
			),
		)
	}
	return errors.Join(errs...)
}
