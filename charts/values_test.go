package charts_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/charts/valuesfile"
	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

// at makes nested values of a path with dots.
func at(path string, value any) values {
	first, rest, more := strings.Cut(path, ".")
	if !more {
		return values{first: value}
	}
	return values{first: at(rest, value)}
}

func TestUnknownValuesFailAndNameTheNearest(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"settings.interuptionQueue": "there is no value settings.interuptionQueue; did you mean " +
			"settings.interruptionQueue?",
		"settings.clustername":                "did you mean settings.clusterName?",
		"replica":                             "there is no value replica; did you mean replicas?",
		"loglevel":                            "did you mean logLevel?",
		"settings.featureGates.nodeRepairs":   "did you mean settings.featureGates.nodeRepair?",
		"interruptionQueue":                   "did you mean settings.interruptionQueue?",
		"image.repository":                    "did you mean controller.image?",
		"controller.image.pullPolicy":         "did you mean imagePullPolicy?",
		"settings.featureGate":                "did you mean settings.featureGates?",
		"qqq":                                 "there is no value qqq; README.md of the chart lists all",
		"settings.aws.wholeNewThing":          "there is no value settings.aws.wholeNewThing",
		"serviceMonitor.endpointConfigs":      "did you mean serviceMonitor.endpointConfig?",
		"settings.awsFeatureGates.draNVIDIAG": "did you mean settings.awsFeatureGates.draNVIDIAGPU?",
	} {
		_, err := render(t, "dovetail", demo(at(path, "x")))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := render(
		t,
		"dovetail",
		values{"replica": 1, "settings": values{"aws": values{"clusterName": "c"}, "batchIdle": "1s"}},
	)
	for _, want := range []string{"replica;", "settings.aws.clusterName is called settings.clusterName now",
		"settings.batchIdle;"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
}

func TestRemovedValuesNameTheirSuccessor(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	var walk func(v *valuesfile.Value)
	walk = func(v *valuesfile.Value) {
		known[v.Path] = true
		for _, b := range v.Below {
			walk(b)
		}
	}
	walk(readValues(t, "dovetail"))
	for _, r := range chartvalues.All() {
		if known[r.Path] {
			t.Errorf("%s is removed, and is a value", r.Path)
		}
		if r.To != "" && !known[r.To] {
			t.Errorf("%s is called %s now, which is no value", r.Path, r.To)
		}
		_, err := render(t, "dovetail", demo(at(r.Path, "something")))
		if anything := slices.Contains(r.Harmless, "*"); anything != (err == nil) ||
			err != nil && !strings.Contains(err.Error(), r.Refusal()) {
			t.Errorf("%s: got %v, want %s", r.Path, err, r.Refusal())
		}
		for _, harmless := range append([]string{""}, r.Harmless...) {
			if strings.HasPrefix(harmless, "[") {
				continue
			}
			if _, err := render(t, "dovetail", demo(at(r.Path, harmless))); err != nil {
				t.Errorf("%s=%s asks for nothing, got %v", r.Path, harmless, err)
			}
		}
	}
	if _, err := render(
		t,
		"dovetail",
		demo(values{"webhook": values{"enabled": false, "port": 8443, "metrics": values{"port": 8001}}}),
	); err != nil {
		t.Errorf("a webhook that is off: %v", err)
	}
}

// A chart around this one gives values of all charts, and decides whether this one is rendered.
func TestValuesOfChartsAroundPass(t *testing.T) {
	t.Parallel()
	with := demo(values{"global": values{"env": "prod", "any": []any{1}}, "enabled": true, "settings": values{
		"clusterName":       "{{ .Values.global.env }}-c",
		"interruptionQueue": "q-{{ .Values.global.env }}",
		"isolatedVPC":       `{{ eq .Values.global.env "prod" }}`,
		"featureGates":      values{"nodeRepair": `{{ eq .Values.global.env "prod" }}`},
	}})
	c := settings(t, deployment(t, with))
	if c.AWS.ClusterName != "prod-c" || c.AWS.InterruptionQueue != "q-prod" || !c.AWS.IsolatedVPC ||
		!c.Gates.NodeRepair {
		t.Errorf("got %+v and %+v", c.AWS, c.Gates)
	}
}

func env(t *testing.T, with values) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, e := range deployment(t, with).Spec.Template.Spec.Containers[0].Env {
		out[e.Name] = e.Value
	}
	return out
}

