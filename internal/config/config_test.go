package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// load reads flags and variables as the command line does.
func load(t *testing.T, args []string, env map[string]string) (Config, *pflag.FlagSet, error) {
	t.Helper()
	var c Config
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c.AddFlags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	err := c.Environment(f, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return c, f, err
}

func TestFlagWinsOverEnvironment(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, []string{"--batch-max-duration=20s"}, map[string]string{
		"BATCH_MAX_DURATION":  "30s",
		"BATCH_IDLE_DURATION": "2s",
		"CLUSTER_NAME":        "blue",
		"LOG_OUTPUT_PATHS":    "stdout,/var/log/d.log",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Planning.BatchMax, c.Planning.BatchIdle, c.AWS.ClusterName, c.Log.OutputPaths, c.Serve.MetricsPort}
	want := []any{20 * time.Second, 2 * time.Second, "blue", []string{"stdout", "/var/log/d.log"}, 8080}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestFeatureGates(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, nil, map[string]string{"FEATURE_GATES": "NodeRepair=true, ReservedCapacity=false,"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Gates{NodeRepair: true}, c.Gates); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, _, err = load(t, nil, map[string]string{"FEATURE_GATES": "NodeRepair=yes please,NodeOverlay=perhaps"})
	for _, want := range []string{"FEATURE_GATES", "NodeRepair must be true or false",
		"NodeOverlay must be true or false"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// A cluster that ran any version of Karpenter has that version's gates in its environment: the controller starts, and
// says which of them do nothing here.
func TestGatesOfOtherVersionsAreWarnings(t *testing.T) {
	t.Parallel()
	const of115 = "ReservedCapacity=true,SpotToSpotConsolidation=false,NodeRepair=true,NodeOverlay=false,StaticCapacity=false,CapacityBuffer=false," +
		"TerminateFirstDrift=false,TerminateFirstRepair=false,PodDeletionCostManagement=false"
	cases := map[string]struct {
		variable, value string
		warns           []string
	}{
		"all of 1.15's at their defaults": {"FEATURE_GATES", of115, nil},
		"all of 1.15's for AWS": {
			"AWS_FEATURE_GATES",
			"NodeClassCEL=true,DRANVIDIAGPU=false,DRAEFA=false,RebootForRepair=false",
			nil,
		},
		"one that other versions had": {
			"FEATURE_GATES",
			"Drift=true,NodeRepair=true",
			[]string{`FEATURE_GATES: there is no feature gate "Drift"`},
		},
		"one that the other switch keeps off": {
			"AWS_FEATURE_GATES",
			"DRAEFA=true",
			[]string{"AWS_FEATURE_GATES: the gates for dynamic resources have no effect while ignore-dra-requests is true"},
		},
		"two": {
			"AWS_FEATURE_GATES",
			"Other=false,DRAEFA=true",
			[]string{
				`AWS_FEATURE_GATES: there is no feature gate "Other"`,
				"AWS_FEATURE_GATES: the gates for dynamic resources have no effect",
			},
		},
		// Consolidation policy Balanced has no gate: a NodePool that asks for it gets it.
		"of a policy that needs none": {
			"FEATURE_GATES",
			"BalancedConsolidation=false",
			[]string{`FEATURE_GATES: there is no feature gate "BalancedConsolidation"`},
		},
		"no dynamic resources":        {"IGNORE_DRA_REQUESTS", "true", nil},
		"dynamic resources":           {"IGNORE_DRA_REQUESTS", "false", nil},
		"open reservations, and none": {"USE_OPEN_RESERVATIONS", "true", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, err := load(t, nil, map[string]string{tc.variable: tc.value, "CLUSTER_NAME": "blue"})
			if err == nil {
				err = c.Validate()
			}
			if err != nil {
				t.Fatalf("the controller does not start: %v", err)
			}
			got := c.Warnings()
			if len(got) != len(tc.warns) {
				t.Fatalf("warnings are %q, want %d", got, len(tc.warns))
			}
			for i, want := range tc.warns {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("warning %q, want one that begins %q", got[i], want)
				}
			}
		})
	}
}

func TestValidateReportsEveryProblemUnderTheNameThatWasTyped(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, []string{"--batch-idle-duration=1m"}, map[string]string{
		"METRICS_PORT": "70000", "LOG_LEVEL": "loud", "AMI_REFRESH_INTERVAL": "1s",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := c.Validate()
	for _, want := range []string{
		"METRICS_PORT is 70000, must be from 0 to 65535",
		`LOG_LEVEL is "loud", must be one of debug, info, error`,
		"--batch-idle-duration is 1m0s, must not exceed --batch-max-duration (or BATCH_MAX_DURATION) (10s)",
		"--cluster-name (or CLUSTER_NAME) is empty",
		"AMI_REFRESH_INTERVAL is 1s, must be at least 1m",
	} {
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("Validate does not say %q:\n%v", want, got)
		}
	}
}

func TestDefaultsAreValidOnceTheClusterIsNamed(t *testing.T) {
	t.Parallel()
	c := Default()
	c.AWS.ClusterName = "blue"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// The kubelet says 0 for a container that requests nothing, as charts have it by default.
func TestNoRequestIsFine(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, nil, map[string]string{"CLUSTER_NAME": "blue", "CPU_REQUESTS": "0"})
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestPrintNamesValueAndOrigin(t *testing.T) {
	t.Parallel()
	c, f, err := load(t, []string{"--cloud=kwok"}, map[string]string{"KUBE_CLIENT_QPS": "50"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Print(&out, f); err != nil {
		t.Fatal(err)
	}
	words := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		words[fields[0]] = fields
	}
	for name, want := range map[string][]string{
		"cloud":           {"cloud", "--cloud", "kwok"},
		"kube-client-qps": {"kube-client-qps", "KUBE_CLIENT_QPS", "50"},
		"metrics-port":    {"metrics-port", "default", "8080"},
	} {
		if diff := cmp.Diff(want, words[name]); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

// karpenters are Karpenter's settings with their defaults; charts and manifests set them.
const karpenters = `
karpenter-service
metrics-port 8080
health-probe-port 8081
kube-client-qps 200
kube-client-burst 300
enable-profiling false
disable-controller-warmup true
disable-leader-election false
disable-cluster-state-observability false
leader-election-name karpenter-leader-election
leader-election-namespace
memory-limit -1
cpu-requests 1000
log-level info
log-output-paths [stdout]
log-error-output-paths [stderr]
batch-max-duration 10s
batch-idle-duration 1s
preference-policy Respect
min-values-policy Strict
ignore-dra-requests true
scheduler-config
feature-gates NodeRepair=false,ReservedCapacity=true,SpotToSpotConsolidation=false,NodeOverlay=false,StaticCapacity=false,CapacityBuffer=false,PodDeletionCostManagement=false,TerminateFirstDrift=false,TerminateFirstRepair=false
instance-types-file-path
cluster-name
cluster-endpoint
cluster-ca-bundle
isolated-vpc false
eks-control-plane false
vm-memory-overhead-percent 0.075
interruption-queue
reserved-enis 0
disable-dry-run false
enable-zonal-shift false
security-group-refresh-interval 1m0s
aws-feature-gates NodeClassCEL=false,DRANVIDIAGPU=false,DRAEFA=false,RebootForRepair=false
legacy-node-repair false
`

func TestSettingsAreKarpenters(t *testing.T) {
	t.Parallel()
	_, f, err := load(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.TrimSpace(karpenters)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch flag := f.Lookup(name); {
		case flag == nil:
			t.Errorf("there is no flag --%s", name)
		case flag.DefValue != value:
			t.Errorf("--%s is %q by default, want %q", name, flag.DefValue, value)
		}
		if got, want := Variable(name), strings.ToUpper(strings.ReplaceAll(name, "-", "_")); got != want {
			t.Errorf("the variable of --%s is %s, want %s", name, got, want)
		}
	}
}
