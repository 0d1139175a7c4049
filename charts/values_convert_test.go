package charts_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
	"github.com/dovetail-sh/dovetail/internal/convert"
)

// generation is a chart of Karpenter by what its values may be: choices by path.
type generation map[string][]any

// always are values that every chart since 0.16 had.
var always = generation{
	"nameOverride": {
		"",
		"karpenter",
	},
	"fullnameOverride":      {"", "nodes"},
	"additionalLabels":      {values{}, values{"a": "b"}},
	"additionalAnnotations": {values{}, values{"a": "b"}},
	"imagePullPolicy":       {"IfNotPresent", "Always"},
	"imagePullSecrets":      {[]any{}, []any{values{"name": "pull"}}},
	"serviceAccount.create": {true, false},
	"serviceAccount.name":   {"", "karpenter"},
	"serviceAccount.annotations": {
		values{},
		values{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/k"},
	},
	"serviceMonitor.enabled":                {false, true},
	"serviceMonitor.additionalLabels":       {values{"release": "prometheus"}},
	"serviceMonitor.endpointConfig":         {values{}, values{"interval": "30s"}},
	"replicas":                              {1, 2},
	"revisionHistoryLimit":                  {0, 10},
	"strategy.rollingUpdate.maxUnavailable": {1, "50%"},
	"podLabels":                             {values{"team": "nodes"}},
	"podAnnotations":                        {values{"karpenter.sh/do-not-evict": "true"}, values{"a": "b"}},
	"podDisruptionBudget.name":              {"karpenter"},
	"podDisruptionBudget.maxUnavailable":    {1},
	"podSecurityContext.fsGroup":            {1000, 65532},
	"priorityClassName":                     {"", "system-cluster-critical"},
	"terminationGracePeriodSeconds":         {nil, 0, 60},
	"hostNetwork":                           {false, true},
	"dnsPolicy":                             {"Default", "ClusterFirst"},
	"dnsConfig": {
		values{},
		values{"options": []any{values{"name": "ndots", "value": "2"}}},
	},
	"nodeSelector": {
		values{"kubernetes.io/os": "linux"},
		values{"karpenter.sh/provisioner-name": "x"},
	},
	"tolerations":                  {[]any{}, []any{values{"key": "CriticalAddonsOnly", "operator": "Exists"}}},
	"extraVolumes":                 {[]any{}, []any{values{"name": "v", "emptyDir": values{}}}},
	"controller.env":               {[]any{}, []any{values{"name": "AWS_REGION", "value": "eu-west-1"}}},
	"controller.resources":         {values{}, values{"requests": values{"cpu": "1", "memory": "1Gi"}}},
	"controller.extraVolumeMounts": {[]any{}, []any{values{"name": "v", "mountPath": "/v"}}},
	"controller.sidecarContainer":  {values{}, []any{}, []any{values{"name": "s", "image": "s:1"}}},
	"affinity": {values{}, values{"nodeAffinity": values{"requiredDuringSchedulingIgnoredDuringExecution": values{
		"nodeSelectorTerms": []any{values{"matchExpressions": []any{
			values{"key": "karpenter.sh/provisioner-name", "operator": "DoesNotExist"},
		}}},
	}}}},
	"topologySpreadConstraints": {[]any{}, []any{values{
		"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
	}}},
	"logLevel":       {"debug", "info", "error"},
	"stray":          {nil},
	"settings.stray": {"x"}, // what people invent
}

// generations are those since 0.16. They follow the values files of the charts.
func generations() map[string]generation {
	out := map[string]generation{
		"0.16": {
			"clusterName":                {"", "blue"},
			"clusterEndpoint":            {"", "https://blue"},
			"aws.defaultInstanceProfile": {"", "nodes-blue"},
			"controller.image": {
				"public.ecr.aws/karpenter/controller:v0.16.3@sha256:68db",
			},
			"controller.logLevel":          {"", "debug"},
			"controller.batchMaxDuration":  {"10s", "20s"},
			"controller.batchIdleDuration": {"1s", "3s"},
			"webhook.logLevel":             {"error"},
			"webhook.port":                 {8443},
		},
		"0.26": {
			"controller.image.repository": {
				"public.ecr.aws/karpenter/controller",
				"mirror.example/karpenter/controller",
			},
			"controller.image.tag": {"v0.26.1"},
			"controller.image.digest": {
				"sha256:68db",
			},
			"controller.outputPaths": {
				[]any{"stdout"},
			},
			"controller.errorOutputPaths": {[]any{"stderr"}, []any{"/log"}},
			"controller.logLevel":         {"", "debug"},
			"controller.logEncoding":      {"", "console", "json"},
			"webhook.logLevel":            {"error"},
			"webhook.port":                {8443},
			"webhook.enabled":             {true, false},
			"logEncoding":                 {"console", "json"},
			"additionalClusterRoleRules":  {[]any{}},
			"settings.batchMaxDuration":   {"10s", "20s"},
			"settings.batchIdleDuration":  {"1s"},
			"settings.aws.assumeRoleARN": {
				"",
				"arn:aws:iam::1:role/x",
			},
			"settings.aws.assumeRoleDuration":         {"15m", "1h"},
			"settings.aws.clusterCABundle":            {"", "Y2E="},
			"settings.aws.clusterName":                {"", "blue"},
			"settings.aws.clusterEndpoint":            {"", "https://blue"},
			"settings.aws.defaultInstanceProfile":     {"", "nodes-blue"},
			"settings.aws.enablePodENI":               {true, false, "true"},
			"settings.aws.enableENILimitedPodDensity": {true, false},
			"settings.aws.isolatedVPC": {
				true,
				false,
			},
			"settings.aws.nodeNameConvention":      {"ip-name", "resource-name"},
			"settings.aws.vmMemoryOverheadPercent": {0.075, 0, "0.1"},
			"settings.aws.reservedENIs":            {"0", 1},
			"settings.aws.interruptionQueueName":   {"", "blue"},
			"settings.aws.tags":                    {nil, values{"a": "b"}},
			"settings.featureGates.driftEnabled":   {true, false},
		},
		"0.32": {
			"settings.aws":      {values{}},
			"logConfig.enabled": {true, false},
			"logConfig.outputPaths": {
				[]any{"stdout"},
				[]any{"stdout", "/log"},
			},
			"logConfig.errorOutputPaths":       {[]any{"stderr"}},
			"logConfig.logEncoding":            {"json", "console"},
			"logConfig.logLevel.global":        {"debug", "info"},
			"logConfig.logLevel.controller":    {"debug", "info"},
			"logConfig.logLevel.webhook":       {"error"},
			"webhook.enabled":                  {true, false},
			"webhook.port":                     {8443},
			"webhook.metrics.port":             {8001},
			"settings.assumeRoleARN":           {"", "arn:aws:iam::1:role/x"},
			"settings.assumeRoleDuration":      {"15m"},
			"settings.clusterCABundle":         {"", "Y2E="},
			"settings.clusterName":             {"", "blue"},
			"settings.clusterEndpoint":         {"", "https://blue"},
			"settings.isolatedVPC":             {true, false},
			"settings.vmMemoryOverheadPercent": {0.075, 0},
			"settings.interruptionQueue":       {"", "blue"},
			"settings.interruptionQueueName":   {"blue"},
			"settings.reservedENIs":            {"0", 1},
			"settings.featureGates.drift": {
				true,
				false,
			},
			"settings.featureGates.spotToSpotConsolidation": {true, false},
			"settings.batchMaxDuration":                     {"10s"},
			"settings.batchIdleDuration":                    {"1s"},
			"controller.metrics.port":                       {8000, 8080},
			"controller.healthProbe.port":                   {8081},
		},
		"1.0": {
			"webhook.enabled": {true}, "webhook.port": {8443}, "webhook.metrics.port": {8001},
			"webhook.serviceNamespace": {"", "karpenter"}, "webhook.serviceName": {"", "karpenter"},
			"postInstallHook.image.repository": {"public.ecr.aws/bitnami/kubectl"},
			"postInstallHook.image.tag":        {"1.30"}, "postInstallHook.image.digest": {"sha256:1"},
			"logOutputPaths": {[]any{"stdout"}}, "logErrorOutputPaths": {[]any{"stderr"}},
			"settings.clusterName": {"blue"}, "settings.interruptionQueue": {"blue"}, "settings.isolatedVPC": {true},
			"settings.featureGates.spotToSpotConsolidation": {true}, "service.annotations": {values{}},
			"schedulerName": {"default-scheduler"},
		},
	}
	for _, g := range out {
		maps.Copy(g, always)
	}
	return out
}

// draw makes a file of values, and says at which path each stands.
func (g generation) draw(dice *rand.Rand) (values, map[string]any) {
	out, drawn := values{}, map[string]any{}
	share := 2 + dice.IntN(12)
	for _, path := range slices.Sorted(maps.Keys(g)) {
		odds := share
		if strings.Contains(path, "stray") {
			odds *= 20
		}
		if dice.IntN(odds) != 0 {
			continue
		}
		value := g[path][dice.IntN(len(g[path]))]
		drawn[path] = value
		out = merge(out, at(path, value))
	}
	return out, drawn
}

var atLine = regexp.MustCompile(`^karpenter\.yaml:\d+: `)

// Every value of every older chart has a place in ours, or is named with file and line; what comes out is rendered by
// our chart, is held by its schema, and stays as it is in a second run.
func TestOldValuesAreConvertedOrNamed(t *testing.T) {
	t.Parallel()
	for name, g := range generations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(0, 16))
			converted := 0
			for range 16 {
				drawn, by := g.draw(dice)
				if convertDrawn(t, drawn, by) {
					converted++
				}
			}
			if converted < 3 {
				t.Errorf("only %d of 16 files were converted", converted)
			}
		})
	}
}

