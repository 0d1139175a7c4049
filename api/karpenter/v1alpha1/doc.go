// Package v1alpha1 holds the karpenter.sh/v1alpha1 API: NodeOverlay, which
// changes the price or the extended resources of instance types as the planner
// sees them.
//
// It owns the type, its conditions and the rules that need no cluster; which
// instance types an overlay matches is decided elsewhere. The schema rules are
// markers on the fields; api/crd holds what is generated from them.
//
// +kubebuilder:object:generate=true
// +groupName=karpenter.sh
package v1alpha1
