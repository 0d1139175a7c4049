package integration

import (
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// TestRegression plays the regression suite that users of Karpenter know. docs/regression.md says which story is which
// row.
func TestRegression(t *testing.T) {
	t.Parallel()
	for name, open := range clouds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := open(t)
			v.start(t)
			var both sync.WaitGroup
			both.Go(func() { v.play(t, 1, heavy()) })
			both.Go(func() { v.play(t, 8, acts()) })
			both.Wait()
		})
	}
}

// acts are all stories that the default settings do for.
func acts() []act {
	return []act{
		// These two first: the collector looks often only at the beginning.
		{"Collect/MachineVanishes", machineVanishes},
		{"Collect/OrphanedNode", orphanedNodeGoes},
		{"Drift/Annotations", driftOf(annotated)},
		{"Drift/Labels", driftOf(labelled)},
		{"Drift/Taints", driftOf(tainted)},
		{"Drift/StartupTaints", driftOf(startupTainted)},
		{"Drift/Requirements", driftOf(required)},
		{"Drift/BudgetOfEmptyNodes", driftKeepsTheBudgetOfEmptyNodes},
		{"Drift/BudgetWhenPodsFitElsewhere", driftKeepsTheBudgetWhenPodsFitElsewhere},
		{"Drift/BudgetWhenReplacing", driftKeepsTheBudgetWhenReplacing},
		{"Drift/BlockedByBudget", driftIsBlockedBy(blocking)},
		{"Drift/BlockedBySchedule", driftIsBlockedBy(blockingNow)},
		{"Drift/HashVersion", staleHashVersionIsNoDrift},
		{"Drift/UnhealthyBudget", unhealthyPodsBlockDrift},
		{"Drift/NeverInitializes", driftWaitsForInitialization},
		{"Hash", poolCarriesItsHash},
		{"Chaos/Underutilized", noRunaway(func(p *karpenterv1.NodePool) {
			consolidating(p)
			p.Spec.Template.Spec.Requirements[2] = in(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeSpot)
		})},
		{"Chaos/Emptiness", noRunaway(func(p *karpenterv1.NodePool) {
			p.Spec.Disruption.ConsolidationPolicy, p.Spec.Disruption.ConsolidateAfter = karpenterv1.ConsolidationPolicyWhenEmpty, karpenterv1.After(
				30*time.Second,
			)
		})},
		{"Expiration/OnePod", expiredNodeIsReplaced(1)},
		{"Expiration/ManyPods", expiredNodeIsReplaced(10)},
		{"DaemonSet/LimitRangeDefault", daemonsHaveDefaults(corev1.LimitRangeItem{Default: cpus("1")})},
		{"DaemonSet/LimitRangeDefaultRequest", daemonsHaveDefaults(corev1.LimitRangeItem{DefaultRequest: cpus("1")})},
		{"DaemonSet/HostPorts", daemonsOfOtherArchDoNotBlock},
		{"Repair/NotReady", silentNodeIsReplaced(corev1.ConditionFalse)},
		{"Repair/Unknown", silentNodeIsReplaced(corev1.ConditionUnknown)},
		{"Repair/ReplacementFirst", brokenNodeIsReplacedFirst},
		{"Repair/RespectsBudgets", repairWaitsForBudgets},
		{"Repair/IgnoresDoNotDisruptOfNodes", repairOverrulesTheNode},
		{"Repair/ForcesBlockedPods", repairForcesPodsInTheEnd},
		{"Repair/DoNotRepair", repairIsVetoed},
		{"Repair/StaticAtLimit", staticRepairEndsFirst},
		{"Reboot/InPlace", nodeIsRebooted},
		{"Reboot/PodRides", podRidesThroughAReboot},
		{"Reboot/TwiceThenReplaced", rebootsAreNoUseInTheEnd},
		{"Reboot/Budget", rebootsKeepTheBudget},
		{"DoNotDisrupt/GracePeriods", protectionEnds},
		{"Standalone/Type", loneClaimGetsTheTypeItNames},
		{"Standalone/Requests", loneClaimGetsWhatItRequests},
		{"Standalone/Propagates", loneClaimShowsOnItsNode},
		{"Standalone/Deleted", machineGoesWithItsClaim},
		{"Standalone/NodeDeleted", claimGoesWithItsNode},
		{"Standalone/MissingClass", claimOfMissingClassGoes},
		{"Standalone/UnreadyClass", claimOfUnreadyClassGoes},
		{"Static/ScalesUp", staticScalesUp},
		{"Static/ShowsTemplate", staticNodesShowTheTemplate},
		{"Static/Limit", staticKeepsItsLimit},
		{"Static/ToZero", staticScalesToZero},
		{"Static/LeastFirst", staticGivesUpTheLeastFirst},
		{"Static/EvictsGracefully", staticEvictsGracefully},
		{"Static/Drift", staticDriftReplacesAll},
		{"Static/DriftWithinLimit", staticDriftKeepsItsLimit},
		{"Static/DriftAtLimit", staticDriftEndsFirst},
		{"Static/DriftWithinBudget", staticDriftKeepsItsBudget},
		{"Static/BesideDynamic", staticBesideDynamic},
		{"Static/NeverAboveLimit", staticNeverPassesItsLimit},
		{"Static/PoolDeleted", staticPoolTakesItsNodesAlong},
		{"Termination/EmptinessBlockedByBudget", emptinessIsBlockedBy(blocking)},
		{"Termination/EmptinessBlockedBySchedule", emptinessIsBlockedBy(blockingNow)},
		{"Termination/Empty", emptyNodeGoes},
		{"Termination/GracePeriod", graceEndsProtection},
		{"Termination/PreStop", graceIncludesPreStop},
		{"Termination/Machine", machineGoesWithItsNode},
		{"Termination/Tiers", drainGoesByTiers},
	}
}

// heavy are stories with many nodes, which are played one after the other beside the others.
func heavy() []act {
	return []act{
		{"Utilization", onePodEach},
		{"Performance/Simple", hundredPods(simple, false)},
		{"Performance/Complex", hundredPods(manyKinds, false)},
		{"Performance/SimpleDrift", hundredPods(simple, true)},
		{"Performance/ComplexDrift", hundredPods(manyKinds, true)},
	}
}
