package config

import (
	"time"

	"github.com/spf13/pflag"
)

// Clouds that the daemon can drive.
const (
	CloudAWS  = "aws"
	CloudKWOK = "kwok"
)

// What becomes of a spot machine that EC2 recommends to rebalance.
const (
	RebalanceEvent   = "Event"
	RebalanceReplace = "Replace"
)

// How pods come to the nodes that were bought for them.
const (
	PlacementBind     = "bind"     // they are bound there
	PlacementNominate = "nominate" // kube-scheduler is told
	PlacementOff      = "off"      // kube-scheduler finds out
)

// Config is all that may be chosen. Default gives the defaults.
type Config struct {
	Cloud      string // CloudAWS or CloudKWOK
	Kubeconfig string // path; empty means the pod's service account, else the usual places

	Kube      Kube
	Serve     Serve
	Leader    Leader
	Log       Log
	Planning  Planning
	Lifecycle Lifecycle
	Gates     Gates
	AWS       AWS
	KWOK      KWOK

	// SystemNamespace is where the daemon runs and keeps its lease.
	SystemNamespace string
	// Service is accepted because charts set it; nothing uses it.
	Service string
	// CPURequests in milli-cores scales how much is done at once; 0 does half of what a core does.
	CPURequests int
	// MemoryLimit in bytes; the garbage collector aims at 90 % of it. Negative means none.
	MemoryLimit int64
	// AggregateNodes gives the metrics of nodes one series for all nodes of a pool, zone and capacity type.
	AggregateNodes bool
	// DisableObservability drops the metrics that have a series for each pod or node.
	DisableObservability bool

	origins map[string]string // by flag name: how the user named a setting that is not a default
}

// Kube is how the API server is asked.
type Kube struct {
	QPS   int
	Burst int
}

// Serve is where others can ask the daemon. Port 0 serves nothing.
type Serve struct {
	Address     string // to listen on; empty means every address of the machine
	MetricsPort int
	HealthPort  int
	WebAddress  string // of the web page; empty for none
	Profiling   bool   // pprof beside the metrics
}

// Leader is the leader election.
type Leader struct {
	Disabled      bool
	Name          string
	Namespace     string // empty means SystemNamespace
	DisableWarmup bool   // standbys do not fill their caches
}

// Log is how the daemon logs.
type Log struct {
	Level            string // debug, info or error
	OutputPaths      []string
	ErrorOutputPaths []string
}

// Planning is how pods are planned.
type Planning struct {
	BatchIdle, BatchMax time.Duration
	Preferences         string // Respect or Ignore
	MinValues           string // Strict or BestEffort
	IgnoreDRA           bool
	Scheduler           string // YAML or JSON: defaults of topology spread
	Effort              int    // engine.Policy.Effort
	NodePrice           float64
	MinSaving           float64       // share of a node's price that replacing it must save, 0 to 1
	PodPrice            float64       // dollars that evicting an ordinary pod once costs, when moves are weighed
	Payback             time.Duration // within which a move must have paid for its evictions; 0 for any saving
	Placement           string        // PlacementBind, PlacementNominate or PlacementOff
	PlacementHold       time.Duration // binder.Deps.HoldAtMost
	JournalDir          string
}

// Lifecycle is how long nodes may take on their way. 0 means as long as it takes.
type Lifecycle struct {
	Launch         time.Duration
	Registration   time.Duration
	Initialization time.Duration

	// LegacyRepair repairs sick nodes as Karpenter did before 1.15: at once, whatever budgets say. It needs the gate
	// NodeRepair.
	LegacyRepair bool

	// Surge has a single pod behind a PodDisruptionBudget replaced before it is evicted.
	Surge bool
}

// AWS is the settings of the aws cloud.
type AWS struct {
	ClusterName             string
	ClusterEndpoint         string
	ClusterCABundle         string
	IsolatedVPC             bool
	EKSControlPlane         bool
	DisableDryRun           bool
	EnableZonalShift        bool
	VMMemoryOverheadPercent float64
	InterruptionQueue       string
	RebalanceAction         string // RebalanceEvent or RebalanceReplace
	ReservedENIs            int
	OpenReservations        bool // every EC2NodeClass selects the account's open capacity reservations too
	AMIRefreshInterval      time.Duration
	SubnetRefreshInterval   time.Duration

	SecurityGroupRefreshInterval time.Duration

	Gates AWSGates
}

// KWOK is the settings of the kwok cloud.
type KWOK struct {
	InstanceTypesFile string // empty means the generic types
}

// Default is what the daemon runs with unless told otherwise.
func Default() Config {
	c := Config{origins: map[string]string{}}
	c.AddFlags(pflag.NewFlagSet("defaults", pflag.ContinueOnError))
	return c
}

// Warnings are settings that have no effect, one line each under the name that the user typed. They are worth a line in
// the log, and no reason not to start.
func (c *Config) Warnings() []string {
	var out []string
	v := validator{config: c}
	for _, w := range c.Gates.Ignored {
		out = append(out, v.name("feature-gates")+": "+w)
	}
	for _, w := range c.AWS.Gates.Ignored {
		out = append(out, v.name("aws-feature-gates")+": "+w)
	}
	if c.Planning.IgnoreDRA && (c.AWS.Gates.DRANVIDIAGPU || c.AWS.Gates.DRAEFA) {
		out = append(
			out,
			v.name("aws-feature-gates")+": the gates for dynamic resources have no effect while ignore-dra-requests is true",
		)
	}
	if c.AWS.OpenReservations && !c.Gates.ReservedCapacity {
		out = append(
			out,
			v.name("use-open-reservations")+": no reservation is used while the feature gate ReservedCapacity is off",
		)
	}
	return out
}

// LeaseNamespace is where the lease is.
func (c *Config) LeaseNamespace() string {
	if c.Leader.Namespace != "" {
		return c.Leader.Namespace
	}
	return c.SystemNamespace
}
