package aws

import (
	"testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t *testing.T) (provider.Cloud, providertest.Harness) {
		b := newBench(t, nodeClass("broken", func(c *awsv1.EC2NodeClass) {
			c.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{{Tags: map[string]string{"there": "is-none"}}}
		}))
		return b.Cloud, providertest.Harness{
			Ready:    ref("default"),
			NotReady: ref("broken"),
			SellOut:  b.sellOut,
			Pass:     b.clock.Step,
		}
	})
}

// sellOut takes offers off the market.
func (b *bench) sellOut(t *testing.T, of []provider.Candidate) []provider.Candidate {
	t.Helper()
	none := 0
	for _, c := range of {
		if err := b.sim.SetCapacity(awssim.Capacity{
			Type: c.Type.Name, Zone: c.Offering.Zone, Capacity: c.Offering.CapacityType, Available: &none,
		}); err != nil {
			t.Fatal(err)
		}
	}
	return of
}
