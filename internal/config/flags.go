package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/dovetail-sh/dovetail/engine"
)

// AddFlags declares every setting and sets the Config to the defaults. This is the table
// of settings: the variable of a flag is its name in UPPER_SNAKE.
func (c *Config) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&c.Cloud, "cloud", CloudAWS, "the cloud to buy machines from: aws or kwok")
	f.StringVar(
		&c.Kubeconfig,
		"kubeconfig",
		"",
		"path of the kubeconfig (default the pod's service account, else as kubectl finds it)",
	)
	f.StringVar(&c.Service, "karpenter-service", "", "accepted for compatibility; not used")
	f.StringVar(&c.SystemNamespace, "system-namespace", "kube-system", "namespace that the controller runs in")
	f.IntVar(
		&c.CPURequests,
		"cpu-requests",
		1000,
		"the controller's CPU request in milli-cores, 0 if it has none; scales how much is done at once",
	)
	f.Int64Var(
		&c.MemoryLimit,
		"memory-limit",
		-1,
		"the controller's memory limit in bytes; the garbage collector aims at 90 % of it; -1 for none",
	)
	f.BoolVar(
		&c.AggregateNodes,
		"aggregate-node-metrics",
		false,
		"give the metrics of nodes one series for all nodes of a NodePool, zone and capacity type, instead of one for "+
			"each node",
	)
	f.BoolVar(
		&c.DisableObservability,
		"disable-cluster-state-observability",
		false,
		"drop the metrics that have a series for each pod or node",
	)

	f.IntVar(&c.Kube.QPS, "kube-client-qps", 200, "sustained requests a second to the API server")
	f.IntVar(&c.Kube.Burst, "kube-client-burst", 300, "requests to the API server at once")
	f.StringVar(&c.Serve.Address, "listen-address", "",
		"IP address that metrics and health are served on (default all of them)")
	f.IntVar(&c.Serve.MetricsPort, "metrics-port", 8080, "port of /metrics; 0 for none")
	f.IntVar(&c.Serve.HealthPort, "health-probe-port", 8081, "port of /healthz and /readyz; 0 for none")
	f.StringVar(&c.Serve.WebAddress, "web-address", "", "address of the web page: :8082 for whoever has a token "+
		"and may list nodes and pods, 127.0.0.1:8082 for whoever is on the machine; empty for none")
	f.BoolVar(&c.Serve.Profiling, "enable-profiling", false, "serve /debug/pprof on the metrics port")

	f.BoolVar(&c.Leader.Disabled, "disable-leader-election", false, "run without a lease; for one replica only")
	f.StringVar(&c.Leader.Name, "leader-election-name", "karpenter-leader-election", "name of the lease")
	f.StringVar(
		&c.Leader.Namespace,
		"leader-election-namespace",
		"",
		"namespace of the lease (default the system namespace)",
	)
	f.BoolVar(
		&c.Leader.DisableWarmup,
		"disable-controller-warmup",
		true,
		"do not start the controllers' watches before being the leader",
	)

	f.StringVar(&c.Log.Level, "log-level", "info", "least level that is logged: debug, info or error")
	f.StringSliceVar(
		&c.Log.OutputPaths,
		"log-output-paths",
		[]string{"stdout"},
		"where logs go: stdout, stderr or files",
	)
	f.StringSliceVar(
		&c.Log.ErrorOutputPaths,
		"log-error-output-paths",
		[]string{"stderr"},
		"where errors of logging itself go",
	)

	c.addPlanningFlags(f)
	c.addCloudFlags(f)
}

