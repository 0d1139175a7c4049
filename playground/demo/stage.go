package demo

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// stage is where the story plays: a cluster, a narrator, and what was measured on the way.
type stage struct {
	client    client.Client
	config    *rest.Config
	say       *Narrator
	variables map[string]string
	account   *control.Client

	patience time.Duration   // how long one wait may take
	reaction []time.Duration // from a Deployment's change to the last launched claim it caused
	began    time.Time
	peak     float64 // dollars an hour
	dearest  string  // rule of the cluster, and what it costs

	bought map[string]purchase // by claim, as it was first seen launched
}

// purchase is what a machine was planned to cost and what it cost when it was launched, in dollars an hour.
type purchase struct{ planned, launched float64 }

// note remembers what a machine costs when it is first seen.
func (s *stage) note(claim *karpenterv1.NodeClaim, m machine) {
	planned, ok := translate.PlannedPrice(claim)
	if _, known := s.bought[m.claim]; known || !ok || !m.launched || m.price == 0 {
		return
	}
	if s.bought == nil {
		s.bought = map[string]purchase{}
	}
	s.bought[m.claim] = purchase{planned, m.price}
}

// await looks until a condition holds, and shows the wait. The error says what was still missing.
func (s *stage) await(ctx context.Context, what string, holds func(fleet) (bool, string)) (fleet, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	since := time.Now()
	seen := "nothing yet"
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		f, err := s.look(ctx)
		if err == nil {
			s.peak = max(s.peak, f.perHour())
			var ok bool
			if ok, seen = holds(f); ok {
				return f, nil
			}
		} else if ctx.Err() == nil {
			seen = err.Error()
		}
		s.say.Waiting(since, what, seen)
		select {
		case <-ctx.Done():
			return f, fmt.Errorf("waited %.0f s for %s, last seen: %s", time.Since(since).Seconds(), what, seen)
		case <-tick.C:
		}
	}
}

// running waits for exactly so many pods to run, and notes how long launching took on the way.
func (s *stage) running(ctx context.Context, pods int) (fleet, error) {
	since := time.Now()
	before, err := s.look(ctx)
	if err != nil {
		return fleet{}, err
	}
	known := map[string]bool{}
	for _, m := range before.machines {
		known[m.claim] = m.launched
	}
	f, err := s.await(ctx, fmt.Sprintf("%d running pods", pods), func(f fleet) (bool, string) {
		for _, m := range f.machines {
			if m.launched && !known[m.claim] {
				known[m.claim] = true
				s.reaction = append(s.reaction, time.Since(since))
				s.say.Came(
					"%s launched: %s in %s, %s, after %.1f s",
					m.claim,
					m.instanceType,
					m.zone,
					m.kind,
					time.Since(since).Seconds(),
				)
			}
		}
		launched := f.count(func(m machine) bool { return m.launched })
		ready := f.count(func(m machine) bool { return m.ready })
		return f.running == pods &&
				f.pending == 0, fmt.Sprintf(
				"%d pods running, %d pending, %d machines launched, %d ready",
				f.running,
				f.pending,
				launched,
				ready,
			)
	})
	if err == nil {
		s.say.Came("%s running after %.1f s", number(pods, "pod"), time.Since(since).Seconds())
	}
	return f, err
}

// cleanUp removes a story's objects, the first manifest first, and waits until no machine and none of the objects is
// left.
func (s *stage) cleanUp(ctx context.Context, manifests ...string) error {
	s.say.Step("clean up")
	for _, manifest := range manifests {
		if err := s.remove(ctx, manifest); err != nil {
			return err
		}
	}
	if err := s.gone(ctx); err != nil {
		return err
	}
	for _, manifest := range manifests {
		if err := s.removed(ctx, manifest); err != nil {
			return err
		}
	}
	return nil
}

// gone waits until no machine is left.
func (s *stage) gone(ctx context.Context) error {
	since := time.Now()
	_, err := s.await(ctx, "the last machine to go", func(f fleet) (bool, string) {
		return len(
				f.machines,
			) == 0, fmt.Sprintf(
				"%s left at $%.4f an hour",
				number(len(f.machines), "machine"),
				f.perHour(),
			)
	})
	if err == nil {
		s.say.Came("no machine left after %.1f s: nothing to pay", time.Since(since).Seconds())
	}
	return err
}

// scale sets a Deployment's replicas, as kubectl scale does.
func (s *stage) scale(ctx context.Context, name types.NamespacedName, replicas int32) error {
	var deployment appsv1.Deployment
	if err := s.client.Get(ctx, name, &deployment); err != nil {
		return fmt.Errorf("reading deployment %s: %w", name, err)
	}
	patch := client.MergeFrom(deployment.DeepCopy())
	deployment.Spec.Replicas = &replicas
	if err := s.client.Patch(ctx, &deployment, patch); err != nil {
		return fmt.Errorf("scaling deployment %s to %d: %w", name, replicas, err)
	}
	return nil
}
