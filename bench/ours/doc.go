// Package ours runs Dovetail's planner on a workload.
//
// A run starts from nothing: objects are translated by a fresh interner, pods, pool and all, inside
// the timer. The instance types are there already, as the peer's are.
package ours
