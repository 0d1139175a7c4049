package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// Requirement turns a requirement back into the API's.
func Requirement(r shape.Requirement) karpenterv1.Requirement {
	out := karpenterv1.Requirement{Key: r.Key, Operator: corev1.NodeSelectorOperator(r.Operator.String()), Values: slices.Clone(r.Values)}
	if r.MinValues > 0 {
		n := int(r.MinValues)
		out.MinValues = &n
	}
	return out
}

// NodeClaim makes the claim for a node that is to be opened, without a name. stamp holds
// annotations that the cloud wants on claims.
func NodeClaim(np *karpenterv1.NodePool, n engine.NewNode, stamp map[string]string) *karpenterv1.NodeClaim {
	claim := np.Spec.Template.NodeClaim()
	claim.GenerateName = np.Name + "-"
	claim.Finalizers = []string{karpenterv1.TerminationFinalizer}
	block := true
	claim.OwnerReferences = []metav1.OwnerReference{{
		APIVersion:         karpenterv1.GroupVersion.String(),
		Kind:               "NodePool",
		Name:               np.Name,
		UID:                np.UID,
		BlockOwnerDeletion: &block,
	}}
	if claim.Labels == nil {
		claim.Labels = map[string]string{}
	}
	claim.Labels[karpenterv1.NodePoolLabelKey] = np.Name
	if ref := claim.Spec.NodeClassRef; ref != nil {
		claim.Labels[karpenterv1.NodeClassLabelKey(ref.GroupKind())] = ref.Name
	}
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	for key, value := range stamp {
		claim.Annotations[key] = value
	}
	claim.Annotations[karpenterv1.NodePoolHashAnnotationKey] = np.Hash()
	claim.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey] = karpenterv1.NodePoolHashVersion
	if n.Relaxed {
		claim.Annotations[karpenterv1.NodeClaimMinValuesRelaxedAnnotationKey] = "true"
	}
	claim.Spec.Requirements = make([]karpenterv1.Requirement, 0, len(n.Requirements))
	for _, r := range n.Requirements {
		claim.Spec.Requirements = append(claim.Spec.Requirements, Requirement(r))
	}
	claim.Spec.Resources.Requests = provider.ResourceListOf(n.Requests)
	return claim
}

// Mark notes on a claim that overlays took part in choosing its options.
func (o *Offer) Mark(claim *karpenterv1.NodeClaim, n engine.NewNode) {
	if o == nil {
		return
	}
	for _, option := range n.Options {
		if o.Priced[option.Type] {
			claim.Annotations[karpenterv1alpha1.PriceOverlayAppliedAnnotationKey] = "true"
		}
		if o.Resized[option.Type] {
			claim.Annotations[karpenterv1alpha1.CapacityOverlayAppliedAnnotationKey] = "true"
		}
	}
}
