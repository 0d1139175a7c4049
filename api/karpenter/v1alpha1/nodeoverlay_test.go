package v1alpha1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func overlay(name string, weight int32) NodeOverlay {
	o := NodeOverlay{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if weight > 0 {
		o.Spec.Weight = &weight
	}
	return o
}

func TestSortByPrecedence(t *testing.T) {
	t.Parallel()
	overlays := []NodeOverlay{overlay("a", 0), overlay("b", 0), overlay("c", 5), overlay("d", 10000), overlay("e", 5)}
	SortByPrecedence(overlays)
	var got []string
	for _, o := range overlays {
		got = append(got, o.Name)
	}
	if diff := cmp.Diff([]string{"d", "e", "c", "b", "a"}, got); diff != "" {
		t.Errorf("falling weight, then falling name: -want +got\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require := func(r Requirement) NodeOverlaySpec { return NodeOverlaySpec{Requirements: []Requirement{r}} }
	cases := map[string]struct {
		spec NodeOverlaySpec
		want string
	}{
		"pool's label":         {spec: require(Requirement{Key: "karpenter.sh/nodepool", Operator: "In", Values: []string{"a"}})},
		"reserved label":       {require(Requirement{Key: "karpenter.sh/x", Operator: "Exists"}), "spec.requirements[0].key: Forbidden: label karpenter.sh/x is in the reserved domain karpenter.sh"},
		"NotIn without values": {require(Requirement{Key: "a", Operator: "NotIn"}), "spec.requirements[0].values: Required value: operator NotIn needs at least one value"},
		"extended resource":    {spec: NodeOverlaySpec{Capacity: corev1.ResourceList{"example.com/fpga": resource.MustParse("2")}}},
		"standard resource":    {NodeOverlaySpec{Capacity: corev1.ResourceList{"cpu": resource.MustParse("2")}}, "spec.capacity[cpu]: Forbidden: only extended resources may be set"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := (&NodeOverlay{Spec: tc.spec}).Validate()
			switch {
			case tc.want == "" && len(errs) > 0:
				t.Errorf("must be valid, but: %v", errs)
			case tc.want != "" && (len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), tc.want)):
				t.Errorf("errors are %v, want one that starts %q", errs, tc.want)
			}
		})
	}
}
