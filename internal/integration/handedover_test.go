package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/api/crd"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// leftBehind is what another controller leaves: every field of the specs is written, labels as it writes them.
const leftBehind = `
apiVersion: karpenter.kwok.sh/v1alpha1
kind: KWOKNodeClass
metadata: {name: filled, labels: {team: a}, annotations: {example.com/note: mine}}
spec: {nodeRegistrationDelay: 1s}
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: filled, labels: {team: a}, annotations: {example.com/note: mine}}
spec:
  weight: 7
  limits: {cpu: "1000", memory: 1000Gi, nodes: "50"}
  disruption:
    consolidateAfter: Never
    consolidationPolicy: WhenEmpty
    budgets: [{nodes: 10%, reasons: [Drifted, Empty], schedule: "0 9 * * mon-fri", duration: 8h}, {nodes: 100%}]
  template:
    metadata: {labels: {team: a}, annotations: {example.com/note: mine}}
    spec:
      expireAfter: 7200h
      terminationGracePeriod: 1h
      nodeClassRef: {group: karpenter.kwok.sh, kind: KWOKNodeClass, name: filled}
      requirements:
      - {key: kubernetes.io/os, operator: In, values: [linux]}
      - {key: node.kubernetes.io/instance-type, operator: Exists, minValues: 1}
      taints: [{key: example.com/own, value: a, effect: NoSchedule, timeAdded: "2026-01-01T00:00:00Z"}]
      startupTaints: [{key: example.com/start, value: a, effect: NoExecute, timeAdded: "2026-01-01T00:00:00Z"}]
---
apiVersion: karpenter.sh/v1
kind: NodeClaim
metadata:
  name: filled-1
  labels: {karpenter.sh/nodepool: filled, team: a, karpenter.sh/capacity-type: on-demand, kubernetes.io/arch: amd64,
    kubernetes.io/os: linux, topology.kubernetes.io/zone: test-zone-a,
    node.kubernetes.io/instance-type: c-4x-amd64-linux,
    karpenter.kwok.sh/kwoknodeclass: filled}
  annotations: {example.com/note: mine}
  finalizers: [karpenter.sh/termination]
spec:
  expireAfter: 7200h
  terminationGracePeriod: 1h
  nodeClassRef: {group: karpenter.kwok.sh, kind: KWOKNodeClass, name: filled}
  requirements:
  - {key: kubernetes.io/os, operator: In, values: [linux]}
  - {key: node.kubernetes.io/instance-type, operator: In, values: [c-4x-amd64-linux], minValues: 1}
  resources: {requests: {cpu: "1", memory: 1Gi, pods: "2"}}
  taints: [{key: example.com/own, value: a, effect: NoSchedule, timeAdded: "2026-01-01T00:00:00Z"}]
  startupTaints: [{key: example.com/start, value: a, effect: NoExecute, timeAdded: "2026-01-01T00:00:00Z"}]
status:
  providerID: kwok://filled-1
  nodeName: filled-1
  imageID: image-1
  lastPodEventTime: "2026-01-01T00:00:00Z"
  capacity: {cpu: "4", memory: 8Gi, pods: "110"}
  allocatable: {cpu: 3900m, memory: 7Gi, pods: "110"}
---
apiVersion: v1
kind: Node
metadata:
  name: filled-1
  labels: {karpenter.sh/nodepool: filled, team: a, karpenter.sh/capacity-type: on-demand, kubernetes.io/arch: amd64,
    kubernetes.io/os: linux, topology.kubernetes.io/zone: test-zone-a,
    node.kubernetes.io/instance-type: c-4x-amd64-linux,
    karpenter.kwok.sh/kwoknodeclass: filled, karpenter.sh/registered: "true", karpenter.sh/initialized: "true",
    kubernetes.io/hostname: filled-1}
  annotations: {example.com/note: mine, kwok.x-k8s.io/node: fake}
  finalizers: [karpenter.sh/termination]
spec:
  providerID: kwok://filled-1
  taints: [{key: example.com/own, value: a, effect: NoSchedule}]
status:
  capacity: {cpu: "4", memory: 8Gi, pods: "110"}
  allocatable: {cpu: 3900m, memory: 7Gi, pods: "110"}
`

