package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

// scenario is one way to live through the week.
type scenario struct {
	name          string
	capacityTypes []string
	unrest        float64
	still         bool // no moves to a cheaper fleet
	seed          uint64
	length        time.Duration
}

// week is a cluster that lives through a scenario.
type week struct {
	scenario scenario
	clock    *clocktesting.FakeClock
	server   *awssim.Server
	cloud    *aws.Cloud
	nodes    *register
	pool     *karpenterv1.NodePool
	dice     *rand.Rand
	notices  chan provider.Notice

	pods     map[string][]*workload // by deployment, oldest first
	serial   int                    // of pods and claims
	machines []*machine             // in the order they were launched
	moving   []*move                // replacements that are on their way
	// unsettled is set when a pod may wait for a node, and again is when to plan at the earliest.
	unsettled bool
	again     time.Time
	result    result
}

// How often the loop looks at what changes slowly.
const (
	demandEvery = 10 * time.Minute
	refitEvery  = time.Hour
	pricesEvery = 12 * time.Hour
)

// live goes through the scenario second by second.
func live(ctx context.Context, s scenario) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &week{
		scenario: s,
		clock:    clocktesting.NewFakeClock(monday),
		nodes:    &register{},
		pool:     newPool(s),
		notices:  make(chan provider.Notice),
		dice:     rand.New(rand.NewPCG(s.seed, 7)),
		pods:     map[string][]*workload{},
		result:   result{name: s.name},
	}
	var err error
	if w.server, w.cloud, err = open(ctx, s, w.clock, w.nodes); err != nil {
		return result{}, err
	}
	defer func() { _ = w.server.Close() }()
	failed := make(chan error, 1)
	go w.listen(ctx, failed)
	for at := time.Duration(0); at < s.length; at += time.Second {
		if err := w.second(ctx, at, failed); err != nil {
			return result{}, fmt.Errorf("%s into the week: %w", at, err)
		}
	}
	spending := w.server.Status().Spending
	w.result.paid, w.result.interruptions = spending.Paid, spending.Interruptions
	return w.result, nil
}

// listen hands on what the provider reads from the interruption queue.
func (w *week) listen(ctx context.Context, failed chan<- error) {
	for ctx.Err() == nil {
		notices, err := w.cloud.Notices(ctx)
		if err != nil {
			failed <- fmt.Errorf("reading notices: %w", err)
			return
		}
		for _, n := range notices {
			select {
			case w.notices <- n:
			case <-ctx.Done():
			}
		}
	}
}

// second lets one second pass and reacts to what it brought.
func (w *week) second(ctx context.Context, at time.Duration, failed <-chan error) error {
	if at%demandEvery == 0 {
		w.demand(at)
	}
	if at%pricesEvery == 0 {
		if err := w.refreshPrices(ctx); err != nil {
			return err
		}
	}
	if err := w.plan(ctx); err != nil {
		return err
	}
	if !w.scenario.still && at%refitEvery == refitEvery-time.Second {
		if err := w.refit(ctx); err != nil {
			return err
		}
	}
	w.clock.Step(time.Second)
	if err := w.server.Settle(ctx); err != nil {
		return err
	}
	for w.server.Messages() > 0 {
		select {
		case n := <-w.notices:
			if err := w.react(ctx, n); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.join()
	w.finishMoves(ctx)
	w.count()
	return nil
}

// refreshPrices does the provider's regular work on prices.
func (w *week) refreshPrices(ctx context.Context) error {
	for _, task := range w.cloud.Tasks() {
		if task.Name == "providers.pricing" {
			return task.Run(ctx)
		}
	}
	return nil
}

// demand gives each deployment the replicas of the hour.
func (w *week) demand(at time.Duration) {
	hour := (at % (24 * time.Hour)).Hours()
	for _, d := range deployments {
		pods, want := w.pods[d.name], d.replicas(hour)
		for len(pods) < want {
			w.serial++
			pods = append(pods, d.newPod(w.serial, w.clock.Now()))
			w.unsettled = true
		}
		for len(pods) > want { // a ReplicaSet gives up pods that wait or are young first; these are the youngest
			last := pods[len(pods)-1]
			w.leave(last)
			pods = pods[:len(pods)-1]
		}
		w.pods[d.name] = pods
	}
}

// all lists all pods in an order that does not change.
func (w *week) all() []*workload {
	var out []*workload
	for _, d := range deployments {
		out = append(out, w.pods[d.name]...)
	}
	return out
}

// react does what Dovetail's interruption controller does.
func (w *week) react(ctx context.Context, n provider.Notice) error {
	for _, id := range n.Machines {
		i := slices.IndexFunc(w.machines, func(m *machine) bool { return m.instance() == id })
		if i < 0 || w.machines[i].leaving {
			continue
		}
		switch m := w.machines[i]; n.Kind {
		case provider.SpotInterrupted:
			w.cloud.Scarce(
				map[string]string{
					shape.LabelCapacityType: m.bought.CapacityType,
					shape.LabelInstanceType: m.bought.InstanceType,
					shape.LabelZone:         m.bought.Zone,
				},
			)
			w.drain(m)
			m.endsAt = w.clock.Now().Add(gracePeriod)
		case provider.InstanceStopped, provider.InstanceTerminated:
			w.drain(m)
			w.result.lost++
		}
	}
	return w.cloud.Done(ctx, n)
}
