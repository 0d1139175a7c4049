// Package soak plays a compressed day of a workload trace on a cluster and looks at it all along.
//
// Groups of the trace become Deployments that are scaled as the trace says; every fourth of them has a
// PodDisruptionBudget. Invariants are looked at several times a second; what breaks one is told once and makes the
// run fail. It drives the cluster as a user does and reads what a user can read, plus the simulated account.
package soak
