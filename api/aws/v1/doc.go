// Package v1 holds the karpenter.k8s.aws/v1 API: EC2NodeClass, the settings of
// nodes that are EC2 instances.
//
// It owns the names that users and other programs see (fields, labels,
// annotations, tags, condition types and reasons) and the rules that need no
// AWS (the hash, the AMI family of an alias). It does not know the AWS SDK.
// The schema rules are markers on the fields; api/crd holds what is generated
// from them.
//
// +kubebuilder:object:generate=true
// +groupName=karpenter.k8s.aws
package v1
