package aws

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

func TestAnInterruptionIsToldOnceAndItsOfferingLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, Settings{ClusterName: clusterName, InterruptionQueue: clusterName})
	spot := claim("general-1", "default", oneOf(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeSpot),
		oneOf(corev1.LabelArchStable, "amd64"), oneOf(awsv1.LabelInstanceCategory, "c", "m", "r"))
	m, err := b.Launch(t.Context(), b.orderFor(t, spot))
	if err != nil {
		t.Fatal(err)
	}
	id, err := instanceOf(m.ProviderID)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.sim.Interrupt(awssim.Target{Instance: id}); err != nil {
		t.Fatal(err)
	}
	for told := false; !told; { // the messages of its beginning come first
		notices, err := b.Notices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range notices {
			told = told || n.Kind == provider.SpotInterrupted && len(n.Machines) == 1 && n.Machines[0] == id
			if err := b.Done(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !b.sells(t, m) {
		t.Fatal("the offering is off the market before anything was said of it")
	}
	b.Scarce(
		map[string]string{
			shape.LabelCapacityType: m.CapacityType,
			shape.LabelInstanceType: m.InstanceType,
			shape.LabelZone:         m.Zone,
		},
	)
	if b.sells(t, m) {
		t.Error("the offering that was just taken away is still for sale")
	}
}

// sells reports whether a machine's offering can be bought again.
func (b *bench) sells(t *testing.T, m provider.Machine) bool {
	t.Helper()
	all, err := b.InstanceTypes(t.Context(), ref("default"))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range all {
		for _, o := range it.Offerings {
			if it.Name == m.InstanceType && o.Zone == m.Zone && o.CapacityType == shape.Spot {
				return o.Available
			}
		}
	}
	t.Fatalf("%s in %s is not listed", m.InstanceType, m.Zone)
	return false
}
