package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/control"
)

// notice is how long AWS gives between the interruption's notice and the end of the machine.
const notice = 2 * time.Minute

// interruption plays steps 4 to 7 of "Run Kubernetes Clusters for Less with Amazon EC2 Spot and Karpenter".
func (s *stage) interruption(ctx context.Context) error {
	s.say.Step("kubectl apply the tutorial's pool, class and workload: 10 replicas on spot, spread over zones")
	for _, manifest := range []string{"spot-pool.yaml", "spot-workload-spread.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	ten, err := s.running(ctx, 10)
	if err != nil {
		return err
	}
	s.show(ten)

	if err := s.interruptOne(ctx, ten); err != nil {
		return err
	}

	s.say.Step("kubectl apply -f workload-stateful.yaml: 7 replicas with nodeSelector capacity-type: on-demand")
	if err := s.apply(ctx, "spot-workload-stateful.yaml"); err != nil {
		return err
	}
	all, err := s.running(ctx, 17)
	if err != nil {
		return err
	}
	s.show(all)
	if n := all.count(onDemand); n != 1 {
		return fmt.Errorf("the stateful pods should be on one machine on demand, but there are %d", n)
	}
	return s.cleanUp(ctx, "spot-workload-stateful.yaml", "spot-workload-spread.yaml", "spot-pool.yaml")
}

// interruptOne gives one spot machine with pods its notice. The rest of the story is Dovetail's: a new machine is
// ordered at once, and the pods are gone from the old one before it ends.
func (s *stage) interruptOne(ctx context.Context, before fleet) error {
	victim := before.machines[0]
	s.say.Step("dovetail sim interrupt %s: AWS wants the machine back in two minutes", victim.node)
	known := map[string]bool{}
	for _, m := range before.machines {
		known[m.claim] = true
	}
	if err := s.account.Interrupt(ctx, control.Target{Node: victim.node}); err != nil {
		return err
	}
	since := time.Now()
	var ordered, drained time.Duration
	_, err := s.await(ctx, "the interrupted machine to be replaced", func(f fleet) (bool, string) {
		there := false
		for _, m := range f.machines {
			if !known[m.claim] && ordered == 0 {
				ordered = time.Since(since)
				s.say.Came("a new machine is ordered after %.1f s", ordered.Seconds())
			}
			there = there || m.claim == victim.claim && m.pods > 0
		}
		if !there && drained == 0 {
			drained = time.Since(since)
			s.say.Came("the last pod has left %s after %.1f s", victim.node, drained.Seconds())
		}
		gone := f.count(func(m machine) bool { return m.claim == victim.claim }) == 0
		return gone && f.running == 10 && f.pending == 0, fmt.Sprintf("%d pods run, %d wait", f.running, f.pending)
	})
	if err != nil {
		return err
	}
	s.say.Came("10 pods run again after %.1f s, and the machine was given back", time.Since(since).Seconds())
	if drained >= notice {
		return fmt.Errorf("the last pod left after %s, later than the machine's end", drained)
	}
	return nil
}

func onDemand(m machine) bool { return m.kind == "on-demand" }
func spot(m machine) bool     { return m.kind == "spot" }
