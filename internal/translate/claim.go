package translate

import (
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/provider"
)

// Requirement turns a requirement back into the API's.
func Requirement(r shape.Requirement) karpenterv1.Requirement {
	out := karpenterv1.Requirement{
		Key:      r.Key,
		Operator: corev1.NodeSelectorOperator(r.Operator.String()),
		Values:   slices.Clone(r.Values),
	}
	if r.MinValues > 0 {
		n := int(r.MinValues)
		out.MinValues = &n
	}
	return out
}

// AnnotationPlannedPrice is on claims that a plan made: what it reckoned the machine to cost, in dollars per hour, such
// as "0.0960".
const AnnotationPlannedPrice = "dovetail.sh/planned-price"

// AnnotationOpenedFor is on claims that the controller made: why, in one clause without a full stop, such as "for pod
// default/web-1 and 3 more".
const AnnotationOpenedFor = "dovetail.sh/opened-for"

// OpenedFor says why a node is opened, for a reason as metrics name it.
func OpenedFor(reason string, pods []shape.PodID) string {
	switch {
	case len(pods) == 1:
		return "for pod " + string(pods[0])
	case len(pods) > 1:
		return "for pod " + string(pods[0]) + " and " + strconv.Itoa(len(pods)-1) + " more"
	}
	return "for reason " + reason
}

// PlannedPrice is what a plan reckoned a claim's machine to cost; false if the claim does not say.
func PlannedPrice(claim *karpenterv1.NodeClaim) (dollars float64, ok bool) {
	dollars, err := strconv.ParseFloat(claim.Annotations[AnnotationPlannedPrice], 64)
	return dollars, err == nil && dollars >= 0 && !math.IsInf(dollars, 1)
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
	if n.Price > 0 {
		claim.Annotations[AnnotationPlannedPrice] = strconv.FormatFloat(n.Price.Float(), 'f', -1, 64)
	}
	claim.Annotations[karpenterv1.NodePoolHashAnnotationKey] = np.Hash()
	claim.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey] = karpenterv1.NodePoolHashVersion
	if n.Relaxed {
		claim.Annotations[karpenterv1.NodeClaimMinValuesRelaxedAnnotationKey] = "true"
	}
	claim.Spec.Requirements = make([]karpenterv1.Requirement, 0, len(n.Requirements))
	for _, r := range n.Requirements {
		if _, ours := lifecycleLabels[r.Key]; ours {
			continue // every node gets them, and no API server takes a claim that asks for them
		}
		claim.Spec.Requirements = append(claim.Spec.Requirements, Requirement(r))
	}
	claim.Spec.Resources.Requests = provider.ResourceListOf(devices.Real(n.Requests))
	if len(n.Drivers) > 0 {
		claim.Annotations[karpenterv1.DRADriversAnnotationKey] = strings.Join(n.Drivers, ",")
	}
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
