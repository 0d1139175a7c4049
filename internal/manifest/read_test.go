package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/internal/manifest"
)

func read(t *testing.T, text string) *manifest.Set {
	t.Helper()
	set, err := manifest.Read([]string{"-"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func podNames(set *manifest.Set) []string {
	var out []string
	for _, p := range set.Pods {
		out = append(out, p.Namespace+"/"+p.Name)
	}
	slices.Sort(out)
	return out
}

const (
	template    = "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, " + spec + "}"
	jobTemplate = "template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}"
	spec        = "spec: {containers: [{name: c, image: i}]}"
)

func TestWorkloadsBecomeThePodsThatTheyLack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"default of one": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns}\nspec: {" +
			template + "}", []string{"ns/d-0"}},
		"scaled to none": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 0, " +
			template + "}", nil},
		"ordinals": {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {replicas: 2, " +
			"ordinals: {start: 5}, " + template + "}", []string{"default/s-5", "default/s-6"}},
		"a job's rest": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {parallelism: 5, completions: " +
			"4, " + jobTemplate + "}\nstatus: {succeeded: 2}",
			[]string{"default/j-0", "default/j-1"}},
		"a job that has more than it needs": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: " +
			"{completions: 1, " + jobTemplate + "}\nstatus: {succeeded: 2}", nil},
		"a job that has failed": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {" +
			jobTemplate + "}\nstatus: {conditions: [{type: Failed, status: 'True'}]}", nil},
		"suspended": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {suspend: " +
			"true, " + jobTemplate + "}", nil},
		"a set of a deployment": {`{"apiVersion": "v1", "kind": "List", "items": [
			{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
			 "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
			 "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}}},
			{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "d-1", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u", "controller": true}]},
			 "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
			 "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}}},
			{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d-1-x",
			 "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "d-1", "uid": "u", "controller": true}]},
			 "spec": {"containers": [{"name": "c"}]}}]}`,
			[]string{"default/d-0", "default/d-1-x"}},
		"a typed list": {"apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}, " + spec + "}, " +
			"{metadata: {name: b}, " + spec + "}]",
			[]string{"default/a", "default/b"}},
		"JSON after JSON": {`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
			"spec": {"containers": [{"name": "c"}]}}
			{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}, "spec": {"containers": [{"name": "c"}]}}`,
			[]string{"default/a", "default/b"}},
		"YAML in braces": {"{apiVersion: v1, kind: Pod, metadata: {name: a}, " + spec + "}", []string{"default/a"}},
		"a merge that is overridden": {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n" +
			"spec: {containers: [&c {name: c, image: i}, {<<: *c, name: d}]}", []string{"default/a"}},
		"a set that mounts its claims": {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: " +
			"{selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: " +
			"[{name: c, volumeMounts: [{name: v, mountPath: /v}]}]}}, " +
			"volumeClaimTemplates: [{metadata: {name: v}, spec: " +
			"{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}", []string{"default/s-0"}},
		"a pod that a server has kept": {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, uid: u}",
			[]string{"default/a"}},
		"comments": {"# nothing\n---\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: g-}\n" + spec,
			[]string{"default/g-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, podNames(read(t, c.text))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestItemsOfATypedListAreJudgedToo(t *testing.T) {
	t.Parallel()
	const list = "apiVersion: karpenter.sh/v1\nkind: NodePoolList\nitems: [{metadata: {name: p}, spec: {weight: %d, " +
		"template: {spec: {requirements: [], nodeClassRef: {group: g.io, kind: K, name: class}}}}}]"
	if set := read(t, fmt.Sprintf(list, 100)); len(set.NodePools) != 1 || set.NodePools[0].Name != "p" {
		t.Errorf("read %v, want NodePool p", set.NodePools)
	}
	_, err := manifest.Read([]string{"-"}, strings.NewReader(fmt.Sprintf(list, 101)))
	if want := "item 1: NodePool p: spec.weight: Invalid value: 101"; err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func TestAdmissionsDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	set := read(t, `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 7
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  priorityClassName: high
  containers: [{name: c, image: i, resources: {limits: {cpu: "2", memory: 1Gi}, requests: {cpu: "1"}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
`)
	p := set.Pods[0]
	r := p.Spec.Containers[0].Resources.Requests
	if *p.Spec.Priority != 7 || r.Cpu().String() != "1" || r.Memory().String() != "1Gi" {
		t.Errorf("priority %d, requests %v; want 7, one core and 1Gi", *p.Spec.Priority, r)
	}
	if set.Ignored["ConfigMap"] != 1 {
		t.Errorf("ignored %v, want one ConfigMap", set.Ignored)
	}
}

func TestALimitRangeCountsForPodsThatNoServerHasSeen(t *testing.T) {
	t.Parallel()
	set := read(t, `
apiVersion: v1
kind: LimitRange
metadata: {name: l}
spec: {limits: [{type: Container, default: {memory: 1Gi}, defaultRequest: {cpu: 100m}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: new}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: old, uid: u}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: elsewhere, namespace: other}
spec: {containers: [{name: c, image: i}]}
`)
	got := map[string]string{}
	for _, p := range set.Pods {
		r := p.Spec.Containers[0].Resources.Requests
		got[p.Name] = r.Cpu().String() + " " + r.Memory().String()
	}
	if diff := cmp.Diff(map[string]string{"new": "100m 1Gi", "old": "0 0", "elsewhere": "0 0"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatNoServerAcceptsIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"apiVersion: v1\nkind: Pod\nspec: " +
			"{}": "standard input, document " +
			"1: a Pod has no metadata.name",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}], " +
			"priorityClassName: gone}": "Pod default/p: spec.priorityClassName: Forbidden: there is no " +
			"PriorityClass gone",
		"apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: " +
			"p}": "for an older release of Karpenter: standard input:1: " +
			"Provisioner p: spec: it is missing",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 2000000, " + template +
			"}": "Deployment default/d: 2000000 pods are more than",
		"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: " +
			"1}}]": "item 1: Pod p: ",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: Web_1}\n" + spec: "" +
			"Pod Web_1: metadata.name is no name: it may have",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: b c}}\n" + spec: "Pod p: metadata.labels: " +
			"Invalid value: \"b c\"",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {}": "Pod default/p: spec.containers: Required",
		"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {selector: " +
			"{matchLabels: {a: c}}, template: {metadata: {labels: {a: b}}, " + spec + "}}": "" +
			"DaemonSet default/d: spec.selector wants a=c",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {" + spec +
			"}}": "Deployment default/d: spec.selector: Required",
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {selector: {}, template: {" + spec +
			"}}": "StatefulSet default/d: spec.selector: Invalid",
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {volumeClaimTemplates: " +
			"[{metadata: {name: v}}], " + template + "}": "spec.volumeClaimTemplates[0].spec.accessModes: Required",
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {" + spec +
			"}}": "Job default/j: spec.template.spec.restartPolicy: Required",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {selector: " +
			"{matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, " +
			"spec: {restartPolicy: Never, containers: [{name: c}]}}}": "" +
			"spec.template.spec.restartPolicy: Unsupported",
		"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec: {accessModes: [ReadWriteOnce]}": "" +
			"PersistentVolumeClaim default/c: spec.resources.requests[storage]: Required",
		"apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: p}\nvalue: 1000000001": "" +
			"PriorityClass p: value: it is 1000000001",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n" +
			"spec: {containers: [&c {name: c, image: i}, {<<: *c, image: j, image: k}]}": "already set",
	} {
		if _, err := manifest.Read(
			[]string{"-"},
			strings.NewReader(text),
		); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}

func TestObjectsForOlderReleasesAreReadAsTheyAreConverted(t *testing.T) {
	t.Parallel()
	set := read(t, `
apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata: {name: mixed}
spec:
  ttlSecondsAfterEmpty: 30
  kubeletConfiguration: {maxPods: 40}
  providerRef: {name: mixed}
---
apiVersion: karpenter.k8s.aws/v1alpha1
kind: AWSNodeTemplate
metadata: {name: mixed}
spec:
  subnetSelector: {a: b}
  securityGroupSelector: {a: b}
---
apiVersion: v1
kind: Pod
metadata: {name: p, annotations: {karpenter.sh/do-not-evict: "true"}}
spec: {containers: [{name: c, image: i}], nodeSelector: {karpenter.sh/provisioner-name: mixed}}
`)
	if len(set.NodePools) != 1 || len(set.EC2NodeClasses) != 1 ||
		!strings.Contains(set.EC2NodeClasses[0].Spec.Kubelet.String(), `"maxPods":40`) {
		t.Fatalf("got %d NodePools and %d EC2NodeClasses", len(set.NodePools), len(set.EC2NodeClasses))
	}
	if p := set.Pods[0]; p.Annotations["karpenter.sh/do-not-disrupt"] != "true" ||
		p.Spec.NodeSelector["karpenter.sh/nodepool"] != "mixed" {
		t.Errorf("the pod has %v and wants %v", p.Annotations, p.Spec.NodeSelector)
	}
	if len(set.Notes) == 0 ||
		set.Notes[0] != "standard input is for an older release of Karpenter and is read as dovetail convert rewrites "+
			"it" {
		t.Errorf("notes are %q", set.Notes)
	}
}

func TestWhatIsNoManifestYetIsCalledWhatItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"kustomization.yaml": "resources: [a.yaml]", "Chart.yaml": "apiVersion: v2\nname: c",
		"values.yaml": "replicas: 3", "values-prod.yaml": "[]", "notes.yaml": "a: b",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "kustomization.yaml"): "kubectl kustomize " + dir,
		filepath.Join(dir, "Chart.yaml"):         "helm template",
		filepath.Join(dir, "values.yaml"):        "helm template",
		filepath.Join(dir, "values-prod.yaml"):   "helm template",
		filepath.Join(dir, "notes.yaml"):         "this is not a Kubernetes object: apiVersion and kind are missing",
		"https://example.com/app.yaml":           "curl -fsSL https://example.com/app.yaml | dovetail simulate -f -",
		"s3://bucket/app.yaml":                   "nothing is fetched; download it and give the file",
	} {
		if _, err := manifest.Read([]string{path}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", path, err, want)
		}
	}
}
