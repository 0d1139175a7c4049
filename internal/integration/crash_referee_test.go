package integration

import (
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// referee looks at a story all the time and reports what must never be.
type referee struct {
	scene *scene

	mu      sync.Mutex // guards the fields below
	least   map[string]int
	ignored map[string]bool
	told    map[string]bool // each problem once
}

func newReferee(s *scene) *referee {
	return &referee{scene: s, least: map[string]int{}, ignored: map[string]bool{}, told: map[string]bool{}}
}

// guard says how many pods of an app must run from now on.
func (r *referee) guard(app string, least int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.least[app] = least
}

// except leaves a claim out of budgets: its machine is being taken away.
func (r *referee) except(claim string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ignored[claim] = true
}

// start looks until stop is called.
func (r *referee) start(t *testing.T) (stop func()) {
	t.Helper()
	var looking sync.WaitGroup
	end := make(chan struct{})
	looking.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-t.Context().Done():
				return
			case <-tick.C:
				r.look(t)
			}
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { close(end) }); looking.Wait() }
	t.Cleanup(stop)
	return stop
}

func (r *referee) look(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, wrong := range []string{r.twice(), r.unguarded(t), r.beyondBudget(t)} {
		if wrong != "" && !r.told[wrong] {
			r.told[wrong] = true
			t.Error(wrong)
		}
	}
}

// twice finds two machines that were launched for one claim.
func (r *referee) twice() (wrong string) {
	_ = r.scene.sim.World().Do(func(s *world.State) error { // it fails only if this does
		machines := map[string]string{}
		for _, m := range s.Instances {
			for _, tag := range m.Tags {
				if tag.Key != "karpenter.sh/nodeclaim" {
					continue
				}
				if other := machines[tag.Value]; other != "" {
					wrong = fmt.Sprintf("machines %s and %s were both launched for claim %s", other, m.ID, tag.Value)
				}
				machines[tag.Value] = m.ID
			}
		}
		return nil
	})
	return wrong
}

// unguarded finds an app of which more pods are away than its PodDisruptionBudget allows.
func (r *referee) unguarded(t *testing.T) string {
	for app, least := range r.least {
		running := 0
		for _, p := range r.scene.podsOf(t, app) {
			if p.Status.Phase == corev1.PodRunning {
				running++
			}
		}
		if running < least {
			return fmt.Sprintf("only %d pods of %s run, its PodDisruptionBudget wants %d", running, app, least)
		}
	}
	return ""
}

// beyondBudget finds more nodes that go than their pool's budget allows.
func (r *referee) beyondBudget(t *testing.T) string {
	var pool karpenterv1.NodePool
	if r.scene.seen.Get(t.Context(), client.ObjectKey{Name: r.scene.name}, &pool) != nil || len(pool.Spec.Disruption.Budgets) == 0 {
		return ""
	}
	nodes := r.scene.nodesHere(t)
	allowed, err := pool.AllowedDisruptions(time.Now(), len(nodes), karpenterv1.DisruptionReasonDrifted)
	if err != nil {
		return err.Error()
	}
	ignored := 0
	for name := range r.ignored {
		if r.scene.claim(t, name) != nil {
			ignored++
		}
	}
	if going := r.scene.leaving(t); going > allowed+ignored {
		return fmt.Sprintf("%d nodes are going, the budget allows %d", going, allowed)
	}
	return ""
}
