// Package bind settles which volumes the claims of pods get that have no node yet, as far as pods depend on each other
// by it: pods that use the same unbound claim must all go where its one volume will be, no two claims can have the same
// existing volume, and a claim may be open to one pod at a time.
//
// kube-scheduler settles such things one pod after the other, by the node that it has just chosen. So does a [Pass]: it
// looks at where a plan has put the pods, binds their claims there, and where that leaves others in the wrong place, it
// narrows where they may go and asks for another plan. Pods that hold room already, on nodes that run or are on their
// way, have bound their claims before all others; that is how a choice outlives the plan that made it.
//
// It never places a pod itself. What it narrows is a pod's Class in a copy of the Snapshot.
package bind
