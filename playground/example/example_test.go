package example

import (
	"testing"

	"github.com/dovetail-sh/dovetail/playground/bundle"
)

// The controller's pod must be the one that the playground has a log for, on the node that is there before any is
// bought.
func TestTheSampleHoldsTogether(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, name := range order {
		variables := map[string]string{"CLUSTER_NAME": "c"}
		objects, err := bundle.Load(manifests, "manifests/"+name+".yaml", variables)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			kinds[o.GetKind()]++
			if o.GetKind() == "Pod" && (o.GetName() != Pod || o.GetNamespace() != "kube-system") {
				t.Errorf("pod %s/%s is not kube-system/%s", o.GetNamespace(), o.GetName(), Pod)
			}
		}
	}
	for kind, want := range map[string]int{"Node": 1, "Pod": 1, "EC2NodeClass": 1, "NodePool": 2, "Deployment": 3} {
		if kinds[kind] != want {
			t.Errorf("the sample has %d of kind %s, want %d", kinds[kind], kind, want)
		}
	}
}
