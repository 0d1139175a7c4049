package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// publishes is a slice of two that a driver publishes for a node.
func publishes(driver, node string, generation int64) *resourcev1.ResourceSlice {
	s := &resourcev1.ResourceSlice{}
	s.Spec.Driver, s.Spec.NodeName = driver, &node
	s.Spec.Pool = resourcev1.ResourcePool{Name: node, Generation: generation, ResourceSliceCount: 2}
	return s
}

func joinedAMinuteAgo() *karpenterv1.NodeClaim {
	return aged(2*time.Hour,
		holds(karpenterv1.ConditionLaunched, time.Minute), holds(karpenterv1.ConditionRegistered, time.Minute))
}

func registeredNode() corev1.Node {
	return readyNode("a", func(n *corev1.Node) {
		n.Labels = map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"}
	})
}

func TestANodeWaitsForTheDriversThatWerePlanned(t *testing.T) {
	t.Parallel()
	const gpu, nic = "gpu.example.com", "nic.example.com"
	complete := []*resourcev1.ResourceSlice{publishes(nic, "a", 1), publishes(nic, "a", 1)}
	cases := map[string]struct {
		why    string
		slices []*resourcev1.ResourceSlice
		want   string // the message
	}{
		"Nothing": {"Neither driver has published: the first is named.", nil, gpu},
		"Half": {
			"One of two slices is there.", append(complete, publishes(gpu, "a", 1)), gpu,
		},
		"Older": {
			"The second slice is of an older generation.",
			append(complete, publishes(gpu, "a", 1), publishes(gpu, "a", 2)),
			gpu,
		},
		"Elsewhere": {
			"Another node's are no help.", append(complete, publishes(gpu, "b", 1), publishes(gpu, "b", 1)), gpu,
		},
		"Other": {
			"The other driver is missing.",
			[]*resourcev1.ResourceSlice{publishes(gpu, "a", 1), publishes(gpu, "a", 1)}, nic,
		},
		"Both": {"All is there.", append(complete, publishes(gpu, "a", 1), publishes(gpu, "a", 1)), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim := joinedAMinuteAgo()
			claim.Annotations = map[string]string{karpenterv1.DRADriversAnnotationKey: gpu + "," + nic}
			s := sight{
				claim:   claim,
				nodes:   []corev1.Node{registeredNode()},
				now:     noon,
				limits:  Limits{Initialization: time.Hour},
				devices: devices.New(devices.Objects{Slices: tc.slices}, nil),
			}
			got := next(s)
			if tc.want == "" {
				if got.kind != initialize {
					t.Errorf("%s It still waits: %+v", tc.why, got.open)
				}
				return
			}
			want := `DRA driver "` + tc.want + `" has not published a complete resource pool`
			if got.open.Reason != "DRADriverPoolsNotPublished" || got.open.Message != want {
				t.Errorf("%s Says %s %q, want %q", tc.why, got.open.Reason, got.open.Message, want)
			}
			s.now = noon.Add(2 * time.Hour)
			if got := next(s); got.kind != giveUp {
				t.Errorf("it waits for ever: %+v", got)
			}
		})
	}
}

// No node ever has an extended resource that a driver of dynamic resources serves.
func TestANodeDoesNotWaitForWhatDriversServe(t *testing.T) {
	t.Parallel()
	claim := joinedAMinuteAgo()
	claim.Spec.Resources.Requests = corev1.ResourceList{"example.com/gpu": resource.MustParse("1")}
	s := sight{
		claim: claim, nodes: []corev1.Node{registeredNode()}, now: noon, devices: devices.New(devices.Objects{}, nil),
	}
	if got := next(s); got.open.Reason != "ResourceNotRegistered" {
		t.Errorf("without a DeviceClass it is a device plugin's: %+v", got)
	}
	name, class := "example.com/gpu", &resourcev1.DeviceClass{}
	class.Name, class.Spec.ExtendedResourceName = "gpu", &name
	s.devices = devices.New(devices.Objects{Classes: []*resourcev1.DeviceClass{class}}, nil)
	if got := next(s); got.kind != initialize {
		t.Errorf("it waits for what no node ever has: %+v", got.open)
	}
}
