// Package shape is the planner's vocabulary: classes of pods, nodes, pools,
// instance types, offerings and the Snapshot that holds them all.
//
// Everything here is a plain value that marshals to JSON, so that a Snapshot can
// be written down and replayed. A Snapshot and all that it points to never change
// after it was cut; whoever needs another one cuts another one. The package knows
// nothing of Kubernetes objects (internal/translate does) nor of clouds (provider
// does), and it decides nothing: rules about labels are in engine/require, yes/no
// checks in engine/feasible.
//
// What repeats is stored once and referred to by index: pods with the same needs
// share a Class, nodes with the same labels and taints share a Profile. That is
// where the planner's speed comes from.
package shape
