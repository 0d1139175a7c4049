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
		"BATCH_MAX_DURATION": "30s", "BATCH_IDLE_DURATION": "2s", "CLUSTER_NAME": "blue", "LOG_OUTPUT_PATHS": "stdout,/var/log/d.log",
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
	_, _, err = load(t, nil, map[string]string{"FEATURE_GATES": "NodeRepairs=true,NodeOverlay=perhaps"})
	for _, want := range []string{"FEATURE_GATES", `no feature gate "NodeRepairs"`, "NodeOverlay must be true or false"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
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
		"cloud":           {"cloud", "kwok", "--cloud"},
		"kube-client-qps": {"kube-client-qps", "50", "KUBE_CLIENT_QPS"},
		"metrics-port":    {"metrics-port", "8080", "default"},
	} {
		if diff := cmp.Diff(want, words[name]); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}
