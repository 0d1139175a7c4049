// Package v1 holds the karpenter.sh/v1 API: NodePool, what nodes may be
// launched and when they may be given up, and NodeClaim, one node from launch
// to termination.
//
// It owns the names that users and other programs see (fields, labels,
// annotations, taints, condition types and reasons), the rules that need no
// cluster (validation, budgets, the template hash) and nothing else. It reads
// no clock, talks to no server, and depends on apimachinery and the core types
// only. The schema rules are markers on the fields; api/crd holds what is
// generated from them.
//
// +kubebuilder:object:generate=true
// +groupName=karpenter.sh
package v1
