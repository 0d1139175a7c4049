package daemon

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Whoever looks at a NodePool reads there that one of its zones is out, and that it is back; other pools say nothing.
func TestPoolsHearOfZonalShifts(t *testing.T) {
	t.Parallel()
	class := &awsv1.EC2NodeClass{}
	class.Name = "wide"
	class.Status.Subnets = []awsv1.Subnet{
		{Zone: "us-east-1a", ZoneID: "use1-az1"},
		{Zone: "us-east-1b", ZoneID: "use1-az2"},
	}
	pool := func(name, class string, reqs ...karpenterv1.Requirement) *karpenterv1.NodePool {
		p := &karpenterv1.NodePool{}
		p.Name = name
		p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
			Group: awsv1.Group,
			Kind:  "EC2NodeClass",
			Name:  class,
		}
		p.Spec.Template.Spec.Requirements = reqs
		return p
	}
	zone := func(key string, op corev1.NodeSelectorOperator, values ...string) karpenterv1.Requirement {
		return karpenterv1.Requirement{Key: key, Operator: op, Values: values}
	}
	objects := []client.Object{
		class, pool("anywhere", "wide"), pool("elsewhere", "gone"),
		pool("named", "wide", zone(corev1.LabelTopologyZone, corev1.NodeSelectorOpIn, "us-east-1a")),
		pool("other", "wide", zone(corev1.LabelTopologyZone, corev1.NodeSelectorOpIn, "us-east-1b")),
		pool("not", "wide", zone(awsv1.LabelTopologyZoneID, corev1.NodeSelectorOpNotIn, "use1-az1")),
	}
	sink, clock := record.NewFakeRecorder(20), clocktesting.NewFakeClock(time.Unix(0, 0))
	var classes []string
	tell := shifted(CloudDeps{
		Client: fake.NewClientBuilder().WithScheme(Scheme()).WithObjects(objects...).Build(),
		Clock:  clock, Events: observe.NewRecorder(sink, clock),
		Tell: func(_ context.Context, reason *observe.Reason, _ string) { classes = append(classes, reason.Name) },
	})
	for _, step := range []struct {
		away bool
		want string
	}{
		{true, "Warning ZonalShiftActive Zonal shift detected: offerings in zone us-east-1a (use1-az1) are unavailable for this NodePool"},
		{false, "Normal ZonalShiftCleared Zonal shift cleared: offerings in zone us-east-1a (use1-az1) are restored for this NodePool"},
	} {
		tell(t.Context(), "use1-az1", step.away)
		if len(sink.Events) != 2 {
			t.Fatalf("%d pools heard of it, want anywhere and named", len(sink.Events))
		}
		for range 2 {
			if got := <-sink.Events; !strings.HasPrefix(got, step.want) {
				t.Errorf("said %q, want %q", got, step.want)
			}
		}
	}
	if want := []string{"ZoneLeftOut", "ZoneBack"}; !slices.Equal(classes, want) {
		t.Errorf("node classes heard %v, want %v", classes, want)
	}
}
