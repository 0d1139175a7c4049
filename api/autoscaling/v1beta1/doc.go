// Package v1beta1 holds the autoscaling.x-k8s.io/v1beta1 API: CapacityBuffer,
// room that is kept free for pods to come.
//
// The kind belongs to the Kubernetes autoscalers in common; this package owns
// our Go form of it, its conditions and reasons, and the annotations of the
// planner's stand-in pods. The schema rules are markers on the fields; api/crd
// holds what is generated from them.
//
// +kubebuilder:object:generate=true
// +groupName=autoscaling.x-k8s.io
package v1beta1
