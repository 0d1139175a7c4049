// Package mirror holds the live picture of the cluster.
//
// It is the one place where loops share what they know of the cluster's objects. Informers feed it, and it cuts
// Snapshots, which are values and never change. After any sequence of events a Snapshot equals the one that
// internal/translate makes of the same objects at once; work is done for what changed only.
//
// Three packages under it each do one part, and none of them knows another:
//
//   - objects holds the facts: objects as they were last seen, and indexes over them.
//   - promises holds what the API server does not know yet: claims that were just created, so that nothing is bought
//     twice, and which pods are planned onto which nodes, so that their room is not given away before kube-scheduler
//     has bound them.
//   - cut holds the lists of the last Snapshot, and makes the next one from what has changed.
//
// The mirror joins them under one lock: it works out on which machine each pod holds room, by facts and promises
// together, and hands what has changed to the sheet that Snapshots are cut from. Loops have the Mirror; those who carry
// out plans have its Ledger.
//
// It does not decide anything and does not write to the API server. No object can hold it
// up: a claim that never launches is one node that never comes, and nothing else.
package mirror
