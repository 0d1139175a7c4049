package observe

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reference is Karpenter's metrics: kind, name and labels. Dashboards and alerts are written against it.
const reference = `
c karpenter_nodeclaims_created_total reason nodepool min_values_relaxed
c karpenter_nodeclaims_terminated_total nodepool capacity_type zone
c karpenter_nodeclaims_disrupted_total reason nodepool capacity_type consolidation_policy termination_mode
c karpenter_pods_disruption_initiated_total reason nodepool capacity_type consolidation_policy termination_mode
h karpenter_nodeclaims_instance_termination_duration_seconds nodepool
h karpenter_nodeclaims_termination_duration_seconds nodepool
c karpenter_nodeclaims_unhealthy_disrupted_total condition nodepool capacity_type image_id termination_mode
c karpenter_nodes_created_total nodepool zone
c karpenter_nodes_terminated_total nodepool zone
s karpenter_nodes_termination_duration_seconds nodepool
c karpenter_nodes_drained_total nodepool
h karpenter_nodes_lifetime_duration_seconds nodepool
g karpenter_cluster_utilization_percent resource_type
g karpenter_cluster_state_node_count
g karpenter_cluster_state_synced
g karpenter_cluster_state_unsynced_time_seconds
h karpenter_scheduler_scheduling_duration_seconds controller
g karpenter_scheduler_queue_depth controller scheduling_id
g karpenter_scheduler_unfinished_work_seconds controller scheduling_id
g karpenter_scheduler_ignored_pods_count
g karpenter_scheduler_unschedulable_pods_count controller
g karpenter_scheduler_pending_pods_by_effective_zone_count controller zone
g karpenter_pods_state name namespace owner node scheduled nodepool zone arch capacity_type instance_type phase ready managed
s karpenter_pods_startup_duration_seconds
h karpenter_pods_bound_duration_seconds dynamic_resources
h karpenter_pods_scheduling_decision_duration_seconds
h karpenter_pods_provisioning_bound_duration_seconds dynamic_resources
h karpenter_pods_provisioning_startup_duration_seconds
g karpenter_pods_unstarted_time_seconds name namespace
g karpenter_pods_unbound_time_seconds name namespace dynamic_resources
g karpenter_pods_provisioning_unbound_time_seconds name namespace dynamic_resources
g karpenter_pods_provisioning_unstarted_time_seconds name namespace
g karpenter_pods_provisioning_scheduling_undecided_time_seconds name namespace
c karpenter_pods_eviction_requests_total code
c karpenter_pods_drained_total reason
h karpenter_voluntary_disruption_decision_evaluation_duration_seconds reason consolidation_type
c karpenter_voluntary_disruption_decisions_total decision reason consolidation_type
c karpenter_voluntary_disruption_decisions_by_nodepool_total decision reason consolidation_type nodepool
g karpenter_voluntary_disruption_eligible_nodes reason
c karpenter_voluntary_disruption_consolidation_timeouts_total consolidation_type
c karpenter_voluntary_disruption_failed_validations_total consolidation_type
c karpenter_voluntary_disruption_queue_failures_total decision reason consolidation_type
h karpenter_consolidation_score decision nodepool policy
c karpenter_consolidation_moves_total decision nodepool policy
g karpenter_pod_deletion_cost_nodes_with_pending_annotation_writes nodepool
c karpenter_pod_deletion_cost_pod_annotation_writes_total result
g karpenter_nodepools_allowed_disruptions nodepool reason
g karpenter_nodepools_nodes_consuming_budgets nodepool reason
g karpenter_nodepools_limit resource_type nodepool
g karpenter_nodepools_usage resource_type nodepool
g karpenter_nodepools_cost_total nodepool
c karpenter_nodes_reboots_total result
h karpenter_nodes_reboot_duration_seconds result
h karpenter_nodes_reboot_recovery_duration_seconds
c karpenter_voluntary_disruption_terminate_first_decisions_total nodepool reason terminate_first_reason
c karpenter_nodepools_cost_tracker_errors_total nodepool
h karpenter_cloudprovider_duration_seconds controller method provider
c karpenter_cloudprovider_errors_total controller method provider nodepool error
g karpenter_cloudprovider_instance_type_cpu_cores instance_type
g karpenter_cloudprovider_instance_type_memory_bytes instance_type
g karpenter_cloudprovider_instance_type_offering_available instance_type capacity_type zone
g karpenter_cloudprovider_instance_type_offering_price_estimate instance_type capacity_type zone
h karpenter_cloudprovider_batcher_batch_size batcher
h karpenter_cloudprovider_batcher_batch_time_seconds batcher
c karpenter_cloudprovider_instance_launch_failures_total zone zone_id capacity_type reason
c karpenter_cloudprovider_instance_termination_failures_total zone zone_id
g karpenter_ec2nodeclasses_userdata_bytes nodeclass
c aws_sdk_go_request_total service action code
h aws_sdk_go_request_duration_seconds service action code
h aws_sdk_go_request_retry_count service action code
c aws_sdk_go_request_attempt_total service action code
h aws_sdk_go_request_attempt_duration_seconds service action code
g karpenter_nodes_allocatable resource_type node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_nodes_total_pod_requests resource_type node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_nodes_total_pod_limits resource_type node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_nodes_total_daemon_requests resource_type node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_nodes_total_daemon_limits resource_type node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_nodes_system_overhead resource_type node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_nodes_current_lifetime_seconds node_name nodepool phase managed arch capacity_type instance_type os region zone windows_build
g karpenter_build_info version goversion goarch commit
c operator_status_condition_transitions_total group kind type status reason
h operator_status_condition_transition_seconds group kind type status to_status
g operator_status_condition_count group kind namespace name type status reason
g operator_status_condition_current_status_seconds group kind namespace name type status reason
g operator_termination_current_time_seconds group kind namespace name
h operator_termination_duration_seconds group kind
c operator_nodeclaim_status_condition_transitions_total type status reason
g operator_capacitybuffer_status_condition_count namespace name type status reason
`

