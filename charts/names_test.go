package charts_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// object is what all objects have.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace     string
		Labels, Annotations map[string]string
	}
}

// objects are those of a release, by kind.
func objects(t *testing.T, release string, with values) map[string][]object {
	t.Helper()
	files, err := renderAs(t, release, "dovetail", merge(with, values{"settings": values{"clusterName": "demo"}}))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]object{}
	for _, documents := range files {
		for _, text := range documents {
			var o object
			if err := yaml.Unmarshal([]byte(text), &o); err != nil {
				t.Fatal(err)
			}
			if o.Kind != "" {
				out[o.Kind] = append(out[o.Kind], o)
			}
		}
	}
	return out
}

// Roles in AWS trust the account by its name, scrape configurations keep the Service by its name, and people find pods
// by their labels. All of them are written for a release of Karpenter's chart.
func TestNamesAreThoseOfKarpentersChart(t *testing.T) {
	t.Parallel()
	for release, tc := range map[string]struct {
		with values
		want string
	}{
		"karpenter":    {nil, "karpenter"},
		"my-karpenter": {nil, "my-karpenter"},
		"dovetail":     {nil, "dovetail"},
		"autoscaler":   {nil, "autoscaler-karpenter"},
		"other":        {values{"fullnameOverride": "karpenter"}, "karpenter"},
		"blue":         {values{"nameOverride": "scaler"}, "blue-scaler"},
	} {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			all := objects(t, release, merge(tc.with, values{
				"serviceMonitor": values{
					"enabled": true,
				}, "networkPolicy": values{"enabled": true}, "crds": values{"enabled": false},
			}))
			for _, kind := range []string{"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget",
				"ServiceMonitor", "NetworkPolicy", "Role", "RoleBinding", "ClusterRoleBinding"} {
				if len(all[kind]) != 1 || all[kind][0].Metadata.Name != tc.want {
					t.Errorf("%s: got %v, want one that is called %s", kind, all[kind], tc.want)
				}
			}
			name := "karpenter"
			if own, ok := tc.with["nameOverride"].(string); ok {
				name = own
			}
			want := map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release}
			got := all["Deployment"][0].Metadata.Labels
			for key, value := range want {
				if got[key] != value {
					t.Errorf("label %s is %q, want %q", key, got[key], value)
				}
			}
		})
	}
	pod := deployment(t, demo(nil)).Spec.Template
	if diff := cmp.Diff("controller", pod.Spec.Containers[0].Name); diff != "" {
		t.Errorf("the container: -want +got\n%s", diff)
	}
	if pod.Spec.Containers[0].Ports[0].Name != "http-metrics" {
		t.Errorf("ports are %v", pod.Spec.Containers[0].Ports)
	}
}

// A release keeps the kinds, whatever becomes of it.
func TestTheChartBringsTheKindsAndKeepsThem(t *testing.T) {
	t.Parallel()
	var names []string
	for _, crd := range objects(t, "karpenter", nil)["CustomResourceDefinition"] {
		names = append(names, crd.Metadata.Name)
		if crd.Metadata.Annotations["helm.sh/resource-policy"] != "keep" {
			t.Errorf("uninstalling the chart deletes %s, and with it all its objects", crd.Metadata.Name)
		}
	}
	slices.Sort(names)
	want := []string{
		"capacitybuffers.autoscaling.x-k8s.io",
		"ec2nodeclasses.karpenter.k8s.aws",
		"kwoknodeclasses.karpenter.kwok.sh",
		"nodeclaims.karpenter.sh",
		"nodeoverlays.karpenter.sh",
		"nodepools.karpenter.sh",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := objects(t, "karpenter", values{"crds": values{"enabled": false}})["CustomResourceDefinition"]; len(
		got,
	) > 0 {
		t.Errorf("with crds.enabled=false there are %d", len(got))
	}
}
