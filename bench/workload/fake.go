package workload

import (
	"fmt"
	"strconv"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

const (
	gibibyte = int64(1) << 30
	mebibyte = int64(1) << 20
)

// fakeTypes is the synthetic market of the peer's benchmark: the i-th of n types has i+1 CPUs, twice as many GiB
// and ten times as many pods, at 0.1 dollars for each CPU and each 10⁹ bytes; spot in two zones and on
// demand in three, all at the same price. 100m and 10Mi are kept for the system.
func fakeTypes(n int) []*shape.InstanceType {
	types := make([]*shape.InstanceType, 0, n)
	for i := range int64(n) {
		cpus, memory := i+1, 2*(i+1)*gibibyte
		price := shape.Dollars(0.1*float64(cpus) + 0.1*float64(memory)/1e9)
		t := &shape.InstanceType{
			Name:        fmt.Sprintf("fake-it-%d", i),
			Capacity:    shape.Vector{CPU: 1000 * cpus, Memory: memory, Pods: 10 * cpus},
			Allocatable: shape.Vector{CPU: 1000*cpus - 100, Memory: memory - 10*mebibyte, Pods: 10 * cpus},
			Requirements: []shape.Requirement{
				{Key: "integer", Values: []string{strconv.FormatInt(cpus, 10)}},
				{Key: shape.LabelCapacityType, Values: []string{shape.OnDemand, shape.Spot}},
				{Key: shape.LabelArch, Values: []string{"amd64"}},
				{Key: shape.LabelOS, Values: []string{"darwin", "linux", "windows"}},
				{Key: shape.LabelInstanceType, Values: []string{fmt.Sprintf("fake-it-%d", i)}},
				{Key: shape.LabelZone, Values: []string{"test-zone-1", "test-zone-2", "test-zone-3"}},
			},
		}
		sortRequirements(t.Requirements)
		for _, o := range []struct{ zone, kind string }{
			{"test-zone-1", shape.Spot}, {"test-zone-2", shape.Spot},
			{"test-zone-1", shape.OnDemand}, {"test-zone-2", shape.OnDemand}, {"test-zone-3", shape.OnDemand},
		} {
			t.Offerings = append(
				t.Offerings,
				shape.Offering{Zone: o.zone, CapacityType: o.kind, Price: price, Available: true},
			)
		}
		types = append(types, t)
	}
	return types
}
