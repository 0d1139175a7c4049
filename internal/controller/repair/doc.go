// Package repair follows what is wrong with nodes.
//
// Noter writes on each claim since when its node is unhealthy, whoever repairs it. Reconciler is the repair of
// Karpenter before 1.15: it replaces at once, asks no budget, opens nothing first, and stops when so many nodes are
// unhealthy at once that the reason is more likely elsewhere. The repair of today is in internal/controller/disrupt.
package repair