func TestValuesOf115(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings values
		want     map[string]string
	}{
		"None": {values{}, map[string]string{"IGNORE_DRA_REQUESTS": "true", "AWS_FEATURE_GATES": "",
			"LEGACY_NODE_REPAIR": ""}},
		"NoDRA": {values{
			"enableDRA": false, "ignoreDRARequests": true,
			"awsFeatureGates": values{"draEFA": false, "draNVIDIAGPU": false},
		}, map[string]string{
			"IGNORE_DRA_REQUESTS": "true", "AWS_FEATURE_GATES": "DRANVIDIAGPU=false,DRAEFA=false",
		}},
		"DRA": {values{"enableDRA": true}, map[string]string{
			"IGNORE_DRA_REQUESTS": "false", "AWS_FEATURE_GATES": "DRANVIDIAGPU=true,DRAEFA=true",
		}},
		"OneDriver": {values{"awsFeatureGates": values{"draEFA": true}}, map[string]string{
			"IGNORE_DRA_REQUESTS": "false", "AWS_FEATURE_GATES": "DRAEFA=true",
		}},
		"NoDriver":     {values{"ignoreDRARequests": false}, map[string]string{"IGNORE_DRA_REQUESTS": "false"}},
		"LegacyRepair": {values{"legacyNodeRepair": true}, map[string]string{"LEGACY_NODE_REPAIR": "true"}},
		"Rest": {values{
			"legacyNodeRepair": false, "securityGroupRefreshInterval": "5m",
			"awsFeatureGates": values{"rebootForRepair": true},
			"featureGates": values{
				"nodeRepair": true, "terminateFirstDrift": true, "terminateFirstRepair": false,
				"podDeletionCostManagement": true,
			},
		}, map[string]string{
			"LEGACY_NODE_REPAIR": "", "SECURITY_GROUP_REFRESH_INTERVAL": "5m",
			"AWS_FEATURE_GATES": "RebootForRepair=true",
			"FEATURE_GATES": "NodeRepair=true,ReservedCapacity=true,SpotToSpotConsolidation=false," +
				"NodeOverlay=false,StaticCapacity=false,CapacityBuffer=false," +
				"TerminateFirstDrift=true,TerminateFirstRepair=false,PodDeletionCostManagement=true",
		}},
	} {
		got := env(t, demo(values{"settings": tc.settings}))
		for variable, want := range tc.want {
			if got[variable] != want {
				t.Errorf("%s: %s is %q, want %q", name, variable, got[variable], want)
			}
		}
	}
	repair, dra := " is about how nodes are repaired", "settings.enableDRA is mutually exclusive with "
	for want, with := range map[string]values{
		dra + "settings.awsFeatureGates.draEFA": {"enableDRA": true, "awsFeatureGates": values{"draEFA": false}},
		dra + "settings.ignoreDRARequests":      {"enableDRA": true, "ignoreDRARequests": true},
		"settings.featureGates.terminateFirstRepair" + repair: {
			"featureGates": values{"terminateFirstRepair": true},
		},
		"settings.awsFeatureGates.rebootForRepair" + repair: {
			"awsFeatureGates": values{"rebootForRepair": true},
		},
		"settings.useOpenReservations needs settings.featureGates": {
			"useOpenReservations": true, "featureGates": values{"reservedCapacity": false},
		},
		"settings.legacyNodeRepair and settings.featureGates.terminateFirstRepair exclude each other": {
			"legacyNodeRepair": true, "featureGates": values{"nodeRepair": true, "terminateFirstRepair": true},
		},
	} {
		if _, err := render(t, "dovetail", demo(values{"settings": with})); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", with, err, want)
		}
	}
}

// others are values that differ from the default, by type.
func others(v *valuesfile.Value) []any {
	if v.Enum != nil {
		out := []any{}
		for _, e := range v.Enum {
			out = append(out, e)
		}
		return out
	}
	switch v.Types[0] {
	case "boolean":
		return []any{true, false, "true", "false"}
	case "integer":
		return []any{0, 7}
	case "number":
		return []any{0, 0.5, "0.25"}
	case "string":
		return []any{"probe"}
	}
	return nil
}

// ofDynamicResources are values of which one follows from the others.
var ofDynamicResources = map[string]bool{"settings.ignoreDRARequests": true}

