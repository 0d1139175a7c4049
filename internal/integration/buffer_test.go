package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// TestGated plays stories of what gates and annotations switch on, at once on one cluster. Each has a corner of its
// own: a NodePool that only its pods select.
func TestGated(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	gated := settings()
	gated.Gates.CapacityBuffer, gated.Gates.NodeOverlay, gated.Gates.PodDeletionCostManagement = true, true, true
	c.run(t, gated)
	for name, play := range map[string]func(*testing.T, *corner){
		"PodTemplateProvisions":       podTemplateProvisions,
		"PodTemplateIsReadAgain":      podTemplateIsReadAgain,
		"PercentageOfADeployment":     percentageOfADeployment,
		"FixedNumberOfADeployment":    fixedNumberOfADeployment,
		"LateTarget":                  lateTarget,
		"ConsumedAndRefilled":         consumedAndRefilled,
		"ConsumedTwice":               consumedTwice,
		"NotEmpty":                    headroomIsNotEmpty,
		"GoneWithTheBuffer":           headroomGoesWithItsBuffer,
		"Drift":                       headroomDrifts,
		"ScaleDown":                   bufferScalesDown,
		"PercentageFollows":           percentageFollows,
		"PoolLimit":                   bufferKeepsThePoolsLimit,
		"Independent":                 buffersAreIndependent,
		"NoLeak":                      rapidCreateAndDeleteLeavesNothing,
		"BesidePods":                  bufferBesidePods,
		"NodeSelector":                bufferKeepsItsNodeSelector,
		"Expiry":                      expiredHeadroomIsRefilled,
		"LimitsGrow":                  bufferGrowsWithItsLimits,
		"AntiAffinityOfATemplate":     antiAffinityOfATemplate,
		"AntiAffinityOfADeployment":   antiAffinityOfADeployment,
		"GracefulExpiry":              expiredNodeIsReplacedFirst,
		"DaemonSetDefaults":           daemonSetDefaultsCount,
		"RuntimeOverhead":             runtimeOverheadCounts,
		"ScaleDownFollowsThePlan":     scaleDownEmptiesTheNodeThatGoes,
		"DynamicResources":            dynamicResourcesAreRefused,
		"Overlay/PriceDecides":        overlayPriceDecides,
		"Overlay/SlicedGPU":           overlaySlicesGPUs,
		"Overlay/ConflictIsNamed":     overlayConflictIsNamed,
		"Overlay/BadOverlayIsRefused": badOverlayIsRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, newCorner(t, c))
		})
	}
}

// corner is a story's part of the cluster.
type corner struct {
	*cluster
	name string
	pool *karpenterv1.NodePool
}

// smallest is the instance type of two cores that corners are made of: 1.9 cores are left to pods.
const smallest = "c-2x-amd64-linux"

// newCorner makes a NodePool of small nodes, named after the test.
func newCorner(t *testing.T, c *cluster) *corner {
	t.Helper()
	name := cornerName(t)
	pool := general(func(p *karpenterv1.NodePool) {
		p.Name = name
		p.Spec.Template.Spec.Requirements = append(p.Spec.Template.Spec.Requirements, karpenterv1.Requirement{
			Key: corev1.LabelInstanceTypeStable, Operator: corev1.NodeSelectorOpIn, Values: []string{smallest},
		})
	})
	return &corner{cluster: c, name: name, pool: pool}
}

// here keeps pods in the corner.
func (c *corner) here(spec *corev1.PodSpec) {
	spec.NodeSelector = map[string]string{karpenterv1.NodePoolLabelKey: c.name}
}

// template is a PodTemplate of a pod that asks for so much CPU.
func (c *corner) template(cpu string, change ...func(*corev1.PodSpec)) *corev1.PodTemplate {
	pod := web(c.name, 1, cpu, append(change, c.here)...).Spec.Template
	return &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: c.name}, Template: pod}
}

func (c *corner) buffer(change ...func(*autoscalingv1beta1.CapacityBufferSpec)) *autoscalingv1beta1.CapacityBuffer {
	b := &autoscalingv1beta1.CapacityBuffer{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: c.name}}
	for _, f := range change {
		f(&b.Spec)
	}
	return b
}

// ofTemplate is a buffer for n pods of the corner's PodTemplate.
func (c *corner) ofTemplate(n int32) func(*autoscalingv1beta1.CapacityBufferSpec) {
	return func(s *autoscalingv1beta1.CapacityBufferSpec) {
		s.PodTemplateRef, s.Replicas = &autoscalingv1beta1.LocalObjectRef{Name: c.name}, &n
	}
}

