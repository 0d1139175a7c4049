package v1

import "maps"

// NodeClaim returns a new claim as the template has it, without a name and
// without what planning adds. It shares nothing with the template.
func (t *NodeClaimTemplate) NodeClaim() *NodeClaim {
	template := t.DeepCopy()
	claim := &NodeClaim{
		Spec: NodeClaimSpec{
			Taints:                 template.Spec.Taints,
			StartupTaints:          template.Spec.StartupTaints,
			Requirements:           template.Spec.Requirements,
			NodeClassRef:           template.Spec.NodeClassRef,
			TerminationGracePeriod: template.Spec.TerminationGracePeriod,
			ExpireAfter:            template.Spec.ExpireAfter,
		},
	}
	claim.Labels = template.LabelMap()
	claim.Annotations = maps.Clone(template.Annotations)
	return claim
}
