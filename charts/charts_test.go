// Package charts_test renders the charts as Helm does and reads what comes out as Kubernetes and the controller do.
package charts_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/rights"
)

type values = map[string]any

// render returns the documents that a chart comes to, by file, in a release called dovetail.
func render(t *testing.T, name string, with values) (map[string][]string, error) {
	t.Helper()
	return renderAs(t, "dovetail", name, with)
}

func renderAs(t *testing.T, releaseName, name string, with values) (map[string][]string, error) {
	t.Helper()
	chart := load(t, name)
	release := chartutil.ReleaseOptions{Name: releaseName, Namespace: "kube-system", IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, with, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	out := map[string][]string{}
	for path, text := range files {
		for _, document := range strings.Split("\n"+text, "\n---\n") {
			if strings.TrimSpace(document) != "" && strings.HasSuffix(path, ".yaml") {
				out[filepath.Base(path)] = append(out[filepath.Base(path)], document)
			}
		}
	}
	return out, err
}

// read decodes a document, and refuses fields that do not exist.
func read[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// demo are values that suffice. The kinds are left out where a test is not about them: they take most of the time.
func demo(more values) values {
	return chartutil.CoalesceTables(
		more,
		values{"settings": values{"clusterName": "demo"}, "crds": values{"enabled": false}},
	)
}

var charts sync.Map

// load reads a chart once.
func load(t *testing.T, name string) *chart.Chart {
	t.Helper()
	once, _ := charts.LoadOrStore(name, sync.OnceValues(func() (*chart.Chart, error) { return loader.Load(name) }))
	read, ok := once.(func() (*chart.Chart, error))
	if !ok {
		t.Fatalf("%T is no loader", once)
	}
	chart, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

func deployment(t *testing.T, with values) appsv1.Deployment {
	t.Helper()
	files, err := render(t, "dovetail", with)
	if err != nil {
		t.Fatal(err)
	}
	return read[appsv1.Deployment](t, files["deployment.yaml"][0])
}

// settings are what the controller makes of its container's variables. Every variable must be one that it knows.
func settings(t *testing.T, d appsv1.Deployment) config.Config {
	t.Helper()
	var c config.Config
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	c.AddFlags(flags)
	known := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) { known[config.Variable(f.Name)] = true })
	env := map[string]string{}
	for _, e := range d.Spec.Template.Spec.Containers[0].Env {
		if !known[e.Name] {
			t.Errorf("the chart sets %s, which the controller does not know", e.Name)
		}
		env[e.Name] = e.Value
		if e.ValueFrom != nil && e.ValueFrom.ResourceFieldRef != nil {
			env[e.Name] = resourceField(t, d.Spec.Template.Spec.Containers[0], e.ValueFrom.ResourceFieldRef)
		}
	}
	if err := c.Environment(
		flags,
		func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// resourceField is what the kubelet puts into a variable: 0 where nothing is requested, and the node's memory where
// there is no limit.
func resourceField(t *testing.T, c corev1.Container, ref *corev1.ResourceFieldSelector) string {
	t.Helper()
	switch ref.Resource {
	case "requests.cpu":
		return strconv.FormatInt(c.Resources.Requests.Cpu().MilliValue(), 10)
	case "limits.memory":
		if limit := c.Resources.Limits.Memory(); !limit.IsZero() {
			return strconv.FormatInt(limit.Value(), 10)
		}
		return "8000000000"
	}
	t.Fatalf("what is %s?", ref.Resource)
	return ""
}

func TestDefaultsAreTheControllersOwn(t *testing.T) {
	t.Parallel()
	d := deployment(t, demo(nil))
	got, want := settings(t, d), config.Default()
	want.AWS.ClusterName, want.Service = "demo", "dovetail"
	// Fields of the pod and of its resources give these.
	got.SystemNamespace, got.CPURequests, got.MemoryLimit = want.SystemNamespace, want.CPURequests, want.MemoryLimit
	// The chart has a place for the journal, which a process that somebody starts by hand has not.
	want.Planning.JournalDir = "/var/lib/dovetail/journal"
	for what, pair := range map[string][2]any{
		"AWS": {want.AWS, got.AWS}, "Gates": {want.Gates, got.Gates}, "Planning": {want.Planning, got.Planning},
		"Log":   {want.Log, got.Log},
		"Serve": {want.Serve, got.Serve}, "Kube": {want.Kube, got.Kube},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s: -controller's default +chart's\n%s", what, diff)
		}
	}
	pod := d.Spec.Template.Spec
	if c := pod.Containers[0]; !*c.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem ||
		*c.SecurityContext.AllowPrivilegeEscalation {
		t.Error("the container has more rights than it needs")
	}
	if l := pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector; l == nil ||
		l.MatchLabels["app.kubernetes.io/name"] != "karpenter" {
		t.Error("two replicas may come onto one node")
	}
	if l := pod.TopologySpreadConstraints[0].LabelSelector; l == nil || len(l.MatchLabels) == 0 {
		t.Error("replicas are not spread over zones")
	}
}

// A values file for Karpenter's chart, with names of its own.
func TestKarpentersValuesCountHere(t *testing.T) {
	t.Parallel()
	d := deployment(t, values{
		"replicas":              1,
		"logLevel":              "debug",
		"podLabels":             values{"team": "red"},
		"additionalAnnotations": values{"note": "x"},
		"serviceAccount": values{
			"create":      true,
			"name":        "karpenter",
			"annotations": values{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/x"},
		},
		"priorityClassName":             "high",
		"terminationGracePeriodSeconds": 30,
		"hostNetwork":                   true,
		"dnsPolicy":                     "Default",
		"controller": values{
			"image":     values{"repository": "example.com/dovetail", "tag": "1.2.3", "digest": "sha256:0123"},
			"env":       []any{values{"name": "LAUNCH_TIMEOUT", "value": "10m"}},
			"resources": values{"requests": values{"cpu": "1", "memory": "1Gi"}, "limits": values{"memory": "1Gi"}},
			"metrics":   values{"port": 9090},
		},
		"settings": values{
			"clusterName":                  "demo",
			"clusterEndpoint":              "https://10.1.2.3",
			"interruptionQueue":            "demo",
			"isolatedVPC":                  true,
			"reservedENIs":                 "1",
			"vmMemoryOverheadPercent":      0.05,
			"batchMaxDuration":             "20s",
			"preferencePolicy":             "Ignore",
			"enableZonalShift":             true,
			"placement":                    "off",
			"placementHold":                "3s",
			"featureGates":                 values{"nodeRepair": true, "staticCapacity": true},
			"awsFeatureGates":              values{"nodeClassCEL": true, "draEFA": nil},
			"securityGroupRefreshInterval": "5m",
		},
	})
	c := settings(t, d)
	pod := d.Spec.Template.Spec
	got := []any{
		*d.Spec.Replicas,
		c.Log.Level,
		d.Spec.Template.Labels["team"],
		pod.ServiceAccountName,
		pod.PriorityClassName,
		*pod.TerminationGracePeriodSeconds,
		pod.HostNetwork,
		pod.DNSPolicy,
		pod.Containers[0].Image,
		c.Lifecycle.Launch.String(),
		c.Serve.MetricsPort,
		c.AWS.ClusterEndpoint,
		c.AWS.InterruptionQueue,
		c.AWS.IsolatedVPC,
		c.AWS.ReservedENIs,
		c.AWS.VMMemoryOverheadPercent,
		c.Planning.BatchMax.String(),
		c.Planning.Preferences,
		c.AWS.EnableZonalShift,
		c.Planning.Placement,
		c.Planning.PlacementHold.String(),
		c.Gates.NodeRepair,
		c.Gates.ReservedCapacity,
		c.AWS.Gates.NodeClassCEL,
		c.AWS.SecurityGroupRefreshInterval.String(),
		pod.Containers[0].Resources.Limits.Memory().String(),
	}
	want := []any{
		int32(1), "debug", "red", "karpenter", "high", int64(30), true,
		corev1.DNSDefault, "example.com/dovetail:1.2.3@sha256:0123", "10m0s", 9090, "https://10.1.2.3", "demo", true,
		1, 0.05, "20s", "Ignore", true,
		"off", "3s", true, true, true,
		"5m0s", "1Gi",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Values files in the wild quote booleans and unset defaults with null.
func TestValuesAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		gates any
		want  config.Gates
	}{
		"Quoted": {values{"nodeRepair": "true", "reservedCapacity": "false"}, config.Gates{NodeRepair: true}},
		"Null": {values{"nodeRepair": true, "reservedCapacity": nil},
			config.Gates{NodeRepair: true, ReservedCapacity: true}},
		"None": {nil, config.Gates{ReservedCapacity: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployment(t, demo(values{
				"settings": values{"featureGates": tc.gates, "clusterEndpoint": nil, "reservedENIs": 1},
				"logConfig": values{
					"enabled": false,
				},
				"webhook":          values{"enabled": false},
				"additionalLabels": nil,
				"logOutputPaths":   nil,
				"affinity":         nil,
			}))
			if diff := cmp.Diff(tc.want, settings(t, d).Gates); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestSelectorsAreAddedWhereThereAreNone(t *testing.T) {
	t.Parallel()
	term := func() values { return values{"topologyKey": "kubernetes.io/hostname"} }
	d := deployment(t, demo(values{"affinity": values{
		"podAntiAffinity": values{
			"requiredDuringSchedulingIgnoredDuringExecution": []any{
				values{"topologyKey": "a", "labelSelector": values{"matchLabels": values{"own": "x"}}},
			},
			"preferredDuringSchedulingIgnoredDuringExecution": []any{values{"weight": 1, "podAffinityTerm": term()}},
		},
		"podAffinity": values{"requiredDuringSchedulingIgnoredDuringExecution": []any{term()}},
	}}))
	a := d.Spec.Template.Spec.Affinity
	own := d.Spec.Selector.MatchLabels
	for what, got := range map[string]map[string]string{
		"preferred anti-affinity": a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels,
		"required affinity":       a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector.MatchLabels,
	} {
		if diff := cmp.Diff(own, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
	if got := a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector.MatchLabels; got["own"] != "x" {
		t.Errorf("a selector that was given became %v", got)
	}
}

func TestSidecarsMountWhatTheControllerMountsAndMore(t *testing.T) {
	t.Parallel()
	mount := func(name string) []any { return []any{values{"name": name, "mountPath": "/" + name}} }
	d := deployment(t, demo(values{
		"extraVolumes": []any{
			values{"name": "both", "emptyDir": values{}},
			values{"name": "side", "emptyDir": values{}},
			values{"name": "own", "emptyDir": values{}},
		},
		"controller": values{
			"extraVolumeMounts": mount("both"), "sidecarVolumeMounts": mount("side"),
			"sidecarContainer": []any{values{"name": "proxy", "image": "proxy", "volumeMounts": mount("own")}},
		},
	}))
	got := map[string][]string{}
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, m := range c.VolumeMounts {
			got[c.Name] = append(got[c.Name], m.Name)
		}
	}
	if diff := cmp.Diff(
		map[string][]string{"controller": {"dovetail-journal", "both"}, "proxy": {"own", "both", "side"}},
		got,
	); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAClusterNameIsRequired(t *testing.T) {
	t.Parallel()
	if _, err := render(
		t,
		"dovetail",
		nil,
	); err == nil ||
		!strings.Contains(err.Error(), "settings.clusterName is required") {
		t.Errorf("got %v", err)
	}
}

// What the controller does with the API, and nothing more.
func TestTheRoleAllowsLittle(t *testing.T) {
	t.Parallel()
	files, err := render(t, "dovetail", demo(nil))
	if err != nil {
		t.Fatal(err)
	}
	role := read[rbacv1.ClusterRole](t, files["rbac.yaml"][0])
	can := func(verb, group, resource string) bool {
		return slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Verbs, verb) && slices.Contains(r.APIGroups, group) &&
				slices.Contains(r.Resources, resource)
		})
	}
	for _, rule := range role.Rules {
		for _, text := range slices.Concat(rule.Verbs, rule.APIGroups, rule.Resources) {
			if text == "*" {
				t.Errorf("a rule allows everything: %v", rule)
			}
		}
	}
	for _, want := range [][3]string{
		{"create", "", "pods/eviction"}, {"create", "", "pods/binding"}, {"patch", "", "pods/status"},
		{"delete", "", "pods"}, {"patch", "", "nodes"}, {"delete", "", "nodes"},
		{"watch", "", "services"}, {"watch", "apps", "replicasets"}, {"watch", "apps", "daemonsets"},
		{"list", "policy", "poddisruptionbudgets"},
		{"create", "karpenter.sh", "nodeclaims"}, {"patch", "karpenter.sh", "nodeclaims"},
		{"patch", "karpenter.sh", "nodeclaims/status"},
		{"patch", "karpenter.k8s.aws", "ec2nodeclasses"}, {"patch", "karpenter.k8s.aws", "ec2nodeclasses/status"},
		{"create", "", "events"},
	} {
		if !can(want[0], want[1], want[2]) {
			t.Errorf("the controller may not %s %s", want[0], want[2])
		}
	}
	for _, never := range [][3]string{
		{"get", "", "secrets"}, {"get", "", "configmaps"}, {"create", "", "pods"}, {"create", "", "nodes"},
		{"update", "", "nodes"}, {"delete", "karpenter.sh", "nodepools"},
		{"delete", "karpenter.k8s.aws", "ec2nodeclasses"}, {"create", "rbac.authorization.k8s.io", "clusterroles"},
	} {
		if can(never[0], never[1], never[2]) {
			t.Errorf("the controller may %s %s and never does", never[0], never[2])
		}
	}
	lease := read[rbacv1.Role](t, files["rbac.yaml"][2])
	if name := config.Default().Leader.Name; !slices.ContainsFunc(lease.Rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.ResourceNames, name) && slices.Contains(r.Verbs, "update")
	}) {
		t.Errorf("the controller may not renew its lease %s", name)
	}
}

// The playground and the integration tests run the controller with the rights of that package.
func TestTheRolesAreTheTestedOnes(t *testing.T) {
	t.Parallel()
	for _, cloud := range []string{config.CloudAWS, config.CloudKWOK} {
		files, err := render(t, "dovetail", demo(values{"settings": values{"cloud": cloud}}))
		if err != nil {
			t.Fatal(err)
		}
		wide, err := rights.Cluster(cloud)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wide, read[rbacv1.ClusterRole](t, files["rbac.yaml"][0]).Rules); diff != "" {
			t.Errorf("%s: -tested +rendered\n%s", cloud, diff)
		}
		lease, err := rights.Lease()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lease, read[rbacv1.Role](t, files["rbac.yaml"][2]).Rules); diff != "" {
			t.Errorf("%s: -tested +rendered\n%s", cloud, diff)
		}
		if got := settings(t, deployment(t, demo(values{"settings": values{"cloud": cloud}}))).Cloud; got != cloud {
			t.Errorf("settings.cloud %s comes to %s", cloud, got)
		}
	}
	if _, err := render(
		t,
		"dovetail",
		demo(values{"settings": values{"cloud": "gcp"}}),
	); err == nil ||
		!strings.Contains(err.Error(), "choose aws or kwok") {
		t.Errorf("a cloud that there is not: got %v", err)
	}
}

// Prometheus finds monitors, and people find objects, by labels that they chose.
func TestEveryObjectHasTheAdditionalLabels(t *testing.T) {
	t.Parallel()
	files, err := render(t, "dovetail", demo(values{
		"additionalLabels": values{"team": "red", "release": "all"}, "additionalAnnotations": values{"note": "x"},
		"serviceMonitor":      values{"enabled": true, "additionalLabels": values{"release": "prometheus"}},
		"podDisruptionBudget": values{"unhealthyPodEvictionPolicy": "AlwaysAllow"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range files["beside.yaml"] {
		var object struct {
			Kind     string
			Metadata struct{ Labels, Annotations map[string]string }
			Spec     map[string]any
		}
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		labels := object.Metadata.Labels
		want := map[string]string{"ServiceMonitor": "prometheus"}[object.Kind]
		if want == "" {
			want = "all"
		}
		if labels["team"] != "red" || labels["release"] != want || labels["app.kubernetes.io/name"] != "karpenter" ||
			labels["app.kubernetes.io/managed-by"] != "Helm" ||
			object.Metadata.Annotations["note"] != "x" {
			t.Errorf("%s has labels %v and annotations %v", object.Kind, labels, object.Metadata.Annotations)
		}
		if object.Kind == "PodDisruptionBudget" && object.Spec["unhealthyPodEvictionPolicy"] != "AlwaysAllow" {
			t.Errorf("the budget has %v", object.Spec)
		}
	}
}

func TestTheMonitorIsThereWhenAskedFor(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		files, err := render(t, "dovetail", demo(values{"serviceMonitor": values{"enabled": on}}))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(files["beside.yaml"], "\n"), "kind: ServiceMonitor"); got != on {
			t.Errorf("enabled %v, there %v", on, got)
		}
	}
}

func TestTheCRDsAreTheGeneratedOnes(t *testing.T) {
	t.Parallel()
	files, err := render(t, "dovetail-crd", values{"additionalAnnotations": values{"note": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]any{}
	for _, text := range files["crds.yaml"] {
		crd := read[map[string]any](t, text)
		metadata, _ := crd["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations["note"] != "x" {
			t.Errorf("%v lacks the additional annotation", metadata["name"])
		}
		if annotations["helm.sh/resource-policy"] != "keep" {
			t.Errorf("uninstalling the chart deletes %v, and with it all its objects", metadata["name"])
		}
		delete(annotations, "note")
		delete(annotations, "helm.sh/resource-policy")
		name, _ := metadata["name"].(string)
		got[name] = crd
	}
	paths, err := filepath.Glob("../api/crd/*.yaml")
	if err != nil || len(paths) == 0 || len(paths) != len(got) {
		t.Fatalf("%d CRDs are generated and %d rendered, %v", len(paths), len(got), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := read[map[string]any](t, string(text))
		metadata, _ := want["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: -generated +rendered\n%s", name, diff)
		}
	}
}