// Every value, falsy ones too, changes what is rendered, unless it is the default.
func TestEveryValueArrives(t *testing.T) {
	t.Parallel()
	all := values{
		"serviceMonitor": values{"enabled": true}, "networkPolicy": values{"enabled": true},
		"settings": values{"featureGates": values{"nodeRepair": true}}, "web": values{"enabled": true},
	}
	text := func(path string, value any) string {
		files, err := render(t, "dovetail", demo(merge(at(path, value), all)))
		if err != nil {
			t.Errorf("%s=%v: %v", path, value, err)
		}
		var b strings.Builder
		for _, name := range []string{"deployment.yaml", "beside.yaml", "rbac.yaml", "crds.yaml"} {
			b.WriteString(strings.Join(files[name], "\n---\n"))
		}
		return b.String()
	}
	probed := 0
	var walk func(v *valuesfile.Value)
	walk = func(v *valuesfile.Value) {
		for _, b := range v.Below {
			walk(b)
		}
		if v.Below != nil || strings.HasPrefix(v.Path, "crds.") || v.Path == "settings.legacyNodeRepair" ||
			v.Path == "settings.cloud" ||
			v.Path == "settings.clusterName" ||
			ofDynamicResources[v.Path] {
			return
		}
		first := map[string]any{}
		for _, value := range others(v) {
			got := text(v.Path, value)
			if same, ok := first[got]; ok && fmt.Sprint(same) != fmt.Sprint(value) {
				t.Errorf("%s: %v and %v come to the same", v.Path, same, value)
			}
			first[got] = value
			probed++
		}
	}
	walk(readValues(t, "dovetail"))
	if probed < 100 {
		t.Errorf("only %d values were tried", probed)
	}
}

func merge(a, b values) values {
	out := values{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		mine, ok := out[k].(values)
		theirs, ok2 := v.(values)
		switch {
		case ok && ok2:
			out[k] = merge(mine, theirs)
		case out[k] == nil:
			out[k] = v
		}
	}
	return out
}

func TestFalsyValuesOfObjects(t *testing.T) {
	t.Parallel()
	d := deployment(
		t,
		demo(
			values{
				"terminationGracePeriodSeconds": 0,
				"controller":                    values{"containerName": ""},
				"replicas":                      0,
				"revisionHistoryLimit":          0,
			},
		),
	)
	pod := d.Spec.Template.Spec
	if pod.TerminationGracePeriodSeconds == nil || *pod.TerminationGracePeriodSeconds != 0 ||
		pod.Containers[0].Name != "controller" ||
		*d.Spec.Replicas != 0 {
		t.Errorf("got %v, %s, %v", pod.TerminationGracePeriodSeconds, pod.Containers[0].Name, d.Spec.Replicas)
	}
}

func TestTypesAreHeldByTheSchema(t *testing.T) {
	t.Parallel()
	for path, value := range map[string]any{
		"replicas": "many", "settings.preferencePolicy": "Maybe", "settings.isolatedVPC": "perhaps",
		"tolerations": values{"key": "x"}, "size": "huge",
		"controller.metrics.port": []any{1}, "settings.vmMemoryOverheadPercent": "a lot", "dnsPolicy": "Sometimes",
	} {
		if _, err := render(t, "dovetail", demo(at(path, value))); err == nil ||
			!strings.Contains(err.Error(), strings.ReplaceAll(path, ".", "/")) {
			t.Errorf("%s=%v: got %v", path, value, err)
		}
	}
	if _, err := render(t, "dovetail-crd", values{"additionalAnnotation": values{}}); err == nil {
		t.Error("the chart of kinds takes any value")
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	last := corev1.ResourceRequirements{}
	for _, size := range []string{"small", "medium", "large", "xlarge"} {
		d := deployment(t, demo(values{"size": size}))
		got := d.Spec.Template.Spec.Containers[0].Resources
		if got.Requests.Memory().Cmp(*last.Requests.Memory()) <= 0 ||
			got.Requests.Cpu().Cmp(*last.Requests.Cpu()) <= 0 {
			t.Errorf("%s has %v, and what is smaller %v", size, got, last)
		}
		if limit := settings(t, d).MemoryLimit; limit != got.Requests.Memory().Value() {
			t.Errorf("%s: the controller believes in %d bytes and requests %s", size, limit, got.Requests.Memory())
		}
		last = got
	}
	own := deployment(
		t,
		demo(values{"size": "large", "controller": values{"resources": values{"requests": values{"cpu": "3"}}}}),
	)
	if got := own.Spec.Template.Spec.Containers[0].Resources; got.Requests.Cpu().String() != "3" ||
		len(got.Limits) > 0 {
		t.Errorf("resources that were given became %v", got)
	}
}

// What Helm packs is what it needs, and no more.
func TestChartsHoldNothingElse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dovetail", "dovetail-crd"} {
		chart, err := loader.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range chart.Raw {
			extensions := []string{".yaml", ".tpl", ".txt", ".md", ".json", ".helmignore"}
			if !slices.Contains(extensions, filepath.Ext(file.Name)) {
				t.Errorf("the chart %s holds %s", name, file.Name)
			}
		}
		if chart.Metadata.Icon == "" {
			t.Errorf("the chart %s has no icon", name)
		}
	}
}
