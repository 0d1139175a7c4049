package manifest

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/admission"
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
	RuntimeClasses []*nodev1.RuntimeClass
	Claims         []*corev1.PersistentVolumeClaim
	Volumes        []*corev1.PersistentVolume
	StorageClasses []*storagev1.StorageClass
	CSINodes       []*storagev1.CSINode

	// Dynamic resources.
	ResourceClaims         []*resourcev1.ResourceClaim
	ResourceClaimTemplates []*resourcev1.ResourceClaimTemplate
	ResourceSlices         []*resourcev1.ResourceSlice
	DeviceClasses          []*resourcev1.DeviceClass

	// Budgets hold evictions back.
	Budgets []*policyv1.PodDisruptionBudget
	// CapacityBuffers ask for room; what they may refer to is read with Get.
	CapacityBuffers []*autoscalingv1beta1.CapacityBuffer
	PodTemplates    []*corev1.PodTemplate

	EC2NodeClasses  []*awsv1.EC2NodeClass
	KWOKNodeClasses []*kwokv1alpha1.KWOKNodeClass
	NodeOverlays    []*karpenterv1alpha1.NodeOverlay

	// Ignored counts objects of kinds that do not concern scheduling, by kind.
	Ignored map[string]int

	// Unknown counts fields that are not known here, by path and kind. Only objects that a server has printed may have
	// any.
	Unknown map[string]int

	// Notes say what was left out or decided in reading, one sentence each.
	Notes []string

	deployments  []*appsv1.Deployment
	replicaSets  []*appsv1.ReplicaSet
	statefulSets []*appsv1.StatefulSet
	controllers  []*corev1.ReplicationController
	jobs         []*batchv1.Job
	priorities   []*schedulingv1.PriorityClass

	autoscalers      []*autoscalingv2.HorizontalPodAutoscaler
	olderAutoscalers []*autoscalingv1.HorizontalPodAutoscaler

	rules  admission.Rules
	source map[string]origin // by "Pod default/web"
}

// origin is where an object comes from.
type origin struct {
	place  string        // the document, or the workload
	object metav1.Object // nil if a workload made it
}
