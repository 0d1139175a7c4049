package buffer

import (
	"context"
	"fmt"
	"math"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// mostPods is how many pods one buffer may stand for. Each is planned in every pass; a buffer for more nodes than a
// cluster can have is a mistake.
const mostPods = 10_000

// resolved is what a buffer asks for.
type resolved struct {
	template   *corev1.PodTemplateSpec
	podName    string // of the PodTemplate, empty for workloads
	generation int64  // of the PodTemplate
	replicas   int32  // of the workload, 0 for PodTemplates
	set        string // of a StatefulSet: its name,
	next       int    // and the ordinal of the pod that it would make next
}

// unresolved is why a buffer cannot be provisioned for.
type unresolved struct{ reason, message string }

func (u *unresolved) Error() string { return u.message }

// resolve reads what a buffer refers to. The error is an *unresolved if the buffer or its target is to blame.
func resolve(ctx context.Context, from client.Reader, b *autoscalingv1beta1.CapacityBuffer) (resolved, error) {
	switch {
	case b.Spec.PodTemplateRef != nil:
		return resolvePodTemplate(ctx, from, b)
	case b.Spec.ScalableRef != nil:
		return resolveScalable(ctx, from, b)
	}
	return resolved{}, &unresolved{
		autoscalingv1beta1.ReasonResolutionFailed,
		"Neither podTemplateRef nor scalableRef is set; set one of them.",
	}
}

func resolvePodTemplate(
	ctx context.Context,
	from client.Reader,
	b *autoscalingv1beta1.CapacityBuffer,
) (resolved, error) {
	t := &corev1.PodTemplate{}
	err := from.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.Spec.PodTemplateRef.Name}, t)
	if apierrors.IsNotFound(err) {
		return resolved{}, &unresolved{autoscalingv1beta1.ReasonPodTemplateNotFound,
			fmt.Sprintf("PodTemplate %s does not exist in namespace %s.", b.Spec.PodTemplateRef.Name, b.Namespace)}
	}
	if err != nil {
		return resolved{}, fmt.Errorf("reading PodTemplate %s/%s: %w", b.Namespace, b.Spec.PodTemplateRef.Name, err)
	}
	return resolved{template: &t.Template, podName: t.Name, generation: t.Generation}, nil
}

func resolveScalable(
	ctx context.Context,
	from client.Reader,
	b *autoscalingv1beta1.CapacityBuffer,
) (resolved, error) {
	ref := b.Spec.ScalableRef
	var object client.Object
	var read func() (*corev1.PodTemplateSpec, *int32)
	switch ref.Kind {
	case autoscalingv1beta1.KindDeployment:
		o := &appsv1.Deployment{}
		object, read = o, func() (*corev1.PodTemplateSpec, *int32) { return &o.Spec.Template, o.Spec.Replicas }
	case autoscalingv1beta1.KindStatefulSet:
		o := &appsv1.StatefulSet{}
		object, read = o, func() (*corev1.PodTemplateSpec, *int32) {
			return translate.Mounted(&o.Spec.Template, o.Spec.VolumeClaimTemplates), o.Spec.Replicas
		}
	case autoscalingv1beta1.KindReplicaSet:
		o := &appsv1.ReplicaSet{}
		object, read = o, func() (*corev1.PodTemplateSpec, *int32) { return &o.Spec.Template, o.Spec.Replicas }
	}
	if object == nil || ref.APIGroup != "" && ref.APIGroup != appsv1.GroupName {
		return resolved{}, &unresolved{
			autoscalingv1beta1.ReasonResolutionFailed,
			fmt.Sprintf(
				"scalableRef names a %s of group %q; a Deployment, StatefulSet or ReplicaSet of group apps can be "+
					"named.",
				ref.Kind,
				ref.APIGroup,
			),
		}
	}
	err := from.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: ref.Name}, object)
	if apierrors.IsNotFound(err) {
		return resolved{}, &unresolved{autoscalingv1beta1.ReasonScalableRefNotFound,
			fmt.Sprintf("%s %s does not exist in namespace %s.", ref.Kind, ref.Name, b.Namespace)}
	}
	if err != nil {
		return resolved{}, fmt.Errorf("reading %s %s/%s: %w", ref.Kind, b.Namespace, ref.Name, err)
	}
	template, replicas := read()
	out := resolved{template: template, replicas: 1}
	if replicas != nil {
		out.replicas = *replicas
	}
	if set, ok := object.(*appsv1.StatefulSet); ok {
		out.set, out.next = set.Name, int(out.replicas)
		if set.Spec.Ordinals != nil {
			out.next += int(set.Spec.Ordinals.Start)
		}
	}
	return out, nil
}

// count is for how many pods a buffer keeps room: the least of what replicas, percentage and limits say. Of the first
// two the API's own text wants the smaller, as Cluster Autoscaler takes it; Karpenter takes the larger.
func count(b *autoscalingv1beta1.CapacityBuffer, r resolved) (int32, error) {
	want := int64(math.MaxInt64)
	if b.Spec.Replicas != nil {
		want = int64(*b.Spec.Replicas)
	}
	if b.Spec.Percentage != nil {
		want = min(want, (int64(*b.Spec.Percentage)*int64(r.replicas)+99)/100)
	}
	if len(b.Spec.Limits) > 0 {
		most := within(b.Spec.Limits, r.template)
		if want = min(want, most); want == math.MaxInt64 {
			return 0, &unresolved{
				autoscalingv1beta1.ReasonResolutionFailed,
				"The pod requests none of the resources that limits name, so they do not say how many pods to keep " +
					"room for; set replicas.",
			}
		}
	}
	if want == math.MaxInt64 {
		return 0, nil // nothing says how many
	}
	if want > mostPods {
		return 0, &unresolved{
			autoscalingv1beta1.ReasonResolutionFailed,
			fmt.Sprintf("Room for %d pods is asked for; a buffer may have %d at most.", want, mostPods),
		}
	}
	return int32(want), nil
}

// within is how many pods the limits hold together; MaxInt64 if they bound nothing that a pod requests.
func within(limits corev1.ResourceList, template *corev1.PodTemplateSpec) int64 {
	requests := resource.PodRequests(&corev1.Pod{Spec: template.Spec}, resource.PodResourcesOptions{})
	most := int64(math.MaxInt64)
	for name, limit := range limits {
		need := requests[name]
		if need.Sign() <= 0 {
			continue
		}
		unit := provider.ScaleOf(name)
		most = min(most, max(provider.Amount(&limit, unit), 0)/provider.Amount(&need, unit))
	}
	return most
}
