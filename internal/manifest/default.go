package manifest

import (
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// expireAfter is what the schemas of NodePools and NodeClaims say where nobody does. In Go an absent duration is
// "Never".
const expireAfter = 720 * time.Hour

// beforePool and beforeClaim are what a server writes into fields that are absent.
func beforePool(p *karpenterv1.NodePool) {
	p.Spec.Disruption.ConsolidateAfter = karpenterv1.After(0)
	p.Spec.Template.Spec.ExpireAfter = karpenterv1.After(expireAfter)
}

func beforeClaim(c *karpenterv1.NodeClaim) { c.Spec.ExpireAfter = karpenterv1.After(expireAfter) }

// defaultPools fills in what can be told from absent fields afterwards.
func (s *Set) defaultPools() {
	for _, p := range s.NodePools {
		d := &p.Spec.Disruption
		if d.ConsolidationPolicy == "" {
			d.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
		}
		if d.Budgets == nil {
			d.Budgets = []karpenterv1.Budget{{}}
		}
		for i := range d.Budgets {
			if d.Budgets[i].Nodes == "" {
				d.Budgets[i].Nodes = "10%"
			}
		}
	}
}