func TestMetricsAreKarpenters(t *testing.T) {
	t.Parallel()
	have := map[string]string{}
	for _, m := range NewMetrics().Table() {
		have[m.Name] = string(m.Kind)[:1] + " " + m.Name + " " + strings.Join(
			slices.Sorted(slices.Values(m.Labels)),
			" ",
		)
	}
	for line := range strings.Lines(strings.TrimSpace(reference)) {
		words := strings.Fields(line)
		slices.Sort(words[2:])
		want := words[0] + " " + words[1] + " " + strings.Join(words[2:], " ")
		if diff := cmp.Diff(want, have[words[1]]); diff != "" {
			t.Errorf("%s: -want +got\n%s", words[1], diff)
		}
	}
}

// events are Karpenter's: reason, type, and the kinds of objects that get it.
const events = `
Nominated Normal Pod
RebootObserved Normal NodeClaim
RebootFailed Warning NodeClaim
FailedScheduling Warning Pod
NoCompatibleInstanceTypes Warning NodePool
DisruptionLaunching Normal NodeClaim
DisruptionWaitingReadiness Normal NodeClaim
DisruptionTerminating Normal Node NodeClaim
DisruptionBlocked Normal Node NodeClaim
DisruptionBlocked Normal NodePool
Unconsolidatable Normal Node NodeClaim
ConsolidationCandidate Normal Node NodeClaim
ConsolidationRejected Normal Node NodeClaim
ConsolidationApproved Normal Node NodeClaim NodePool
NodeRepairBlocked Warning Node NodeClaim NodePool
Evicted Normal Pod
Disrupted Normal Pod
FailedDraining Warning Node
AwaitingVolumeDetachment Normal Node
TerminationGracePeriodExpiring Warning Node NodeClaim
InsufficientCapacityError Warning NodeClaim
InsufficientCapacityError Warning Pod
UnregisteredTaintMissing Warning NodeClaim
ZonalShiftActive Warning NodePool
ZonalShiftCleared Normal NodePool
FailedConsistencyCheck Warning NodeClaim
InvalidDoNotDisruptAnnotation Warning Pod
DoNotDisruptUntil Normal Pod
DoNotDisruptGracePeriodElapsed Normal Pod
FailedTermination Warning Node NodeClaim
NodeClassNotReady Warning NodeClaim
Finalized Normal Node NodeClaim NodePool CapacityBuffer
`

func TestEventReasonsAreKarpenters(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, r := range Reasons() {
		have[r.Name+" "+r.Type+" "+strings.ReplaceAll(r.On, ",", "")] = true
	}
	for line := range strings.Lines(strings.TrimSpace(events)) {
		if !have[strings.TrimSpace(line)] {
			t.Errorf("there is no event %s", line)
		}
	}
}
