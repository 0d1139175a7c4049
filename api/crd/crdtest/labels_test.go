package crdtest_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/crd/crdtest"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

// TestSchemasKnowEveryWellKnownLabel holds the lists inside the rules of the
// schemas to the constants: a label that instance types get must be usable.
func TestSchemasKnowEveryWellKnownLabel(t *testing.T) {
	t.Parallel()
	byKind := judges(t)
	rules := karpenterv1.CoreLabelRules().Merge(awsv1.LabelRules()).Merge(kwokv1alpha1.LabelRules())
	keys := rules.WellKnown.Clone().Insert(awsv1.LabelNodeClass)
	// Overlays change types, not launches: what only a launch decides is no requirement of theirs.
	onlyLaunches := sets.New(
		awsv1.LabelInstanceTenancy,
		awsv1.LabelCapacityReservationID,
		awsv1.LabelCapacityReservationType,
		awsv1.LabelCapacityReservationInterruptible,
		awsv1.LabelPlacementGroupID,
		awsv1.LabelPlacementGroupPartition,
	)
	for _, key := range sets.List(keys) {
		for kind, at := range map[string]string{"NodePool": "spec.template.spec.requirements",
			"NodeClaim": "spec.requirements", "NodeOverlay": "spec.requirements"} {
			refused := kind == "NodePool" && key == karpenterv1.NodePoolLabelKey ||
				kind == "NodeOverlay" && onlyLaunches.Has(key)
			c := crdtest.Case{
				Kind:   kind,
				Name:   key,
				Create: fmt.Sprintf("%s = [{key: %q, operator: Exists}]", at, key),
			}
			found, _, err := crdtest.Try(t.Context(), byKind[kind], c)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(found) > 0; got != refused {
				t.Errorf("%s requires %s: %v, want refused %v", kind, key, found, refused)
			}
		}
		if strings.HasPrefix(key, karpenterv1.NodePoolLabelKey) {
			continue
		}
		c := crdtest.Case{
			Kind:   "NodePool",
			Name:   key,
			Create: fmt.Sprintf("spec.template.metadata.labels = {%q: x}", key),
		}
		if found, _, err := crdtest.Try(t.Context(), byKind["NodePool"], c); err != nil || len(found) > 0 {
			t.Errorf("NodePool with label %s: %v, %v", key, found, err)
		}
	}
}
