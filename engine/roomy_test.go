package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func TestNodesWithoutPodsHaveRoomForTheirDaemons(t *testing.T) {
	t.Parallel()
	machine := func(name string, memory int64) *shape.InstanceType {
		room := shape.Vector{CPU: 2000, Memory: memory << 30, Pods: 10}
		return &shape.InstanceType{Name: name, Capacity: room, Allocatable: room, Offerings: []shape.Offering{
			{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Money(memory), Available: true},
		}}
	}
	types := []*shape.InstanceType{machine("small", 1), machine("middle", 4), machine("large", 8)}
	var all []engine.Option
	for _, it := range types {
		o := it.Offerings[0]
		all = append(
			all,
			engine.Option{Type: it.Name, Zone: o.Zone, CapacityType: o.CapacityType, Price: o.Price},
		)
	}
	cases := map[string]struct {
		why    string
		memory int64 // of the daemon, in GiB
		taints []shape.Taint
		want   []engine.Option
	}{
		"Little":   {"It has room everywhere.", 1, nil, all},
		"Much":     {"The smallest is too small.", 2, nil, all[1:]},
		"TooMuch":  {"Room on none: a node is better than none.", 16, nil, all},
		"Repelled": {"It does not run there.", 2, []shape.Taint{{Key: "own", Effect: shape.NoSchedule}}, all},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shape.Snapshot{
				Classes:    []*shape.Class{{Requests: shape.Vector{Memory: tc.memory << 30, Pods: 1}}},
				DaemonSets: []shape.DaemonSet{{Name: "kube-system/agent", Class: 0}},
			}
			got := engine.Roomy(s, &shape.Pool{Name: "fixed", Taints: tc.taints}, types, all)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
