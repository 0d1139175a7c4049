package demo

import (
	"context"
	"fmt"
)

// profiles plays the second half of "Save costs on AWS EKS with OpenFaaS and Karpenter": OpenFaaS Profiles lead
// functions to a pool on demand by affinity, or to a tainted spot pool by toleration.
func (s *stage) profiles(ctx context.Context) error {
	s.say.Step("kubectl apply -f default-nodepool.yaml -f spot-nodepool.yaml")
	for _, manifest := range []string{"openfaas-nodeclass.yaml", "openfaas-nodepool.yaml", "openfaas-spotpool.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	s.say.Step("deploy nodeinfo twice: with the profile functions, and with the profile spot-functions")
	if err := s.apply(ctx, "openfaas-profiles.yaml"); err != nil {
		return err
	}
	two, err := s.running(ctx, 2)
	if err != nil {
		return err
	}
	s.show(two)
	if two.count(onDemand) != 1 || two.count(spot) != 1 {
		return fmt.Errorf(
			"want one machine on demand and one spot, have %d and %d",
			two.count(onDemand),
			two.count(spot),
		)
	}
	return s.cleanUp(
		ctx,
		"openfaas-profiles.yaml",
		"openfaas-spotpool.yaml",
		"openfaas-nodepool.yaml",
		"openfaas-nodeclass.yaml",
	)
}
