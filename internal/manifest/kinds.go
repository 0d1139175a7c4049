package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

// kind is how objects of one kind are read.
type kind struct {
	apiVersion string
	namespaced bool
	read       func(s *Set, text []byte) (metav1.Object, error)
}

var kinds = map[string]kind{
	"Pod":                   {"v1", true, reads(func(s *Set) *[]*corev1.Pod { return &s.Pods })},
	"Node":                  {"v1", false, reads(func(s *Set) *[]*corev1.Node { return &s.Nodes })},
	"Namespace":             {"v1", false, reads(func(s *Set) *[]*corev1.Namespace { return &s.Namespaces })},
	"LimitRange":            {"v1", true, reads(func(s *Set) *[]*corev1.LimitRange { return &s.LimitRanges })},
	"PersistentVolumeClaim": {"v1", true, reads(func(s *Set) *[]*corev1.PersistentVolumeClaim { return &s.Claims })},
	"PersistentVolume":      {"v1", false, reads(func(s *Set) *[]*corev1.PersistentVolume { return &s.Volumes })},
	"ReplicationController": {"v1", true, reads(func(s *Set) *[]*corev1.ReplicationController { return &s.controllers })},
	"Deployment":            {"apps/v1", true, reads(func(s *Set) *[]*appsv1.Deployment { return &s.deployments })},
	"ReplicaSet":            {"apps/v1", true, reads(func(s *Set) *[]*appsv1.ReplicaSet { return &s.replicaSets })},
	"StatefulSet":           {"apps/v1", true, reads(func(s *Set) *[]*appsv1.StatefulSet { return &s.statefulSets })},
	"DaemonSet":             {"apps/v1", true, reads(func(s *Set) *[]*appsv1.DaemonSet { return &s.DaemonSets })},
	"Job":                   {"batch/v1", true, reads(func(s *Set) *[]*batchv1.Job { return &s.jobs })},
	"StorageClass":          {"storage.k8s.io/v1", false, reads(func(s *Set) *[]*storagev1.StorageClass { return &s.StorageClasses })},
	"CSINode":               {"storage.k8s.io/v1", false, reads(func(s *Set) *[]*storagev1.CSINode { return &s.CSINodes })},
	"PriorityClass":         {"scheduling.k8s.io/v1", false, reads(func(s *Set) *[]*schedulingv1.PriorityClass { return &s.priorities })},
	"NodePool":              {"karpenter.sh/v1", false, reads(func(s *Set) *[]*karpenterv1.NodePool { return &s.NodePools })},
	"NodeClaim":             {"karpenter.sh/v1", false, reads(func(s *Set) *[]*karpenterv1.NodeClaim { return &s.NodeClaims })},
	"EC2NodeClass":          {"karpenter.k8s.aws/v1", false, reads(func(s *Set) *[]*awsv1.EC2NodeClass { return &s.EC2NodeClasses })},
	"NodeOverlay":           {"karpenter.sh/v1alpha1", false, reads(func(s *Set) *[]*karpenterv1alpha1.NodeOverlay { return &s.NodeOverlays })},
	"KWOKNodeClass":         {"karpenter.kwok.sh/v1alpha1", false, reads(func(s *Set) *[]*kwokv1alpha1.KWOKNodeClass { return &s.KWOKNodeClasses })},
}

// retired are kinds of old APIs that became others.
var retired = map[string]string{
	"Provisioner":     "a karpenter.sh/v1 NodePool",
	"Machine":         "a karpenter.sh/v1 NodeClaim",
	"AWSNodeTemplate": "a karpenter.k8s.aws/v1 EC2NodeClass",
}

// find tells how to read a kind; read is nil for kinds that do not concern scheduling.
func find(apiVersion, name string) (kind, error) {
	group := groupOf(apiVersion)
	if now, ok := retired[name]; ok && strings.HasPrefix(group, "karpenter.") {
		return kind{}, fmt.Errorf("apiVersion %s is no longer served; write it as %s", apiVersion, now)
	}
	k, known := kinds[name]
	ours := slices.ContainsFunc(slices.Collect(maps.Values(kinds)), func(k kind) bool {
		return strings.HasPrefix(group, "karpenter.") && groupOf(k.apiVersion) == group
	})
	switch {
	case known && k.apiVersion == apiVersion:
		return k, nil
	case known && (ours || group == groupOf(k.apiVersion) || group == "extensions"):
		return kind{}, fmt.Errorf("apiVersion %s is not served; write it as %s", apiVersion, k.apiVersion)
	case ours:
		return kind{}, fmt.Errorf("apiVersion %s has no kind %s; correct its name", apiVersion, name)
	}
	return kind{}, nil
}

// groupOf is empty for the core group.
func groupOf(apiVersion string) string {
	group, _, named := strings.Cut(apiVersion, "/")
	if !named {
		return ""
	}
	return group
}
