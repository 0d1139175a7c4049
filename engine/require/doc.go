// Package require is set algebra over labels.
//
// A [Values] is the set of values that one label may take; being absent is one of
// the possibilities. A [Set] is a conjunction: one Values for each key that it
// mentions, and no wish about any other key. Both are plain values which never
// change after they were made, hold no maps, and compare keys and values in
// ascending order only, so nothing that is derived from them depends on chance.
//
// The package knows the eight operators of node affinity and NodePool requirements
// and what they mean for kube-scheduler. Which labels a node will have, and what an
// undefined one means, is the caller's knowledge: see [Set.HasLabels] for labels
// that are there, and [Set.Compatible] for labels that are still to be chosen.
package require
