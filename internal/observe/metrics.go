package observe

import (
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are all metrics of one daemon. Fields are named after their metrics; labels
// are given in the order of the table, or by name with With.
type Metrics struct {
	table *table

	Claims     ClaimMetrics
	Nodes      NodeMetrics
	Pods       PodMetrics
	Scheduler  SchedulerMetrics
	Disruption DisruptionMetrics
	Pools      PoolMetrics
	Cluster    ClusterMetrics
	Costs      DeletionCostMetrics
	Cloud      CloudMetrics
	AWS        AWSMetrics
	Notices    NoticeMetrics
	Status     StatusMetrics
}

// NewMetrics makes the metrics of one daemon, in a registry of their own.
func NewMetrics() *Metrics {
	t := &table{registry: prometheus.NewRegistry()}
	m := &Metrics{
		table:      t,
		Claims:     claimMetrics(t),
		Nodes:      nodeMetrics(t),
		Pods:       podMetrics(t),
		Scheduler:  schedulerMetrics(t),
		Disruption: disruptionMetrics(t),
		Pools:      poolMetrics(t),
		Cluster:    clusterMetrics(t),
		Costs:      deletionCostMetrics(t),
		Cloud:      cloudMetrics(t),
		AWS:        awsMetrics(t),
		Notices:    noticeMetrics(t),
		Status:     statusMetrics(t),
	}
	build := t.gauge(
		"build_info",
		"1, with the version of the running build as labels.",
		"version",
		"goversion",
		"goarch",
		"commit",
	)
	version, commit := Version()
	build.WithLabelValues(version, runtime.Version(), runtime.GOARCH, commit).Set(1)
	return m
}

// Gatherer reads the metrics.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.table.registry }

// Table documents all metrics, ascending by name.
func (m *Metrics) Table() []Metric {
	rows := slices.Clone(m.table.rows)
	slices.SortFunc(rows, func(a, b Metric) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return rows
}

// ClaimMetrics count NodeClaims.
type ClaimMetrics struct {
	PlannedPrice        *prometheus.CounterVec
	LaunchedPrice       *prometheus.CounterVec
	Created             *prometheus.CounterVec
	Terminated          *prometheus.CounterVec
	Disrupted           *prometheus.CounterVec
	UnhealthyDisrupted  *prometheus.CounterVec
	InstanceTermination *prometheus.HistogramVec
	Termination         *prometheus.HistogramVec
}

func claimMetrics(t *table) ClaimMetrics {
	return ClaimMetrics{
		Created: t.counter("nodeclaims_created_total",
			"NodeClaims created, by why.", "reason", "nodepool", "min_values_relaxed"),
		Terminated: t.counter("nodeclaims_terminated_total",
			"NodeClaims that are gone with their machine.", "nodepool", "capacity_type", "zone"),
		Disrupted: t.counter("nodeclaims_disrupted_total",
			"NodeClaims whose deletion the daemon asked for, by why.", disruptionLabels...),
		UnhealthyDisrupted: t.counter(
			"nodeclaims_unhealthy_disrupted_total",
			"NodeClaims deleted because their node was unhealthy.",
			"condition",
			"nodepool",
			"capacity_type",
			"image_id",
			"termination_mode",
		),
		InstanceTermination: t.histogram("nodeclaims_instance_termination_duration_seconds",
			"Seconds from asking the cloud to end a machine until it is gone.", "nodepool"),
		Termination: t.histogram("nodeclaims_termination_duration_seconds",
			"Seconds from the deletion of a NodeClaim until it is gone.", "nodepool"),
		PlannedPrice: t.counter(
			"nodeclaims_planned_price_total",
			"Dollars an hour that launched machines were planned to cost: those of the cheapest option of each plan.",
			"nodepool",
			"capacity_type",
		),
		LaunchedPrice: t.counter(
			"nodeclaims_launched_price_total",
			"Dollars an hour that launched machines cost. Planned over launched is how far what is bought is what was "+
				"planned: 1 unless the market moved.",
			"nodepool",
			"capacity_type",
		),
	}
}

// disruptionLabels say why and how a node is given up; termination_mode is graceful,
// eventual (graceful until terminationGracePeriod) or forceful.
var disruptionLabels = []string{"reason", "nodepool", "capacity_type", "consolidation_policy", "termination_mode"}

// nodeLabels tell one node from another in metrics that have a series for each.
var nodeLabels = []string{
	"node_name", "nodepool", "phase", "managed",
	"arch", "capacity_type", "instance_type", "os", "region", "zone", "windows_build",
}

// NodeMetrics count nodes. Gauges are worked out when they are read.
type NodeMetrics struct {
	Created        *prometheus.CounterVec
	Terminated     *prometheus.CounterVec
	Termination    *prometheus.SummaryVec
	Drained        *prometheus.CounterVec
	Lifetime       *prometheus.HistogramVec
	Allocatable    *prometheus.GaugeVec
	PodRequests    *prometheus.GaugeVec
	PodLimits      *prometheus.GaugeVec
	DaemonRequests *prometheus.GaugeVec
	DaemonLimits   *prometheus.GaugeVec
	SystemOverhead *prometheus.GaugeVec
	Age            *prometheus.GaugeVec

	// Reboots count reboots that mend sick nodes, by how they ended: succeeded, provider_error, recovery_timeout or
	// invalid_request.
	Reboots        *prometheus.CounterVec
	RebootDuration *prometheus.HistogramVec
	RebootRecovery *prometheus.HistogramVec
}

func nodeMetrics(t *table) NodeMetrics {
	perResource := append([]string{"resource_type"}, nodeLabels...)
	return NodeMetrics{
		Created:    t.counter("nodes_created_total", "Nodes that joined.", "nodepool", "zone"),
		Terminated: t.counter("nodes_terminated_total", "Nodes that are gone.", "nodepool", "zone"),
		Termination: t.summary(
			"nodes_termination_duration_seconds",
			"Seconds from the deletion of a node until it is gone.",
			"nodepool",
		),
		Drained:     t.counter("nodes_drained_total", "Nodes that were drained.", "nodepool"),
		Lifetime:    t.histogramDays("nodes_lifetime_duration_seconds", "Seconds that nodes lived.", "nodepool"),
		Allocatable: t.gauge("nodes_allocatable", "Resources that pods can use on a node.", perResource...),
		PodRequests: t.gauge(
			"nodes_total_pod_requests",
			"Resources that pods of a node request, those of DaemonSets apart.",
			perResource...),
		PodLimits: t.gauge(
			"nodes_total_pod_limits",
			"Limits of the pods of a node, those of DaemonSets apart.",
			perResource...),
		DaemonRequests: t.gauge("nodes_total_daemon_requests",
			"Resources that DaemonSets' pods of a node request.", perResource...),
		DaemonLimits: t.gauge(
			"nodes_total_daemon_limits",
			"Limits of the DaemonSets' pods of a node.",
			perResource...),
		SystemOverhead: t.gauge("nodes_system_overhead", "Capacity of a node that pods cannot use.", perResource...),
		Age:            t.gauge("nodes_current_lifetime_seconds", "Seconds since a node was created.", nodeLabels...),
		Reboots: t.counter(
			"nodes_reboots_total",
			"Reboots of sick nodes that are over, by how they ended.",
			"result",
		),
		RebootDuration: t.bareHistogram(prefix+"nodes_reboot_duration_seconds", rebootBuckets,
			"Seconds from the request of a reboot until it was over.", "result"),
		RebootRecovery: t.bareHistogram(prefix+"nodes_reboot_recovery_duration_seconds", rebootBuckets,
			"Seconds from telling the cloud to reboot a node until it was ready again."),
	}
}

// rebootBuckets double from ten seconds to twenty minutes. Karpenter's figures.
var rebootBuckets = prometheus.ExponentialBuckets(10, 2, 8)

// histogramDays has buckets from a quarter of an hour to 30 days.
func (t *table) histogramDays(name, doc string, labels ...string) *prometheus.HistogramVec {
	const hour = 3600
	return t.bareHistogram(prefix+name, []float64{
		hour / 4,
		hour / 2,
		hour,
		2 * hour,
		4 * hour,
		6 * hour,
		8 * hour,
		10 * hour,
		12 * hour,
		16 * hour,
		20 * hour,
		24 * hour,
		36 * hour,
		48 * hour,
		72 * hour,
		120 * hour,
		168 * hour,
		240 * hour,
		360 * hour,
		480 * hour,
		600 * hour,
		720 * hour,
	}, doc, labels...)
}

// PodMetrics count pods and how long they wait.
type PodMetrics struct {
	State                 *prometheus.GaugeVec
	Startup               *prometheus.SummaryVec
	Bound                 *prometheus.HistogramVec
	Decision              *prometheus.HistogramVec
	ProvisioningBound     *prometheus.HistogramVec
	ProvisioningStartup   *prometheus.HistogramVec
	Unstarted             *prometheus.GaugeVec
	Unbound               *prometheus.GaugeVec
	ProvisioningUnbound   *prometheus.GaugeVec
	ProvisioningUnstarted *prometheus.GaugeVec
	Undecided             *prometheus.GaugeVec
	Evictions             *prometheus.CounterVec
	Drained               *prometheus.CounterVec
	DisruptionInitiated   *prometheus.CounterVec

	// Planned is ours: whether pods were bound where they were planned.
	Planned *prometheus.CounterVec
	// Bindings is ours: what became of bindings that were sent.
	Bindings *prometheus.CounterVec
}

func podMetrics(t *table) PodMetrics {
	return PodMetrics{
		State: t.gauge(
			"pods_state",
			"1 for each pod, with where and how it is as labels.",
			"name",
			"namespace",
			"owner",
			"node",
			"scheduled",
			"nodepool",
			"zone",
			"arch",
			"capacity_type",
			"instance_type",
			"phase",
			"ready",
			"managed",
		),
		Startup: t.summary("pods_startup_duration_seconds", "Seconds from a pod's creation until it ran."),
		Bound: t.histogram("pods_bound_duration_seconds",
			"Seconds from a pod's creation until it was bound.", "dynamic_resources"),
		Decision: t.histogram(
			"pods_scheduling_decision_duration_seconds",
			"Seconds from first seeing a pending pod until it was decided what becomes of it.",
		),
		ProvisioningBound: t.histogram("pods_provisioning_bound_duration_seconds",
			"Seconds from first seeing a pending pod until it was bound.", "dynamic_resources"),
		ProvisioningStartup: t.histogram("pods_provisioning_startup_duration_seconds",
			"Seconds from first seeing a pending pod until it ran."),
		Unstarted: t.gauge(
			"pods_unstarted_time_seconds",
			"Seconds since the creation of a pod that does not run.",
			"name",
			"namespace",
		),
		Unbound: t.gauge(
			"pods_unbound_time_seconds",
			"Seconds since the creation of a pod that is not bound.",
			"name",
			"namespace",
			"dynamic_resources",
		),
		ProvisioningUnbound: t.gauge("pods_provisioning_unbound_time_seconds",
			"Seconds since first seeing a pending pod that is not bound.", "name", "namespace", "dynamic_resources"),
		ProvisioningUnstarted: t.gauge("pods_provisioning_unstarted_time_seconds",
			"Seconds since first seeing a pending pod that does not run.", "name", "namespace"),
		Undecided: t.gauge("pods_provisioning_scheduling_undecided_time_seconds",
			"Seconds since first seeing a pending pod for which nothing is decided.", "name", "namespace"),
		Evictions: t.counter(
			"pods_eviction_requests_total",
			"Eviction requests, by the HTTP code of the answer.",
			"code",
		),
		Drained: t.counter("pods_drained_total", "Pods drained from nodes, by why their node goes.", "reason"),
		DisruptionInitiated: t.counter("pods_disruption_initiated_total",
			"Pods on nodes whose deletion the daemon asked for, by why.", disruptionLabels...),
		Planned: t.counter(
			"pods_bound_as_planned_total",
			"Pods bound after they were planned, by whether it was where the plan had them.",
			"nodepool",
			"as_planned",
		),
		Bindings: t.counter(
			"pods_bindings_total",
			"Bindings that the daemon sent, by what the API server answered: bound, conflict (kube-scheduler was "+
				"faster, or the pod goes), refused, or unknown.",
			"result",
		),
	}
}

// SchedulerMetrics describe planning.
type SchedulerMetrics struct {
	Duration     *prometheus.HistogramVec
	QueueDepth   *prometheus.GaugeVec
	Unfinished   *prometheus.GaugeVec
	Ignored      *prometheus.GaugeVec
	Unplaced     *prometheus.GaugeVec
	PendingZones *prometheus.GaugeVec
}

func schedulerMetrics(t *table) SchedulerMetrics {
	return SchedulerMetrics{
		Duration: t.histogram("scheduler_scheduling_duration_seconds", "Seconds that one plan took.", "controller"),
		QueueDepth: t.gauge(
			"scheduler_queue_depth",
			"Pods that the running plan still has to place.",
			"controller",
			"scheduling_id",
		),
		Unfinished: t.gauge(
			"scheduler_unfinished_work_seconds",
			"Seconds since the running plan began.",
			"controller",
			"scheduling_id",
		),
		Ignored: t.gauge("scheduler_ignored_pods_count", "Pending pods that are not ours to place."),
		Unplaced: t.gauge(
			"scheduler_unschedulable_pods_count",
			"Pods that the last plan found no room for.",
			"controller",
		),
		PendingZones: t.gauge("scheduler_pending_pods_by_effective_zone_count",
			"Pending pods by the zone that they must go to.", "controller", "zone"),
	}
}

// DisruptionMetrics describe voluntary disruption. decision is delete, replace, terminate-first, reboot or no-op;
// consolidation_type is empty, multi, single or nothing.
type DisruptionMetrics struct {
	Evaluation        *prometheus.HistogramVec
	Decisions         *prometheus.CounterVec
	DecisionsByPool   *prometheus.CounterVec
	Eligible          *prometheus.GaugeVec
	Timeouts          *prometheus.CounterVec
	FailedValidations *prometheus.CounterVec
	QueueFailures     *prometheus.CounterVec
	Score             *prometheus.HistogramVec
	Moves             *prometheus.CounterVec
	TerminateFirst    *prometheus.CounterVec
}

func disruptionMetrics(t *table) DisruptionMetrics {
	const v = "voluntary_disruption_"
	m := DisruptionMetrics{
		Evaluation: t.histogram(
			v+"decision_evaluation_duration_seconds",
			"Seconds that it took to look for nodes to give up.",
			"reason",
			"consolidation_type",
		),
		Decisions: t.counter(
			v+"decisions_total",
			"Decisions to give nodes up.",
			"decision",
			"reason",
			"consolidation_type",
		),
		DecisionsByPool: t.counter(
			v+"decisions_by_nodepool_total",
			"Decisions to give nodes up, by NodePool.",
			"decision",
			"reason",
			"consolidation_type",
			"nodepool",
		),
		Eligible: t.gauge(v+"eligible_nodes", "Nodes that may be given up.", "reason"),
		Timeouts: t.counter(
			v+"consolidation_timeouts_total",
			"Searches for consolidation that ran out of time.",
			"consolidation_type",
		),
		FailedValidations: t.counter(v+"failed_validations_total",
			"Decisions that no longer held when they were checked again.", "consolidation_type"),
		QueueFailures: t.counter(
			v+"queue_failures_total",
			"Decisions that could not be carried out.",
			"decision",
			"reason",
			"consolidation_type",
		),
		Score: t.bareHistogram(
			prefix+"consolidation_score",
			scoreBuckets,
			"Share of cost saved over share of pods disturbed, of moves that were looked at.",
			"decision",
			"nodepool",
			"policy",
		),
		Moves: t.counter("consolidation_moves_total", "Moves that were looked at.", "decision", "nodepool", "policy"),
		TerminateFirst: t.counter(
			v+"terminate_first_decisions_total",
			"Decisions to end a node before its replacement is there, by why there is no room for both: "+
				"no-reserved-capacity or static-at-limit.",
			"nodepool",
			"reason",
			"terminate_first_reason",
		),
	}
	for _, kind := range []string{"single", "multi"} {
		m.Timeouts.WithLabelValues(kind) // 0 from the start, as alerts expect
	}
	return m
}

// PoolMetrics describe NodePools.
type PoolMetrics struct {
	Allowed    *prometheus.GaugeVec
	Consuming  *prometheus.GaugeVec
	Limit      *prometheus.GaugeVec
	Usage      *prometheus.GaugeVec
	Cost       *prometheus.GaugeVec
	CostErrors *prometheus.CounterVec
}

func poolMetrics(t *table) PoolMetrics {
	return PoolMetrics{
		Allowed: t.gauge(
			"nodepools_allowed_disruptions",
			"Nodes that budgets let go away at once, those that are going included.",
			"nodepool",
			"reason",
		),
		Consuming: t.gauge(
			"nodepools_nodes_consuming_budgets",
			"Nodes that count against budgets.",
			"nodepool",
			"reason",
		),
		Limit: t.gauge("nodepools_limit", "Limits of a NodePool.", "resource_type", "nodepool"),
		Usage: t.gauge("nodepools_usage", "What a NodePool's nodes have together.", "resource_type", "nodepool"),
		Cost:  t.gauge("nodepools_cost_total", "Price of a NodePool's nodes, in dollars an hour.", "nodepool"),
		CostErrors: t.counter(
			"nodepools_cost_tracker_errors_total",
			"Nodes whose price could not be found.",
			"nodepool",
		),
	}
}

// ClusterMetrics describe the mirror.
type ClusterMetrics struct {
	Nodes       *prometheus.GaugeVec
	Synced      *prometheus.GaugeVec
	Unsynced    *prometheus.GaugeVec
	Utilization *prometheus.GaugeVec
}

func clusterMetrics(t *table) ClusterMetrics {
	return ClusterMetrics{
		Nodes:  t.gauge("cluster_state_node_count", "Nodes that the daemon knows."),
		Synced: t.gauge("cluster_state_synced", "1 once the daemon has seen the whole cluster."),
		Unsynced: t.gauge(
			"cluster_state_unsynced_time_seconds",
			"Seconds for which the daemon has not seen the whole cluster.",
		),
		Utilization: t.gauge(
			"cluster_utilization_percent",
			"What pods request, in percent of what is allocatable.",
			"resource_type",
		),
	}
}

// DeletionCostMetrics describe which pods ReplicaSets are told to end first.
type DeletionCostMetrics struct {
	Pending *prometheus.GaugeVec
	Writes  *prometheus.CounterVec
}

func deletionCostMetrics(t *table) DeletionCostMetrics {
	const p = "pod_deletion_cost_"
	return DeletionCostMetrics{
		Pending: t.gauge(
			p+"nodes_with_pending_annotation_writes",
			"Nodes with pods whose deletion cost is still to be written.",
			"nodepool",
		),
		Writes: t.counter(
			p+"pod_annotation_writes_total",
			"Deletion costs of pods by what became of them: updated, skipped_unchanged, skipped_notfound, "+
				"skipped_conflict (the value is somebody else's), error.",
			"result",
		),
	}
}

// CloudMetrics describe calls to the cloud, and what it sells.
type CloudMetrics struct {
	Duration *prometheus.HistogramVec
	Errors   *prometheus.CounterVec

	TypeCPU           *prometheus.GaugeVec
	TypeMemory        *prometheus.GaugeVec
	OfferingAvailable *prometheus.GaugeVec
	OfferingPrice     *prometheus.GaugeVec
}

func cloudMetrics(t *table) CloudMetrics {
	offering := []string{"instance_type", "capacity_type", "zone"}
	return CloudMetrics{
		Duration: t.histogram(
			"cloudprovider_duration_seconds",
			"Seconds that calls to the cloud took.",
			"controller",
			"method",
			"provider",
		),
		Errors: t.counter("cloudprovider_errors_total", "Calls to the cloud that failed.",
			"controller", "method", "provider", "nodepool", "error"),

		TypeCPU: t.gauge(
			"cloudprovider_instance_type_cpu_cores",
			"Cores of an instance type.",
			"instance_type",
		),
		TypeMemory: t.gauge(
			"cloudprovider_instance_type_memory_bytes",
			"Memory of an instance type, as nodes are planned with.",
			"instance_type",
		),
		OfferingAvailable: t.gauge(
			"cloudprovider_instance_type_offering_available",
			"1 for what can be bought just now, 0 for what is short.",
			offering...),
		OfferingPrice: t.gauge(
			"cloudprovider_instance_type_offering_price_estimate",
			"Price in dollars an hour that plans count with.",
			offering...),
	}
}

// NoticeMetrics describe what the cloud says of interruptions.
type NoticeMetrics struct {
	Received *prometheus.CounterVec
	Deleted  *prometheus.CounterVec
	Waited   *prometheus.HistogramVec

	// Unhealthy counts findings, by provider.NoticeKind.
	Unhealthy *prometheus.CounterVec
}

func noticeMetrics(t *table) NoticeMetrics {
	return NoticeMetrics{
		Received: t.counter(
			"interruption_received_messages_total",
			"Messages received from the interruption queue, by what they are about.",
			"message_type",
		),
		Deleted: t.counter("interruption_deleted_messages_total", "Messages deleted from the interruption queue."),
		Waited: t.histogram("interruption_message_queue_duration_seconds",
			"Seconds from the sending of a message until it was acted upon."),
		Unhealthy: t.counter(
			"interruption_instance_status_unhealthy_total",
			"Machines found broken by the cloud's status checks, by kind of check.",
			"category",
		),
	}
}
