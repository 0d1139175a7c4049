package podevents

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func TestWhatAHoldSays(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		value string
		age   time.Duration
		want  string // of the event, empty for none
		again time.Duration
	}{
		"Forever": {"It says itself what it does.", "true", time.Hour, "", 0},
		"Off":     {"It does nothing.", "false", time.Hour, "", 0},
		"Invalid": {
			"A value that means nothing is told.",
			"sometimes",
			time.Minute,
			"Warning InvalidDoNotDisruptAnnotation It has no effect: " +
				`annotation karpenter.sh/do-not-disrupt is "sometimes"`,
			0,
		},
		"Holds": {
			"The end is told in advance.",
			"30m",
			20 * time.Minute,
			"Normal DoNotDisruptUntil The pod's node is kept until 2026-01-01T12:10:00Z.",
			10 * time.Minute,
		},
		"Ended": {
			"The end is told.",
			"30m",
			30 * time.Minute,
			"Normal DoNotDisruptGracePeriodElapsed The pod has run for 30m0s and no longer keeps its node.",
			0,
		},
		"Old": {"A daemon that starts later does not repeat it.", "30m", 3 * time.Hour, "", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := metav1.NewTime(noon.Add(-tc.age))
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace:   "default",
					Name:        "web",
					Annotations: map[string]string{karpenterv1.DoNotDisruptAnnotationKey: tc.value},
				},
			}
			pod.Spec.NodeName, pod.Status.StartTime = "n", &started
			sink := record.NewFakeRecorder(10)
			clock := testclock.NewFakeClock(noon)
			p := &Protector{
				Client: fake.NewClientBuilder().WithObjects(pod).Build(),
				Clock:  clock,
				Events: observe.NewRecorder(sink, clock),
			}
			got, err := p.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)})
			if err != nil {
				t.Fatal(err)
			}
			close(sink.Events)
			said := strings.Join(collectEvents(sink.Events), "\n")
			if !strings.HasPrefix(said, tc.want) || tc.want == "" && said != "" || got.RequeueAfter != tc.again {
				t.Errorf(
					"%s\nsaid %q, again after %s; want %q, %s",
					tc.why,
					said,
					got.RequeueAfter,
					tc.want,
					tc.again,
				)
			}
		})
	}
}

func collectEvents(from chan string) (out []string) {
	for e := range from {
		out = append(out, e)
	}
	return out
}
