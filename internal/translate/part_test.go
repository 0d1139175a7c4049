package translate_test

import (
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Not parallel: it sets how many processors there are.
func TestTheNumberOfProcessorsChangesNothing(t *testing.T) {
	pods := diverse(3_000)
	pods[2_500].Spec.Tolerations = nil
	pods[2_500].Spec.TopologySpreadConstraints = nil
	pods[2_700].Spec.NodeName = "a node that is not there"
	pods[2_900].Spec.Containers = []corev1.Container{{Resources: requests("cpu", "-1")}}
	objects := translate.Objects{Pods: pods, TrustPools: true}
	translated := func(processors int) (shape.Snapshot, []string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		s, problems := translate.Snapshot(objects, noon)
		var texts []string
		for _, p := range problems {
			texts = append(texts, p.Error())
		}
		return s, texts
	}
	want, problems := translated(1)
	if len(want.Pods) != len(pods)-1 || len(problems) != 1 {
		t.Fatalf(
			"%d pods and problems %q, want all pods but the one on a node, and one problem",
			len(want.Pods),
			problems,
		)
	}
	for _, processors := range []int{2, 3, 16} {
		got, texts := translated(processors)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d processors, other snapshot: -one +several\n%s", processors, diff)
		}
		if diff := cmp.Diff(problems, texts); diff != "" {
			t.Errorf("%d processors, other problems: -one +several\n%s", processors, diff)
		}
	}
}
