package roster

import (
	"cmp"
	"fmt"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// fill tells of a NodePool what its limits and budgets leave now.
func (s *Seen) fill(p *view.Pool, np *karpenterv1.NodePool, f *view.Fleet) {
	for _, known := range s.snapshot.Pools {
		if known.Name != np.Name {
			continue
		}
		p.Trouble = known.NotReady
		for _, l := range known.Limits {
			p.Limits = append(p.Limits, view.Limit{Resource: l.Resource, Used: l.Used, Max: l.Max})
		}
	}
	if r := np.Status.Rollout; r != nil {
		p.Outdated = int(r.Outdated)
	}
	if h := np.Status.Hold; h != nil {
		p.Held = "by " + cmp.Or(h.By, "somebody")
		if h.Until != nil {
			p.Held += " until " + h.Until.UTC().Format(time.RFC3339)
		}
	}
	leaving := 0
	for i := range f.Nodes {
		if f.Nodes[i].Pool == np.Name && f.Nodes[i].Phase.Going() {
			leaving++
		}
	}
	for _, reason := range []karpenterv1.DisruptionReason{karpenterv1.DisruptionReasonUnderutilized,
		karpenterv1.DisruptionReasonEmpty, karpenterv1.DisruptionReasonDrifted} {
		allowed, err := np.AllowedDisruptions(s.in.Now, p.Nodes, reason)
		a := view.Allowance{Reason: string(reason), Allowed: allowed, Going: leaving}
		if allowed == karpenterv1.Unlimited {
			a.Allowed = -1
		}
		if err != nil {
			a.Trouble = fmt.Sprint(err)
		}
		p.Budgets = append(p.Budgets, a)
	}
}
