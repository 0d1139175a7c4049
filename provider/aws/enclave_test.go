package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
)

// enclavedClaim asks for a slot for an enclave on one of the types.
func enclavedClaim(types ...string) *karpenterv1.NodeClaim {
	c := claim("general-1", "default", append(slices.Clone(onDemandAMD64), oneOf(shape.LabelInstanceType, types...))...)
	c.Spec.Resources.Requests = corev1.ResourceList{awsv1.ResourceNIPSlots: resource.MustParse("1")}
	return c
}

// What AWS documents: virtual Nitro machines of four processors or more, but the burstable ones.
func TestEnclavesAreLaunchedOnTypesThatHaveThem(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		types []string
		want  string // empty for none
	}{
		{[]string{"m5.xlarge"}, "m5.xlarge"},
		{[]string{"m5.large", "m5.2xlarge"}, "m5.2xlarge"}, // the smaller would be cheaper
		{[]string{"t3.xlarge", "m5.metal", "m4.xlarge"}, ""},
	} {
		t.Run(strings.Join(tc.types, ","), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			plain := enclavedClaim(tc.types...)
			plain.Spec.Resources.Requests = nil
			order := b.orderFor(t, plain)            // no type offers the resource by itself
			order.Claim = enclavedClaim(tc.types...) // and an overlay said that they all do
			m, err := b.Launch(t.Context(), order)
			var refused *provider.LaunchError
			if tc.want == "" {
				if !errors.As(err, &refused) || !strings.Contains(refused.Message, "narrow the requirements of the NodeOverlay") || len(tr.asked["CreateFleet"]) > 0 {
					t.Errorf("launched %s, %v, in %d calls; want none and why", m.InstanceType, err, len(tr.asked["CreateFleet"]))
				}
				return
			}
			if err != nil || m.InstanceType != tc.want {
				t.Fatalf("launched %q, %v; want %s", m.InstanceType, err, tc.want)
			}
			for _, form := range tr.asked["CreateLaunchTemplate"] {
				if form.Get("LaunchTemplateData.EnclaveOptions.Enabled") != "true" {
					t.Error("the launch template does not let the node start enclaves")
				}
			}
		})
	}
}

func TestNodesStartNoEnclavesUnasked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default"))); err != nil {
		t.Fatal(err)
	}
	for _, form := range tr.asked["CreateLaunchTemplate"] {
		if form.Has("LaunchTemplateData.EnclaveOptions.Enabled") {
			t.Error("the launch template speaks of enclaves, and nobody asked for any")
		}
	}
}

// How many enclaves a node takes is up to its image, so no type promises any.
func TestNoTypeOffersEnclavesByItself(t *testing.T) {
	t.Parallel()
	sold, err := region().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range sold.Types {
		if n := instancetype.New(info, instancetype.Setup{Family: awsv1.AMIFamilyAL2023}).Capacity.Get(string(awsv1.ResourceNIPSlots)); n != 0 {
			t.Errorf("%s offers %d", info.InstanceType, n)
		}
	}
}