func convertDrawn(t *testing.T, drawn values, by map[string]any) bool {
	t.Helper()
	text, err := yaml.Marshal(drawn)
	if err != nil {
		t.Fatal(err)
	}
	run := func(text []byte) (*convert.Result, error) {
		return convert.Files([]convert.Source{{Name: "karpenter.yaml", Text: text}}, convert.Options{})
	}
	r, err := run(text)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !atLine.MatchString(line) {
				t.Errorf("a problem does not say where: %s\n%s", line, text)
			}
		}
		return false
	}
	got := r.Files[0].Text
	var now values
	if err := yaml.Unmarshal(got, &now); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	for path, value := range by {
		if !placed(path, value, now, r.Notes) {
			t.Errorf("%s: %v is lost\n%s\nbecame\n%s\n%v", path, value, text, got, r.Notes)
		}
	}
	again, err := run(got)
	if err != nil || again.Files[0].Changed {
		t.Errorf("a second run changes it: %v\n%s\nbecame\n%s", err, text, got)
	}
	if !r.Files[0].Changed { // the chart itself names what people invent
		return true
	}
	if settings, ok := now["settings"].(values); ok && settings["clusterName"] == "" {
		delete(settings, "clusterName") // files of charts from before it was required
	}
	if _, err := render(t, "dovetail", demo(now)); err != nil {
		t.Errorf("it is not rendered: %v\n%s\nbecame\n%s", err, text, got)
	}
	return true
}

// placed reports whether a value is found where it belongs by now, or a note says why it is not.
func placed(path string, value any, now values, notes []string) bool {
	if r, ok := chartvalues.Find(path); ok {
		if r.AsksNothing(value) || r.Dropped {
			return true
		}
		path = r.To
	}
	noted := func(s string) bool {
		return slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, s) })
	}
	switch {
	case path == "" || strings.HasPrefix(path, "controller.image") && noted("controller.image is Karpenter's"):
		return path != "" || noted("is removed")
	case fmt.Sprint(value) == "map[]" || value == nil || value == "":
		return true
	}
	var there any = now
	for name := range strings.SplitSeq(path, ".") {
		below, _ := there.(values)
		there = below[name]
	}
	was := strings.NewReplacer("karpenter.sh/provisioner-name", "karpenter.sh/nodepool",
		"karpenter.sh/do-not-evict", "karpenter.sh/do-not-disrupt").Replace(fmt.Sprint(value))
	return fmt.Sprint(there) == was || fmt.Sprint(there) == fmt.Sprint(value)
}
