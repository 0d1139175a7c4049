package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

// kind is how objects of one kind are read.
type kind struct {
	apiVersion string
	namespaced bool

	// fixed kinds have a spec that a server lets nobody change.
	fixed bool

	reader
}

var kinds = map[string]kind{
	"Pod":  {"v1", true, true, reads(func(s *Set) *[]*corev1.Pod { return &s.Pods })},
	"Node": {"v1", false, false, reads(func(s *Set) *[]*corev1.Node { return &s.Nodes })},
	"Namespace": {
		"v1",
		false,
		false,
		reads(func(s *Set) *[]*corev1.Namespace { return &s.Namespaces }),
	},
	"LimitRange": {
		"v1",
		true,
		false,
		reads(func(s *Set) *[]*corev1.LimitRange { return &s.LimitRanges }),
	},
	"PersistentVolumeClaim": {
		"v1",
		true,
		true,
		reads(func(s *Set) *[]*corev1.PersistentVolumeClaim { return &s.Claims }),
	},
	"PersistentVolume": {
		"v1",
		false,
		true,
		reads(func(s *Set) *[]*corev1.PersistentVolume { return &s.Volumes }),
	},
	"ReplicationController": {
		"v1",
		true,
		false,
		reads(func(s *Set) *[]*corev1.ReplicationController { return &s.controllers }),
	},
	"Deployment": {
		"apps/v1",
		true,
		false,
		reads(func(s *Set) *[]*appsv1.Deployment { return &s.deployments }),
	},
	"ReplicaSet": {
		"apps/v1",
		true,
		false,
		reads(func(s *Set) *[]*appsv1.ReplicaSet { return &s.replicaSets }),
	},
	"StatefulSet": {
		"apps/v1",
		true,
		false,
		reads(func(s *Set) *[]*appsv1.StatefulSet { return &s.statefulSets }),
	},
	"DaemonSet": {
		"apps/v1",
		true,
		false,
		reads(func(s *Set) *[]*appsv1.DaemonSet { return &s.DaemonSets }),
	},
	"Job": {"batch/v1", true, true, reads(func(s *Set) *[]*batchv1.Job { return &s.jobs })},
	"ResourceClaim": {
		"resource.k8s.io/v1",
		true,
		false,
		reads(func(s *Set) *[]*resourcev1.ResourceClaim { return &s.ResourceClaims }),
	},
	"ResourceClaimTemplate": {
		"resource.k8s.io/v1",
		true,
		true,
		reads(func(s *Set) *[]*resourcev1.ResourceClaimTemplate { return &s.ResourceClaimTemplates }),
	},
	"ResourceSlice": {
		"resource.k8s.io/v1",
		false,
		false,
		reads(func(s *Set) *[]*resourcev1.ResourceSlice { return &s.ResourceSlices }),
	},
	"DeviceClass": {
		"resource.k8s.io/v1",
		false,
		false,
		reads(func(s *Set) *[]*resourcev1.DeviceClass { return &s.DeviceClasses }),
	},
	"StorageClass": {
		"storage.k8s.io/v1",
		false,
		false,
		reads(func(s *Set) *[]*storagev1.StorageClass { return &s.StorageClasses }),
	},
	"CSINode": {
		"storage.k8s.io/v1",
		false,
		false,
		reads(func(s *Set) *[]*storagev1.CSINode { return &s.CSINodes }),
	},
	"PriorityClass": {
		"scheduling.k8s.io/v1",
		false,
		false,
		reads(func(s *Set) *[]*schedulingv1.PriorityClass { return &s.priorities }),
	},
	"HorizontalPodAutoscaler": {
		"autoscaling/v2",
		true,
		false,
		reads(func(s *Set) *[]*autoscalingv2.HorizontalPodAutoscaler { return &s.autoscalers }),
	},
	"RuntimeClass": {
		"node.k8s.io/v1",
		false,
		false,
		reads(func(s *Set) *[]*nodev1.RuntimeClass { return &s.RuntimeClasses }),
	},
	"PodDisruptionBudget": {
		"policy/v1",
		true,
		false,
		reads(func(s *Set) *[]*policyv1.PodDisruptionBudget { return &s.Budgets }),
	},
	"PodTemplate": {
		"v1",
		true,
		false,
		reads(func(s *Set) *[]*corev1.PodTemplate { return &s.PodTemplates }),
	},
	"CapacityBuffer": {
		"autoscaling.x-k8s.io/v1beta1",
		true,
		false,
		reads(func(s *Set) *[]*autoscalingv1beta1.CapacityBuffer { return &s.CapacityBuffers }),
	},
	"NodePool": {
		"karpenter.sh/v1",
		false,
		false,
		reads(func(s *Set) *[]*karpenterv1.NodePool { return &s.NodePools }, beforePool),
	},
	"NodeClaim": {
		"karpenter.sh/v1",
		false,
		false,
		reads(func(s *Set) *[]*karpenterv1.NodeClaim { return &s.NodeClaims }, beforeClaim),
	},
	"EC2NodeClass": {
		"karpenter.k8s.aws/v1",
		false,
		false,
		reads(func(s *Set) *[]*awsv1.EC2NodeClass { return &s.EC2NodeClasses }),
	},
	"NodeOverlay": {
		"karpenter.sh/v1alpha1",
		false,
		false,
		reads(func(s *Set) *[]*karpenterv1alpha1.NodeOverlay { return &s.NodeOverlays }),
	},
	"KWOKNodeClass": {
		"karpenter.kwok.sh/v1alpha1",
		false,
		false,
		reads(func(s *Set) *[]*kwokv1alpha1.KWOKNodeClass { return &s.KWOKNodeClasses }),
	},
}

