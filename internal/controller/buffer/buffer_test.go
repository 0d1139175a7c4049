package buffer

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
)

func cpu(text string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(text)}
}

func TestCount(t *testing.T) {
	t.Parallel()
	template := &corev1.PodTemplateSpec{}
	template.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: cpu("600m")}}}
	n := func(v int32) *int32 { return &v }
	cases := map[string]struct {
		why      string
		spec     autoscalingv1beta1.CapacityBufferSpec
		workload int32
		want     int32
		problem  string
	}{
		"Replicas": {
			"The number that is asked for.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(3)},
			0,
			3,
			"",
		},
		"Percentage": {"A share rounds up.", autoscalingv1beta1.CapacityBufferSpec{Percentage: n(25)}, 5, 2, ""},
		"FewerReplicas": {
			"The smaller of the two counts, as the API's text has it.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(1), Percentage: n(100)},
			5,
			1,
			"",
		},
		"SmallerShare": {
			"Whichever of them it is.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(4), Percentage: n(20)},
			10,
			2,
			"",
		},
		"Nothing": {"Who asks for nothing gets nothing.", autoscalingv1beta1.CapacityBufferSpec{}, 5, 0, ""},
		"NothingToScale": {
			"A share of nothing is nothing.",
			autoscalingv1beta1.CapacityBufferSpec{Percentage: n(100)},
			0,
			0,
			"",
		},
		"Capped": {
			"Limits cap what is asked for.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(9), Limits: cpu("2")},
			0,
			3,
			"",
		},
		"LimitsAlone": {
			"Limits alone say how many fit.",
			autoscalingv1beta1.CapacityBufferSpec{Limits: cpu("1799m")},
			0,
			2,
			"",
		},
		"NoRoom": {
			"Limits may hold no pod at all.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(2), Limits: cpu("100m")},
			0,
			0,
			"",
		},
		"OtherResource": {
			"A limit on what the pod does not request caps nothing.",
			autoscalingv1beta1.CapacityBufferSpec{
				Replicas: n(2),
				Limits:   corev1.ResourceList{"memory": resource.MustParse("1Gi")},
			},
			0,
			2,
			"",
		},
		"LimitsSayNought": {
			"Alone it says nothing.",
			autoscalingv1beta1.CapacityBufferSpec{Limits: corev1.ResourceList{"memory": resource.MustParse("1Gi")}},
			0,
			0,
			"set replicas",
		},
		"Boundless": {
			"A limit beyond every number caps nothing.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(2), Limits: cpu("9E")},
			0,
			2,
			"",
		},
		"TooMany": {
			"A buffer has a bound.",
			autoscalingv1beta1.CapacityBufferSpec{Replicas: n(2_000_000_000)},
			0,
			0,
			"may have 10000 at most",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := count(
				&autoscalingv1beta1.CapacityBuffer{Spec: tc.spec},
				resolved{template: template, replicas: tc.workload},
			)
			if tc.problem == "" && err != nil ||
				tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
				t.Errorf("%s\nerror %v, want %q", tc.why, err, tc.problem)
			}
			if got != tc.want {
				t.Errorf("%s\n%d pods, want %d", tc.why, got, tc.want)
			}
		})
	}
}

func TestProvisioning(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why  string
		o    outcome
		want string // status and reason, empty for no statement
	}{
		"Empty":     {"No pod, no room.", outcome{}, "False BufferEmpty"},
		"Unplanned": {"Nothing is said before a plan.", outcome{replicas: 2}, ""},
		"Stale": {
			"A plan for another number of pods says nothing.",
			outcome{replicas: 2, room: &provision.Headroom{Ready: 1}},
			"",
		},
		"Ready": {
			"All is there.",
			outcome{replicas: 2, room: &provision.Headroom{Ready: 2}},
			"True FitsExistingCapacity",
		},
		"Coming": {
			"A node on its way is no room yet.",
			outcome{replicas: 2, room: &provision.Headroom{Ready: 1, New: 1}},
			"False RequiresNewCapacity",
		},
		"Short": {
			"No room, and why.",
			outcome{replicas: 2, room: &provision.Headroom{New: 1, Short: 1, Why: "the limit is reached"}},
			"False RequiresNewCapacity",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ok := provisioning(tc.o)
			got := ""
			if ok {
				got = string(c.Status) + " " + c.Reason
			}
			if got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.why, got, tc.want)
			}
		})
	}
}

// What an unresolved buffer said before is taken back.
func TestTroubleClearsTheStatus(t *testing.T) {
	t.Parallel()
	b := &autoscalingv1beta1.CapacityBuffer{}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	describe(b, outcome{resolved: resolved{podName: "small", generation: 4}, replicas: 2}, now)
	if b.Status.Replicas == nil || *b.Status.Replicas != 2 || *b.Status.PodTemplateGeneration != 4 {
		t.Fatalf("status %+v", b.Status)
	}
	describe(b, outcome{trouble: &unresolved{autoscalingv1beta1.ReasonPodTemplateNotFound, "gone"}}, now)
	if b.Status.Replicas != nil || b.Status.PodTemplateRef != nil || b.Status.PodTemplateGeneration != nil {
		t.Errorf("status %+v of a buffer that nobody can provision for", b.Status)
	}
}

// A request beyond every number fits into no limit, and stops nobody.
func TestCountOfPodsThatNoNodeHolds(t *testing.T) {
	t.Parallel()
	template := &corev1.PodTemplateSpec{}
	template.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: cpu("9E")}}}
	replicas := int32(2)
	spec := autoscalingv1beta1.CapacityBufferSpec{Replicas: &replicas, Limits: cpu("100")}
	got, err := count(&autoscalingv1beta1.CapacityBuffer{Spec: spec}, resolved{template: template})
	if got != 0 || err != nil {
		t.Errorf("%d pods, error %v; want none of either", got, err)
	}
}
