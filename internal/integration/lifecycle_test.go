package integration

import "testing"

// TestLifecycle plays the life of claims and nodes on one real cluster: to start one costs more than most of the
// stories.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	tell := func(cases ...story) {
		for _, p := range cases {
			t.Run(p.name, func(t *testing.T) { p.run(t, c) })
		}
	}
	// These bring their own daemons.
	tell(
		story{"KilledBetweenLaunchAndStatus", killedBetweenLaunchAndStatus},
		story{"MachineOfADeletedClaim", machineOfADeletedClaimIsGivenBack},
		story{"StandbyTakesOver", standbyTakesOver},
		story{"NobodyLeadsBesideAnother", nobodyLeadsBesideAnother},
		story{"MetricsAndHealth", metricsAndHealthAreServed},
		story{"Interrupted", interruptedMachineIsReplaced},
	)
	everything := settings()
	everything.Gates.StaticCapacity, everything.Gates.NodeRepair = true, true
	c.run(t, everything)
	tell(
		story{"Standalone/LiveAndDie", standaloneLivesAndDies},
		story{"Standalone/DeletedThroughItsNode", standaloneGoesWithItsNode},
		story{"Standalone/MissingClass", standaloneWithoutClassIsGivenUp},
		story{"Standalone/NothingFits", standaloneThatNothingFitsIsGivenUp},
		story{"Pods/OnePod", onePodGetsOneNode},
		story{"Pods/PoolWithoutClass", poolWithoutClassSaysSo},
		story{"Pods/PoolThatNothingSatisfies", poolThatNothingSatisfiesSaysSo},
		story{"Pods/NothingSuits", podThatNothingSuitsSaysWhy},
		story{"Emptiness/Budget", budgetHoldsWhenNodesAreEmpty},
		story{"Drain/KeepsBudgets", drainKeepsBudgets},
		story{"Drain/GracePeriodBoundsIt", gracePeriodBoundsTheDrain},
		story{"Static/KeepsItsNodes", staticPoolKeepsItsNodes},
		story{"Moves/DriftIsReplacedFirst", driftIsReplacedFirst},
		story{"Moves/ConsolidationShrinks", consolidationShrinks},
		story{"Moves/ThreeBecomeOne", threeBecomeOne},
		story{"Moves/ThreeBecomeOneInTurns", threeBecomeOneInTurns},
	)
}

// story is one story on a cluster. It leaves no claims and no nodes.
type story struct {
	name string
	run  func(*testing.T, *cluster)
}
