package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// openfaas plays "Save costs on AWS EKS with OpenFaaS and Karpenter": a function grows, shrinks and goes.
func (s *stage) openfaas(ctx context.Context) error {
	function := types.NamespacedName{Namespace: "openfaas-fn", Name: "sleep"}

	s.say.Step("kubectl apply -f default-nodeclass.yaml -f default-nodepool.yaml")
	for _, manifest := range []string{"openfaas-nodeclass.yaml", "openfaas-nodepool.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}

	s.say.Step("deploy the function sleep with --cpu-request=1: one replica")
	if err := s.apply(ctx, "openfaas-function.yaml"); err != nil {
		return err
	}
	one, err := s.running(ctx, 1)
	if err != nil {
		return err
	}
	s.show(one)

	s.say.Step("load comes: 1 → 5 replicas")
	if err := s.scale(ctx, function, 5); err != nil {
		return err
	}
	five, err := s.running(ctx, 5)
	if err != nil {
		return err
	}
	s.show(five)
	if five.perHour() <= one.perHour() {
		return fmt.Errorf(
			"five replicas should need a bigger or a second node, but the fleet costs $%.4f an hour as before",
			five.perHour(),
		)
	}

	s.say.Step("load goes: 5 → 1 replica")
	if err := s.scale(ctx, function, 1); err != nil {
		return err
	}
	back, err := s.running(ctx, 1)
	if err != nil {
		return err
	}
	s.show(back)

	s.say.Step("idle: 1 → 0 replicas; consolidateAfter is 1m, then the last node goes")
	if err := s.scale(ctx, function, 0); err != nil {
		return err
	}
	if err := s.gone(ctx); err != nil {
		return err
	}
	return s.cleanUp(ctx, "openfaas-function.yaml", "openfaas-nodepool.yaml", "openfaas-nodeclass.yaml")
}

// spot plays steps 3 to 5 and 8 of "Run Kubernetes Clusters for Less with Amazon EC2 Spot and Karpenter".
func (s *stage) spot(ctx context.Context) error {
	s.say.Step("kubectl apply the tutorial's NodePool and EC2NodeClass (spot and on-demand, amd64 and arm64)")
	if err := s.apply(ctx, "spot-pool.yaml"); err != nil {
		return err
	}

	s.say.Step("kubectl apply -f workload.yaml: 10 replicas with nodeSelector capacity-type: spot")
	if err := s.apply(ctx, "spot-workload.yaml"); err != nil {
		return err
	}
	ten, err := s.running(ctx, 10)
	if err != nil {
		return err
	}
	s.show(ten)
	if other := ten.count(func(m machine) bool { return m.kind != "spot" }); other > 0 {
		return fmt.Errorf("all machines should be spot, but %d are not", other)
	}

	s.say.Step("kubectl delete deployment stateless; the empty node goes")
	if err := s.remove(ctx, "spot-workload.yaml"); err != nil {
		return err
	}
	if err := s.gone(ctx); err != nil {
		return err
	}

	s.say.Step("again, spread over zones: maxSkew 1, minDomains 2")
	if err := s.apply(ctx, "spot-workload-spread.yaml"); err != nil {
		return err
	}
	spread, err := s.running(ctx, 10)
	if err != nil {
		return err
	}
	s.show(spread)
	if err := even(spread.zones); err != nil {
		return err
	}
	s.say.Came("pods by zone: %s", byZone(spread.zones))
	if err := costs(ctx, s); err != nil {
		return err
	}

	return s.cleanUp(ctx, "spot-workload-spread.yaml", "spot-pool.yaml")
}

// byZone lists how many pods each zone has.
func byZone(zones map[string]int) string {
	var list []string
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		list = append(list, fmt.Sprintf("%s %d", zone, zones[zone]))
	}
	return strings.Join(list, ", ")
}

// even checks the tutorial's constraint: at least two zones, counts that differ by one at most.
func even(zones map[string]int) error {
	least, most := 1<<30, 0
	for _, pods := range zones {
		least, most = min(least, pods), max(most, pods)
	}
	if len(zones) < 2 || most-least > 1 {
		return fmt.Errorf("pods should be spread evenly over two zones or more, but are %v", zones)
	}
	return nil
}
