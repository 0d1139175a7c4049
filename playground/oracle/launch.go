package oracle

import (
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// launched is the node that a decision's new node becomes when one of its options is delivered.
func (c *cluster) launched(n engine.NewNode, option engine.Option) machine {
	pool := c.pool(n.Pool)
	for _, t := range c.types {
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if t.Name != option.Type || o.Zone != option.Zone || o.CapacityType != option.CapacityType ||
				o.Reservation != option.Reservation {
				continue
			}
			return c.joined("new-"+n.ID, pool, provider.Candidate{Type: t, Offering: o}, onlyValues(n.Requirements))
		}
	}
	return machine{}
}

// onlyValues are the labels about which requirements leave no choice.
func onlyValues(reqs []shape.Requirement) map[string]string {
	out := map[string]string{}
	for _, r := range reqs {
		if r.Operator == shape.In && len(r.Values) == 1 {
			out[r.Key] = r.Values[0]
		}
	}
	return out
}

// joined is a candidate's node after it has registered, with a pool's labels and taints and all its daemons.
func (c *cluster) joined(
	name string,
	pool *karpenterv1.NodePool,
	from provider.Candidate,
	labels map[string]string,
) machine {
	n := newNode(name, from.Type, from)
	for key, value := range labels {
		if _, taken := n.Labels[key]; !taken {
			n.Labels[key] = value
		}
	}
	for key, value := range pool.Spec.Template.Labels {
		n.Labels[key] = string(value)
	}
	n.Labels[karpenterv1.NodePoolLabelKey] = pool.Name
	n.Labels[karpenterv1.NodeClassLabelKey(pool.Spec.Template.Spec.NodeClassRef.GroupKind())] = pool.Spec.Template.Spec.NodeClassRef.Name
	for _, t := range pool.Spec.Template.Spec.Taints {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint(t))
	}
	return c.withDaemons(n, from.Type)
}

func (c *cluster) pool(name string) *karpenterv1.NodePool {
	for _, p := range c.pools {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// fresh lists every node that could be opened on top of a decision: each offering of each pool, with each value that
// the pool leaves open for the label that only pools give.
func (c *cluster) fresh(d engine.Decision) []machine {
	var out []machine
	for _, p := range c.pools {
		pool, err := translate.Pool(p, nil)
		if err != nil {
			continue
		}
		for _, candidate := range provider.Candidates(c.types, pool.Requirements, shape.Vector{}) {
			for _, labels := range openLabels(pool.Requirements) {
				m := c.joined("fresh", p, candidate, labels)
				if holdsDaemons(m) && c.mayOpen(p, candidate, d) {
					out = append(out, m)
				}
			}
		}
	}
	return out
}

func openLabels(reqs []shape.Requirement) []map[string]string {
	wanted := require.New(reqs).Get(sample.TeamLabel)
	if !wants(reqs, sample.TeamLabel) {
		return []map[string]string{nil}
	}
	var out []map[string]string
	for _, value := range sample.Teams {
		if wanted.Has(value) {
			out = append(out, map[string]string{sample.TeamLabel: value})
		}
	}
	return out
}

func wants(reqs []shape.Requirement, key string) bool {
	for _, r := range reqs {
		if r.Key == key {
			return true
		}
	}
	return false
}

// holdsDaemons reports whether a fresh node has room for its daemons: one that has not is never opened.
func holdsDaemons(m machine) bool {
	info := newBoard(nil).add(m)
	requested, allocatable := info.GetRequested(), info.GetAllocatable()
	return requested.GetMilliCPU() <= allocatable.GetMilliCPU() && requested.GetMemory() <= allocatable.GetMemory() &&
		len(info.GetPods()) <= allocatable.GetAllowedPodNumber()
}
