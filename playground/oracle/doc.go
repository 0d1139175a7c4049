// Package oracle holds the planner's plans against the real kube-scheduler.
//
// From a seed it makes a random cluster: nodes, running pods, pools, instance types, DaemonSets and pods
// that wait, with every constraint that the scheduler's filters know; in half of them with things under way:
// NodeClaims on their way with the pods planned for them, nodes that are being deleted, nominated and ending
// pods, pools with limits or minValues, and capacity reservations. The planner plans; then the plan is replayed pod by
// pod through the filter plugins of k8s.io/kubernetes, on nodes made as the plan's nodes would come up. Some
// order must exist in which every placement passes, and a pod that the planner calls unplaceable must be
// rejected on every node there is and on a fresh one of every offering. Anything else is a [Disagreement].
//
// A second kind of clusters has devices, and most of its pods claim some: by templates, by claims that they share, or
// as extended resources. What a placement allocates, by the scheduler's own plugin, counts for the next one.
//
// It decides nothing about price, and nothing about preferences beyond that giving them up never loses a pod.
package oracle