// An object that another controller filled in to its last field stays as it is when ours has worked on it, and its
// hashes stay; those of an older way to hash are written anew, on pool and NodeClaim alike, and nothing drifts.
func TestWhatAnotherControllerWroteIsKept(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]string{"of today": karpenterv1.NodePoolHashVersion, "of before": "v2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			leave(t, c, version)
			before := keep(t, c)
			_, stop := c.run(t, settings())
			defer stop()
			eventually(t, "the daemon to have worked on the pool", func() string {
				pool := &karpenterv1.NodePool{}
				if err := c.Get(t.Context(), client.ObjectKey{Name: "filled"}, pool); err != nil {
					return err.Error()
				}
				if pool.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey] != karpenterv1.NodePoolHashVersion ||
					pool.Annotations[karpenterv1.NodePoolHashAnnotationKey] != pool.Hash() || pool.Status.Nodes == nil {
					return "nothing of it yet"
				}
				return ""
			})
			if version != karpenterv1.NodePoolHashVersion {
				for _, o := range before { // they are to change, and nothing else
					const at, hash = "metadata", karpenterv1.NodePoolHashAnnotationKey
					unstructured.RemoveNestedField(o.Object, at, "annotations", hash)
					unstructured.RemoveNestedField(o.Object, at, "annotations", hash+"-version")
				}
				c.sameHash(t)
			}
			always(t, 2*time.Second, func() string { return strings.Join(before.lost(keep(t, c)), "\n") })
		})
	}
}

// sameHash waits until the NodeClaim carries its pool's hash.
func (c *cluster) sameHash(t *testing.T) {
	t.Helper()
	eventually(t, "the NodeClaim to carry its pool's hash", func() string {
		pool := &karpenterv1.NodePool{}
		if err := c.Get(t.Context(), client.ObjectKey{Name: "filled"}, pool); err != nil {
			return err.Error()
		}
		for _, claim := range c.claims(t) {
			if got := claim.Annotations[karpenterv1.NodePoolHashAnnotationKey]; got != pool.Hash() {
				return got
			}
		}
		return ""
	})
}

// leave writes what another controller left, with hashes of such a version.
func leave(t *testing.T, c *cluster, version string) {
	t.Helper()
	hash := "1234"
	for document := range strings.SplitSeq(leftBehind, "---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatal(err)
		}
		if kind := o.GetKind(); kind == "NodePool" && version == karpenterv1.NodePoolHashVersion {
			pool := &karpenterv1.NodePool{}
			if err := yaml.Unmarshal([]byte(document), pool); err != nil {
				t.Fatal(err)
			}
			hash = pool.Hash()
		}
		if kind := o.GetKind(); kind == "NodePool" || kind == "NodeClaim" {
			annotations := o.GetAnnotations()
			annotations[karpenterv1.NodePoolHashAnnotationKey] = hash
			annotations[karpenterv1.NodePoolHashVersionAnnotationKey] = version
			o.SetAnnotations(annotations)
		}
		status, has := o.Object["status"].(map[string]any)
		c.create(t, o)
		if !has {
			continue
		}
		status["conditions"] = inUse(o.GetKind())
		o.Object["status"] = status
		if err := c.Status().Update(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// inUse are the conditions of a machine that has long been in use.
func inUse(kind string) (out []any) {
	types := []string{string(corev1.NodeReady)}
	if kind == "NodeClaim" {
		types = append(types, karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered,
			karpenterv1.ConditionInitialized)
	}
	for _, name := range types {
		out = append(out, map[string]any{"type": name, "status": "True", "reason": name, "message": "",
			"lastTransitionTime": "2026-01-01T00:00:00Z"})
	}
	return out
}

// The objects have every field that the kinds have, so that the test above tells of all.
func TestWhatIsLeftBehindHasEveryField(t *testing.T) {
	t.Parallel()
	written := map[string]map[string]any{}
	for document := range strings.SplitSeq(leftBehind, "---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		kind, _ := o["kind"].(string)
		written[kind] = o
	}
	known := 0
	for _, d := range crd.All() {
		o := written[d.Spec.Names.Kind]
		if o == nil {
			continue
		}
		known++
		spec := d.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		for _, path := range missingFields("spec", &spec, []any{o["spec"]}) {
			if d.Spec.Names.Kind+" "+path != "NodePool spec.replicas" { // of pools that have no weight
				t.Errorf("%s: %s is not written", d.Spec.Names.Kind, path)
			}
		}
	}
	if known != 3 {
		t.Errorf("%d kinds are looked at, want 3", known)
	}
}

// missingFields are the fields of a schema that none of these values has.
func missingFields(path string, of *apiextensionsv1.JSONSchemaProps, values []any) (out []string) {
	switch {
	case len(values) == 0:
		return []string{path}
	case of.Items != nil:
		var items []any
		for _, v := range values {
			list, _ := v.([]any)
			items = append(items, list...)
		}
		return missingFields(path+"[]", of.Items.Schema, items)
	}
	for name := range of.Properties {
		var below []any
		for _, v := range values {
			fields, _ := v.(map[string]any)
			if value, has := fields[name]; has {
				below = append(below, value)
			}
		}
		field := of.Properties[name]
		out = append(out, missingFields(path+"."+name, &field, below)...)
	}
	slices.Sort(out)
	return out
}
