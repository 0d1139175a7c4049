package manifest_test

import (
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// A server looks at a template when the workload is made, whether or not it is to have pods.
func TestTemplatesAreJudgedWithoutPods(t *testing.T) {
	t.Parallel()
	const selector = "selector: {matchLabels: {a: b}}, "
	const pages = "{metadata: {labels: {a: b}}, spec: {resources: {limits: {hugepages-2Mi: 64Mi}}," +
		" containers: [{name: c, image: i, resources: {limits: {cpu: 1}}}]}}"
	const card = "{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, resources: {requests: " +
		"{example.com/card: 1}}}]}}"
	for of, text := range map[string]string{
		"Deployment default/w: spec.": "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 0, " +
			selector + "template: TEMPLATE}",
		"ReplicaSet default/w: spec.": "apiVersion: apps/v1\nkind: ReplicaSet\nspec: {replicas: 0, " +
			selector + "template: TEMPLATE}",
		"ReplicationController default/w: spec.": "apiVersion: v1\nkind: ReplicationController\nspec: {replicas: 0, " +
			"template: TEMPLATE}",
		"StatefulSet default/w: spec.": "apiVersion: apps/v1\nkind: StatefulSet\nspec: {replicas: 0, " +
			selector + "template: TEMPLATE}",
		"DaemonSet default/w: spec.": "apiVersion: apps/v1\nkind: DaemonSet\nspec: {" +
			selector + "template: TEMPLATE}",
		"Job default/w: spec.": "apiVersion: batch/v1\nkind: Job\nspec: {suspend: true, template: " +
			"TEMPLATE}",
		"PodTemplate default/w: ": "apiVersion: v1\nkind: PodTemplate\ntemplate: TEMPLATE",
	} {
		for template, want := range map[string]string{
			pages: of + "template.spec.resources: Forbidden: huge pages",
			card:  of + "template.spec.containers[c].resources.limits[example.com/card]: Required value",
		} {
			for meta, refused := range map[string]bool{"{name: w}": true, "{name: w, uid: u}": false} {
				whole := strings.ReplaceAll(text, "TEMPLATE", template) + "\nmetadata: " + meta
				if strings.HasPrefix(of, "Job ") {
					whole = strings.ReplaceAll(whole, "{containers:", "{restartPolicy: Never, containers:")
					whole = strings.ReplaceAll(
						whole,
						"{resources: {limits: {huge",
						"{restartPolicy: Never, resources: {limits: {huge",
					)
				}
				_, err := manifest.Read([]string{"-"}, strings.NewReader(whole))
				switch {
				case refused && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("got error %v, want one with %q", err, want)
				case !refused && err != nil && strings.Contains(err.Error(), "template."):
					t.Errorf("%s\nhas been accepted by a server: %v", whole, err)
				}
			}
		}
	}
}
