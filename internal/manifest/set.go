package manifest

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

// Set is a cluster as far as scheduling looks at it.
type Set struct {
	Pods           []*corev1.Pod // those of workloads included
	Nodes          []*corev1.Node
	NodeClaims     []*karpenterv1.NodeClaim
	NodePools      []*karpenterv1.NodePool
	DaemonSets     []*appsv1.DaemonSet
	Namespaces     []*corev1.Namespace
	LimitRanges    []*corev1.LimitRange
	Claims         []*corev1.PersistentVolumeClaim
	Volumes        []*corev1.PersistentVolume
	StorageClasses []*storagev1.StorageClass
	CSINodes       []*storagev1.CSINode

	EC2NodeClasses  []*awsv1.EC2NodeClass
	KWOKNodeClasses []*kwokv1alpha1.KWOKNodeClass
	NodeOverlays    []*karpenterv1alpha1.NodeOverlay

	// Ignored counts objects of kinds that do not concern scheduling, by kind.
	Ignored map[string]int

	// Unknown counts fields that are not known here, by path and kind. Only objects that a server has printed may have any.
	Unknown map[string]int

	deployments  []*appsv1.Deployment
	replicaSets  []*appsv1.ReplicaSet
	statefulSets []*appsv1.StatefulSet
	controllers  []*corev1.ReplicationController
	jobs         []*batchv1.Job
	priorities   []*schedulingv1.PriorityClass

	source map[string]string // "Pod default/web" to the document that it came from
}
