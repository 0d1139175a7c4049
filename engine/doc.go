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
//	pack      which pods share which new nodes at the least price
//	bound     the lower bound on that price
//	refit     which nodes of a running fleet to give up, replace or merge; it stands beside the plan
//	explain   reasons as text and JSON
package engine
