// Package terminate takes nodes away in order: the node takes no new pods and leaves its load balancers, its pods are
// evicted in tiers, their volumes are detached, the machine is given back, and only then do Node and NodeClaim go.
//
// Pods are asked to go through the Eviction API, so PodDisruptionBudgets hold, until a
// terminationGracePeriod, if there is one, runs out.
package terminate
