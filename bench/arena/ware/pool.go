package ware

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

// name of the pool and of its class.
const name = "default"

// Terms are how a pool buys and gives up.
type Terms struct {
	Policy           string        // the NodePool's consolidationPolicy
	ConsolidateAfter time.Duration // 0 is the API's own default
	Spot             bool          // spot machines may be bought, too
	RegistrationTime time.Duration // from a launch until the node registers
}

// Pool is one NodePool of Linux machines with the API's own defaults but for its terms, and the class that it names.
func Pool(terms Terms) (*karpenterv1.NodePool, *kwokv1alpha1.KWOKNodeClass) {
	class := &kwokv1alpha1.KWOKNodeClass{}
	class.Name = name
	class.Spec.NodeRegistrationDelay = &metav1.Duration{Duration: terms.RegistrationTime}
	capacity := []string{karpenterv1.CapacityTypeOnDemand}
	if terms.Spot {
		capacity = append(capacity, karpenterv1.CapacityTypeSpot)
	}
	pool := &karpenterv1.NodePool{}
	pool.Name = name
	pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicy(terms.Policy)
	pool.Spec.Disruption.ConsolidateAfter = karpenterv1.After(terms.ConsolidateAfter)
	pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: kwokv1alpha1.Group, Kind: "KWOKNodeClass", Name: name,
	}
	pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{string(corev1.Linux)}},
		{Key: karpenterv1.CapacityTypeLabelKey, Operator: corev1.NodeSelectorOpIn, Values: capacity},
	}
	return pool, class
}