// ofDeployment is a buffer for pods of the corner's Deployment.
func (c *corner) ofDeployment(
	change func(*autoscalingv1beta1.CapacityBufferSpec),
) func(*autoscalingv1beta1.CapacityBufferSpec) {
	return func(s *autoscalingv1beta1.CapacityBufferSpec) {
		s.ScalableRef = &autoscalingv1beta1.ScalableRef{APIGroup: "apps", Kind: "Deployment", Name: c.name}
		change(s)
	}
}

// mine lists the corner's claims.
func (c *corner) mine(t *testing.T) []karpenterv1.NodeClaim {
	t.Helper()
	var list karpenterv1.NodeClaimList
	if err := c.List(t.Context(), &list, client.MatchingLabels{karpenterv1.NodePoolLabelKey: c.name}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// nodesReady waits until the corner has exactly so many claims, all ready and none going.
func (c *corner) nodesReady(t *testing.T, want int) []karpenterv1.NodeClaim {
	t.Helper()
	var claims []karpenterv1.NodeClaim
	eventually(t, fmt.Sprintf("%d ready nodes", want), func() string {
		claims = c.mine(t)
		ready := 0
		for i := range claims {
			if condition.IsTrue(&claims[i], condition.Ready) && claims[i].DeletionTimestamp.IsZero() {
				ready++
			}
		}
		if ready != want || len(claims) != want {
			return fmt.Sprintf("%d claims, %d ready", len(claims), ready)
		}
		return ""
	})
	return claims
}

// stays fails the test if the corner has another number of claims within d.
func (c *corner) stays(t *testing.T, want int, d time.Duration) {
	t.Helper()
	always(t, d, func() string {
		if claims := c.mine(t); len(claims) != want {
			return fmt.Sprintf("%d claims, want %d", len(claims), want)
		}
		return ""
	})
}

// provisioned waits until a buffer has its room on ready nodes, for so many pods.
func (c *corner) provisioned(t *testing.T, b *autoscalingv1beta1.CapacityBuffer, replicas int32) {
	t.Helper()
	c.says(t, b, func(got *autoscalingv1beta1.CapacityBuffer) string {
		if got.Status.Replicas == nil || *got.Status.Replicas != replicas {
			return fmt.Sprintf("replicas %v", got.Status.Replicas)
		}
		return missingFrom(
			conditions(got.Status.Conditions),
			"ReadyForProvisioning=True (Resolved",
			fmt.Sprintf("Provisioning=True (FitsExistingCapacity: There is room for all %d pods", replicas),
		)
	})
}

// says waits until a buffer's status holds what is wanted of it.
func (c *corner) says(
	t *testing.T,
	b *autoscalingv1beta1.CapacityBuffer,
	missing func(*autoscalingv1beta1.CapacityBuffer) string,
) {
	t.Helper()
	eventually(t, "the status of CapacityBuffer "+b.Name, func() string {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
			return err.Error()
		}
		if m := missing(b); m != "" {
			return m + "; conditions: " + conditions(b.Status.Conditions) + fmt.Sprintf("; %d claims", len(c.mine(t)))
		}
		return ""
	})
}

// change patches an object.
func (c *corner) change(t *testing.T, o client.Object, how func()) {
	t.Helper()
	eventually(t, "a change of "+o.GetName(), func() string {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err.Error()
		}
		before := o.DeepCopyObject().(client.Object)
		how()
		if err := c.Patch(t.Context(), o, client.MergeFrom(before)); err != nil {
			return err.Error()
		}
		return ""
	})
}

// leave deletes what the story made.
func (c *corner) leave(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range append(objects, c.pool) {
		if err := c.Delete(t.Context(), o); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	c.empty(t)
}

// empty waits until the corner has no claim.
func (c *corner) empty(t *testing.T) {
	t.Helper()
	eventually(t, "the corner's claims to be gone", func() string {
		if n := len(c.mine(t)); n > 0 {
			return fmt.Sprintf("%d claims", n)
		}
		return ""
	})
}

// cornerName is the last part of the test's name in words that an object may have for a name.
func cornerName(t *testing.T) string {
	t.Helper()
	name := t.Name()
	return strings.ToLower(name[strings.LastIndex(name, "/")+1:])
}

func cores(text string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(text)}
}
