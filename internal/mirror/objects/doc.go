// Package objects holds the cluster's objects as they were last seen, the indexes over them, and what translating makes
// of each of them alone: a pod's class, which Node and NodeClaim are one machine, which DaemonSets there are.
//
// Work is done for what changed only. The store says what a change touches, and its owner asks: Changed for pods whose
// view is new, Settle for whether every node must be made anew.
//
// It knows facts: nothing here depends on what is planned or promised, and no clock is read. It is not safe for
// concurrent use.
package objects
