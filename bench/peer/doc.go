// Package peer runs Karpenter's scheduler, imported as a library, on a workload.
//
// Each run builds a fresh scheduler, because the peer's keeps state from one Solve to the next. Only
// Solve is timed: what comes before it would count against the peer and is its own test's set-up.
package peer