// older are versions of kinds that a server still has beside the one that is read.
var older = map[string]kind{
	"autoscaling/v1 HorizontalPodAutoscaler": {
		"autoscaling/v1",
		true,
		false,
		reads(func(s *Set) *[]*autoscalingv1.HorizontalPodAutoscaler { return &s.olderAutoscalers }),
	},
}

// retired are kinds of old APIs that became others.
var retired = map[string]string{
	"Provisioner":     "a karpenter.sh/v1 NodePool",
	"Machine":         "a karpenter.sh/v1 NodeClaim",
	"AWSNodeTemplate": "a karpenter.k8s.aws/v1 EC2NodeClass",
}

// find tells how to read a kind; read is nil for kinds that do not concern scheduling. The error is for kinds that no
// server has, as far as their group is known.
func find(apiVersion, name string) (kind, error) {
	group := groupOf(apiVersion)
	if now, ok := retired[name]; ok && strings.HasPrefix(group, "karpenter.") {
		return kind{}, fmt.Errorf("apiVersion %s is no longer served; write it as %s", apiVersion, now)
	}
	if k, ok := older[apiVersion+" "+name]; ok {
		return k, nil
	}
	k, known := kinds[name]
	ours := slices.ContainsFunc(slices.Collect(maps.Values(kinds)), func(k kind) bool {
		return strings.HasPrefix(group, "karpenter.") && groupOf(k.apiVersion) == group
	})
	switch {
	case known && k.apiVersion == apiVersion:
		return k, nil
	case known && (ours || group == groupOf(k.apiVersion) || group == "extensions"):
		if once := schema.FromAPIVersionAndKind(apiVersion, name); scheme.Scheme.Recognizes(once) {
			if err := served(apiVersion, group, name); err != nil {
				return kind{}, err
			}
		}
		return kind{}, fmt.Errorf("apiVersion %s is not served; write it as %s", apiVersion, k.apiVersion)
	case ours:
		return kind{}, fmt.Errorf("apiVersion %s has no kind %s; correct its name", apiVersion, name)
	case builtIn(group):
		return kind{}, served(apiVersion, group, name)
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

// builtIn groups are Kubernetes' own, of which every kind is known.
func builtIn(group string) bool { return scheme.Scheme.IsGroupRegistered(group) }

// release of Kubernetes whose API counts: the one that go.mod names.
const releaseMajor, releaseMinor = 1, 36

// served refuses what a group of Kubernetes does not have, or no longer has.
func served(apiVersion, group, name string) error {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return fmt.Errorf("apiVersion %s: %w", apiVersion, err)
	}
	of := version.WithKind(name)
	if !scheme.Scheme.Recognizes(of) {
		return fmt.Errorf("apiVersion %s has no kind %s; %s", apiVersion, name, meant(group, name))
	}
	object, err := scheme.Scheme.New(of)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", name, apiVersion, err)
	}
	gone, ok := object.(interface{ APILifecycleRemoved() (major, minor int) })
	if !ok {
		return nil
	}
	if major, minor := gone.APILifecycleRemoved(); major > releaseMajor ||
		major == releaseMajor && minor > releaseMinor {
		return nil
	}
	if now, ok := object.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		return fmt.Errorf(
			"apiVersion %s is no longer served; write it as %s",
			apiVersion,
			now.APILifecycleReplacement().GroupVersion(),
		)
	}
	return fmt.Errorf("apiVersion %s is no longer served", apiVersion)
}

// meant says where a kind is that was looked for in the wrong group, or how its name is spelled.
func meant(group, name string) string {
	var same []string
	for of := range scheme.Scheme.AllKnownTypes() {
		if !strings.EqualFold(of.Kind, name) || of.Version == "__internal" {
			continue
		}
		if of.Group == group && of.Kind != name {
			return fmt.Sprintf("its name is %s", of.Kind)
		}
		same = append(same, of.GroupVersion().String())
	}
	slices.Sort(same)
	for _, version := range same { // one that is not an alpha or beta, if there is one
		if !strings.Contains(version, "alpha") && !strings.Contains(version, "beta") {
			return "write it as " + version
		}
	}
	if len(same) > 0 {
		return "write it as " + same[0]
	}
	return "correct its name"
}
