// Package engine is the planner: a Snapshot goes in, a Decision comes out.
//
// It is a pure function. It does no I/O and has no clock, logger, context or global
// state; equal input gives equal output, byte for byte, on any number of cores and in
// whatever order the Snapshot lists its pods, nodes, types and classes.
//
// The rooms, in the order in which a plan passes through them:
//
//	shape     the vocabulary: pods, nodes, pools, offerings, vectors; plain values
//	require   set algebra over labels
//	feasible  the Snapshot compiled into columns; yes/no checks, each no with a reason
//	spread    counting by domain: topology spread, pod affinity and anti-affinity
//	board     what is where while planning: place, open, undo
//	bind      which volume claims get which volumes, where pods depend on each other by them
//	limits    what pools may still grow by
//	pack      who goes first when a plan is made; it goes round between the three below
//	place     existing nodes, and the domain of pods that topology rules look at
//	binpack   which pods share which new nodes at the least price
//	verify    the plan held against what kube-scheduler will see
//	lp        linear programs: what a plan costs at least, and what a pod is worth
//	knapsack  what content of one machine is worth most
//	colgen    packing by column generation, and the bound on any packing's price
//	refit     which nodes of a running fleet to give up, replace or merge; it stands beside the plan
//	explain   reasons as text and JSON
package engine
