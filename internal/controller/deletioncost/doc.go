// Package deletioncost tells ReplicaSets which of their pods to end first when they shrink: those of nodes that the
// plan gives up. It writes the annotation controller.kubernetes.io/pod-deletion-cost (gate PodDeletionCostManagement).
//
// The annotation has one owner at a time. What users wrote stays; what this package wrote, or Karpenter before it, is
// known by the field manager, changed as the plan changes, and taken back when a node stays or the gate is closed.
package deletioncost
