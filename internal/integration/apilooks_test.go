package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/api/crd/crdtest"
)

// serverShowsColumns shows each kind as kubectl get -o wide does.
func serverShowsColumns(
	t *testing.T,
	config *rest.Config,
	client dynamic.Interface,
	resources map[string]schema.GroupVersionResource,
) {
	const ready = `status.conditions = [{type: Ready, status: "True", reason: Ready, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]`
	cases := map[string]struct {
		create, status string
		want           string // header and row; the age is left out
	}{
		"NodePool": {
			create: `spec.weight = 10`,
			status: "status.nodes = 3\nstatus.resources = {cpu: 6, memory: 12Gi}\nstatus.rollout = {outdated: 2}\nstatus.hold = {until: 2026-01-02T00:00:00Z}\n" + ready,
			want:   "Name=shown NodeClass=default Nodes=3 Ready=True Outdated=2 Held=2026-01-02T00:00:00Z Weight=10 CPU=6 Memory=12Gi",
		},
		"NodeClaim": {
			create: `metadata.labels = {node.kubernetes.io/instance-type: m5.large, karpenter.sh/capacity-type: spot, topology.kubernetes.io/zone: us-east-1a, karpenter.sh/nodepool: general}`,
			status: "status.nodeName = node-1\nstatus.providerID = aws:///us-east-1a/i-1\nstatus.imageID = ami-1\n" +
				`status.conditions = [{type: Ready, status: "True", reason: Ready, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Drifted, status: "True", reason: NodePoolDrifted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]`,
			want: "Name=shown Type=m5.large Capacity=spot Zone=us-east-1a Node=node-1 Ready=True ImageID=ami-1 ID=aws:///us-east-1a/i-1 NodePool=general NodeClass=default Drifted=True",
		},
		"NodeOverlay":  {create: `spec.weight = 7`, status: ready, want: "Name=shown Ready=True Weight=7"},
		"EC2NodeClass": {status: ready, want: "Name=shown Ready=True Role=nodes"},
		"CapacityBuffer": {
			status: "status.replicas = 3\nstatus.podTemplateRef = {name: small}\n" + ready,
			want:   "Name=shown Strategy=buffer.x-k8s.io/active-capacity PodTemplate=small Replicas=3 ConditionsType=Ready ConditionsStatus=True ConditionsReason=Ready",
		},
	}
	for kind, tc := range cases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			object, err := crdtest.Valid(kind, "shown")
			if err != nil {
				t.Fatal(err)
			}
			c := crdtest.Case{Kind: kind, Create: tc.create, Status: tc.status}
			if found, _ := play(t, client.Resource(resources[kind]), c, object); len(found) > 0 {
				t.Fatalf("the object to show is refused: %v", found)
			}
			if diff := cmp.Diff(tc.want, table(t, config, resources[kind], object)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// table asks for an object as kubectl does and returns header and row.
func table(
	t *testing.T,
	config *rest.Config,
	resource schema.GroupVersionResource,
	object *unstructured.Unstructured,
) string {
	t.Helper()
	config = rest.CopyConfig(config)
	gv := resource.GroupVersion()
	config.GroupVersion, config.APIPath = &gv, "/apis"
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := client.Get().NamespaceIfScoped(object.GetNamespace(), object.GetNamespace() != "").
		Resource(resource.Resource).Name(object.GetName()).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out metav1.Table
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Rows) != 1 {
		t.Fatalf("there are %d rows, want 1", len(out.Rows))
	}
	var cells []string
	for i, column := range out.ColumnDefinitions {
		if column.Name != "Age" {
			cells = append(cells, fmt.Sprintf("%s=%v", column.Name, out.Rows[0].Cells[i]))
		}
	}
	return strings.Join(cells, " ")
}

// serverScalesPools scales a static pool as kubectl scale does.
func serverScalesPools(t *testing.T, client dynamic.Interface, resources map[string]schema.GroupVersionResource) {
	pools := client.Resource(resources["NodePool"])
	for name, create := range map[string]string{"static": `spec.replicas = 3`, "dynamic": ""} {
		object, err := crdtest.Valid("NodePool", name)
		if err != nil {
			t.Fatal(err)
		}
		c := crdtest.Case{Kind: "NodePool", Create: create, Status: "status.nodes = 2"}
		if found, _ := play(t, pools, c, object); len(found) > 0 {
			t.Fatal(found)
		}
	}
	scale, err := pools.Get(t.Context(), "static", metav1.GetOptions{}, "scale")
	if err != nil {
		t.Fatal(err)
	}
	differences, err := crdtest.Differences(scale, "spec.replicas = 3\nstatus.replicas = 2")
	if err != nil || len(differences) > 0 {
		t.Errorf("scale of the static pool: %v, %v", differences, err)
	}
	patch := []byte(`{"spec":{"replicas":5}}`)
	if _, err := pools.Patch(
		t.Context(),
		"static",
		types.MergePatchType,
		patch,
		metav1.PatchOptions{},
		"scale",
	); err != nil {
		t.Fatalf("scaling the static pool: %v", err)
	}
	pool, err := pools.Get(t.Context(), "static", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if replicas, _, _ := unstructured.NestedInt64(pool.Object, "spec", "replicas"); replicas != 5 {
		t.Errorf("replicas are %d after scaling, want 5", replicas)
	}
	_, err = pools.Patch(t.Context(), "dynamic", types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	if err == nil || !strings.Contains(err.Error(), "replicas cannot be added") {
		t.Errorf("scaling the dynamic pool: %v, want a refusal that says why", err)
	}
}
