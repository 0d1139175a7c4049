package census

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// sold is an instance type of 4 cores with offerings.
func sold(name string, memory int64, offerings ...shape.Offering) *shape.InstanceType {
	return &shape.InstanceType{Name: name, Capacity: shape.Vector{CPU: 4000, Memory: memory}, Offerings: offerings}
}

func spot(zone string, price shape.Money, available bool) shape.Offering {
	return shape.Offering{Zone: zone, CapacityType: shape.Spot, Price: price, Available: available}
}

func TestTheMarketIsWhatPoolsCanBuy(t *testing.T) {
	t.Parallel()
	offers := map[string]*translate.Offer{}
	c := counted(t) // has the pool "general"
	c.Offered = func(pool string) *translate.Offer { return offers[pool] }
	names := []string{"cpu_cores", "memory_bytes", "offering_available", "offering_price_estimate"}
	for i := range names {
		names[i] = "karpenter_cloudprovider_instance_type_" + names[i]
	}
	steps := []struct {
		why  string
		is   *translate.Offer
		want string
	}{
		{"nobody has asked the cloud yet", nil, ""},
		{
			"of two reservations in one zone one is free, and that counts", translate.NewOffer([]*shape.InstanceType{
				sold(
					"m5.xlarge",
					1<<34,
					spot("a", 100_000, true),
					spot("b", 90_000, false),
					shape.Offering{Zone: "a", CapacityType: shape.Reserved, Reservation: "cr-1", Price: 2},
					shape.Offering{
						Zone:         "a",
						CapacityType: shape.Reserved,
						Reservation:  "cr-2",
						Price:        1,
						Available:    true,
					},
				),
			}, ""), `
# HELP karpenter_cloudprovider_instance_type_cpu_cores Cores of an instance type.
# TYPE karpenter_cloudprovider_instance_type_cpu_cores gauge
karpenter_cloudprovider_instance_type_cpu_cores{instance_type="m5.xlarge"} 4
# HELP karpenter_cloudprovider_instance_type_memory_bytes Memory of an instance type, as nodes are planned with.
# TYPE karpenter_cloudprovider_instance_type_memory_bytes gauge
karpenter_cloudprovider_instance_type_memory_bytes{instance_type="m5.xlarge"} 1.7179869184e+10
# HELP karpenter_cloudprovider_instance_type_offering_available 1 for what can be bought just now, 0 for what is short.
# TYPE karpenter_cloudprovider_instance_type_offering_available gauge
karpenter_cloudprovider_instance_type_offering_available{capacity_type="reserved",instance_type="m5.xlarge",zone="a"} 1
karpenter_cloudprovider_instance_type_offering_available{capacity_type="spot",instance_type="m5.xlarge",zone="a"} 1
karpenter_cloudprovider_instance_type_offering_available{capacity_type="spot",instance_type="m5.xlarge",zone="b"} 0
# HELP karpenter_cloudprovider_instance_type_offering_price_estimate Price in dollars an hour that plans count with.
# TYPE karpenter_cloudprovider_instance_type_offering_price_estimate gauge
karpenter_cloudprovider_instance_type_offering_price_estimate{capacity_type="reserved",instance_type="m5.xlarge",zone="a"} 1e-06
karpenter_cloudprovider_instance_type_offering_price_estimate{capacity_type="spot",instance_type="m5.xlarge",zone="a"} 0.1
karpenter_cloudprovider_instance_type_offering_price_estimate{capacity_type="spot",instance_type="m5.xlarge",zone="b"} 0.09
`,
		},
		{
			"what is not sold any more has no series",
			translate.NewOffer([]*shape.InstanceType{sold("c5.xlarge", 1<<33, spot("a", 80_000, true))}, ""),
			`
# HELP karpenter_cloudprovider_instance_type_cpu_cores Cores of an instance type.
# TYPE karpenter_cloudprovider_instance_type_cpu_cores gauge
karpenter_cloudprovider_instance_type_cpu_cores{instance_type="c5.xlarge"} 4
# HELP karpenter_cloudprovider_instance_type_memory_bytes Memory of an instance type, as nodes are planned with.
# TYPE karpenter_cloudprovider_instance_type_memory_bytes gauge
karpenter_cloudprovider_instance_type_memory_bytes{instance_type="c5.xlarge"} 8.589934592e+09
# HELP karpenter_cloudprovider_instance_type_offering_available 1 for what can be bought just now, 0 for what is short.
# TYPE karpenter_cloudprovider_instance_type_offering_available gauge
karpenter_cloudprovider_instance_type_offering_available{capacity_type="spot",instance_type="c5.xlarge",zone="a"} 1
# HELP karpenter_cloudprovider_instance_type_offering_price_estimate Price in dollars an hour that plans count with.
# TYPE karpenter_cloudprovider_instance_type_offering_price_estimate gauge
karpenter_cloudprovider_instance_type_offering_price_estimate{capacity_type="spot",instance_type="c5.xlarge",zone="a"} 0.08
`,
		},
		{
			"a pool whose class is not ready can buy nothing",
			translate.NewOffer(nil, "EC2NodeClass default is not ready"),
			"",
		},
	}
	for _, step := range steps {
		offers["general"] = step.is
		offers["gone"] = translate.NewOffer(
			[]*shape.InstanceType{sold("t3.xlarge", 1<<34, spot("a", 1, true))},
			"",
		) // a pool that was deleted
		for range 2 { // a second reader sees the same
			if err := c.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := testutil.GatherAndCompare(
				c.Metrics.Gatherer(),
				strings.NewReader(step.want),
				names...); err != nil {
				t.Errorf("%s: %v", step.why, err)
			}
		}
	}
}