func (c *Config) addPlanningFlags(f *pflag.FlagSet) {
	f.DurationVar(
		&c.Planning.BatchIdle,
		"batch-idle-duration",
		time.Second,
		"plan when no further pod has come for so long",
	)
	f.DurationVar(
		&c.Planning.BatchMax,
		"batch-max-duration",
		10*time.Second,
		"plan at the latest so long after the first pod",
	)
	f.StringVar(
		&c.Planning.Preferences,
		"preference-policy",
		"Respect",
		"what becomes of preferences: Respect or Ignore",
	)
	f.StringVar(
		&c.Planning.MinValues,
		"min-values-policy",
		"Strict",
		"what becomes of minValues that cannot be kept: Strict or BestEffort",
	)
	f.BoolVar(&c.Planning.IgnoreDRA, "ignore-dra-requests", true, "refuse pods with claims for dynamic resources")
	f.StringVar(&c.Planning.Scheduler, "scheduler-config", "", "defaults of topology spread, in YAML or JSON")
	f.IntVar(
		&c.Planning.Effort,
		"plan-effort",
		engine.DefaultPolicy().Effort,
		"steps that a plan may spend on getting cheaper",
	)
	f.Float64Var(
		&c.Planning.NodePrice,
		"node-price",
		0,
		"dollars an hour that a node costs beside its machine, when plans are compared",
	)
	f.Float64Var(
		&c.Planning.MinSaving,
		"consolidation-min-saving",
		0.05,
		"share of a node's price that replacing it must save, 0 to 1; 0 replaces for any saving, as Karpenter does",
	)
	f.Float64Var(
		&c.Planning.PodPrice,
		"consolidation-pod-price",
		0.001,
		"dollars that evicting an ordinary pod once costs, when moves are weighed",
	)
	f.DurationVar(
		&c.Planning.Payback,
		"consolidation-payback",
		time.Hour,
		"within which a move must have saved what its evictions cost; 0 moves for any saving, as Karpenter does",
	)
	f.StringVar(
		&c.Planning.Placement,
		"placement",
		PlacementBind,
		"how pods come to the nodes that were bought for them: bind binds them there, nominate tells kube-scheduler, "+
			"off leaves it to kube-scheduler",
	)
	f.DurationVar(
		&c.Planning.PlacementHold,
		"placement-hold",
		10*time.Second,
		"how long a node that is ready may be kept for the pods of a plan while none is bound, so that no others take "+
			"their room; six times that at most, 0 for not at all",
	)
	f.StringVar(
		&c.Planning.JournalDir,
		"journal-dir",
		"",
		"directory for the record of plans and moves (default in memory only)",
	)

	f.DurationVar(
		&c.Lifecycle.Launch,
		"launch-timeout",
		5*time.Minute,
		"give a claim up that was not launched for so long; 0 for an hour",
	)
	f.DurationVar(
		&c.Lifecycle.Registration,
		"registration-timeout",
		15*time.Minute,
		"give a claim up whose node did not join for so long; 0 for never",
	)
	f.DurationVar(
		&c.Lifecycle.Initialization,
		"initialization-timeout",
		time.Hour,
		"give a claim up whose node joined and was not ready for use for so long; 0 for never",
	)
	f.BoolVar(
		&c.Lifecycle.Surge,
		"surge-single-replicas",
		false,
		"start another pod before the only one of a Deployment is evicted, where a PodDisruptionBudget lets it not go "+
			"and the Deployment's strategy allows two",
	)

	f.BoolVar(
		&c.Lifecycle.LegacyRepair,
		"legacy-node-repair",
		false,
		"with the gate NodeRepair, replace sick nodes as Karpenter did before 1.15: without budgets, a replacement "+
			"first or a drain",
	)

	c.Gates = DefaultGates()
	f.Var(&c.Gates, "feature-gates", "comma-separated list of Gate=true or Gate=false")
}

