package demo

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/awssim/control"
)

// fallback plays "Karpenter Spot/On-Demand Mix": one pool for both, spot while there is any, on demand when there is
// none.
func (s *stage) fallback(ctx context.Context) error {
	s.say.Step("kubectl apply a NodePool for spot and on-demand, and 10 replicas")
	for _, manifest := range []string{"nodeclass.yaml", "mixed-nodepool.yaml", "mixed-workload.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	cheap, err := s.running(ctx, 10)
	if err != nil {
		return err
	}
	s.show(cheap)
	if n := cheap.count(onDemand); n > 0 {
		return fmt.Errorf("spot is cheaper and there is enough of it, but %d machines are on demand", n)
	}

	s.say.Step("AWS runs out of spot capacity of every type in every zone; 10 → 30 replicas")
	none := 0
	if err := s.account.SetCapacity(
		ctx,
		control.Capacity{Type: "*", Zone: "*", Capacity: "spot", Available: &none},
	); err != nil {
		return err
	}
	if err := s.scale(ctx, types.NamespacedName{Namespace: "default", Name: "inflate"}, 30); err != nil {
		return err
	}
	thirty, err := s.running(ctx, 30)
	if err != nil {
		return err
	}
	s.show(thirty)
	if thirty.count(onDemand) == 0 {
		return fmt.Errorf("20 more pods run without a machine on demand, although there is no spot capacity")
	}
	if err := s.account.SetCapacity(ctx, control.Capacity{Type: "*", Zone: "*", Capacity: "spot"}); err != nil {
		return err
	}
	return s.cleanUp(ctx, "mixed-workload.yaml", "mixed-nodepool.yaml", "nodeclass.yaml")
}
