// Package v1alpha1 holds the karpenter.kwok.sh/v1alpha1 API: KWOKNodeClass,
// the settings of nodes that have no machine behind them.
//
// It owns the type and the labels of such nodes and nothing else.
//
// +kubebuilder:object:generate=true
// +groupName=karpenter.kwok.sh
package v1alpha1