func (c *Config) addCloudFlags(f *pflag.FlagSet) {
	f.StringVar(&c.AWS.ClusterName, "cluster-name", "", "name of the EKS cluster; required with --cloud aws")
	f.StringVar(
		&c.AWS.ClusterEndpoint,
		"cluster-endpoint",
		"",
		"the API server's address for nodes (default as EKS says)",
	)
	f.StringVar(
		&c.AWS.ClusterCABundle,
		"cluster-ca-bundle",
		"",
		"base64 of the API server's CA for nodes (default the controller's own)",
	)
	f.BoolVar(
		&c.AWS.IsolatedVPC,
		"isolated-vpc",
		false,
		"the VPC reaches no AWS service without an endpoint: prices are those built in",
	)
	f.BoolVar(&c.AWS.EKSControlPlane, "eks-control-plane", false, "the control plane is EKS")
	f.BoolVar(&c.AWS.DisableDryRun, "disable-dry-run", false, "do not check an EC2NodeClass with dry runs")
	f.BoolVar(
		&c.AWS.EnableZonalShift,
		"enable-zonal-shift",
		false,
		"avoid zones that a zonal shift has moved traffic away from",
	)
	f.Float64Var(
		&c.AWS.VMMemoryOverheadPercent,
		"vm-memory-overhead-percent",
		0.075,
		"share of an instance's memory that its hypervisor and kernel take, until a node of the type was seen",
	)
	f.StringVar(
		&c.AWS.InterruptionQueue,
		"interruption-queue",
		"",
		"name of the SQS queue with interruption messages; empty for none",
	)
	f.StringVar(
		&c.AWS.RebalanceAction,
		"rebalance-action",
		RebalanceEvent,
		"what becomes of spot nodes with a rebalance recommendation: Event only tells, Replace brings a new node first",
	)
	f.IntVar(&c.AWS.ReservedENIs, "reserved-enis", 0, "network interfaces that pods cannot use")
	f.BoolVar(
		&c.AWS.OpenReservations,
		"use-open-reservations",
		false,
		"launch into the open capacity reservations of the account, as if every EC2NodeClass selected them; needs the "+
			"gate ReservedCapacity",
	)
	f.DurationVar(
		&c.AWS.AMIRefreshInterval,
		"ami-refresh-interval",
		time.Minute,
		"how often AMIs are looked up; at least 1m",
	)
	f.DurationVar(
		&c.AWS.SubnetRefreshInterval,
		"subnet-refresh-interval",
		time.Minute,
		"how often subnets are looked up; at least 1m",
	)
	f.DurationVar(
		&c.AWS.SecurityGroupRefreshInterval,
		"security-group-refresh-interval",
		time.Minute,
		"how often security groups are looked up; at least 1m",
	)
	f.Var(
		&c.AWS.Gates,
		"aws-feature-gates",
		"comma-separated list of Gate=true or Gate=false: NodeClassCEL for expressions in an EC2NodeClass's kubelet, "+
			"RebootForRepair to reboot nodes for what a reset of their devices may mend",
	)
	f.StringVar(
		&c.KWOK.InstanceTypesFile,
		"instance-types-file-path",
		"",
		"JSON file with the kwok cloud's instance types (default 144 made-up ones)",
	)
}

// Variable is the environment variable of a flag.
func Variable(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Environment takes what is set in the environment for flags of AddFlags that were not
// given, and notes where every setting came from. It reports all values that cannot be read.
func (c *Config) Environment(f *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	c.origins = map[string]string{}
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	(&Config{}).AddFlags(own)
	own.VisitAll(func(known *pflag.Flag) {
		flag := f.Lookup(known.Name)
		if flag == nil {
			return
		}
		if flag.Changed {
			c.origins[flag.Name] = "--" + flag.Name
			return
		}
		name := Variable(flag.Name)
		value, ok := lookup(name)
		if !ok || value == "" || flag.Name == "kubeconfig" { // client-go reads KUBECONFIG itself: it may list files
			return
		}
		c.origins[flag.Name] = name
		if err := flag.Value.Set(value); err != nil {
			errs = append(errs, fmt.Errorf("%s is %q: %w", name, value, err))
		}
	})
	return errors.Join(errs...)
}
