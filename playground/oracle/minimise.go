package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// minimise drops whatever a disagreement does not need, until nothing more can go.
func minimise(ctx context.Context, s *scheduler, c *cluster, want Disagreement) *cluster {
	for again := true; again; {
		again = false
		for i := 0; ; i++ {
			smaller, ok := c.without(i)
			if !ok {
				break
			}
			_, found := judge(ctx, s, smaller)
			if slices.ContainsFunc(found, func(d Disagreement) bool { return d.Kind == want.Kind && d.Plugin == want.Plugin }) {
				c, again = smaller, true
				i--
			}
		}
	}
	return c
}

// without leaves one thing out, the i-th of all that can be left out.
func (c *cluster) without(i int) (*cluster, bool) {
	out := *c
	drop := func(n int) (at int, ok bool) {
		at, i = i, i-n
		return at, at >= 0 && at < n
	}
	if at, ok := drop(len(c.pending)); ok {
		out.pending = slices.Delete(slices.Clone(c.pending), at, at+1)
		return &out, true
	}
	if at, ok := drop(len(c.machines)); ok {
		out.machines = slices.Delete(slices.Clone(c.machines), at, at+1)
		return &out, true
	}
	if at, ok := drop(len(c.pools)); ok {
		out.pools = slices.Delete(slices.Clone(c.pools), at, at+1)
		return &out, true
	}
	if at, ok := drop(len(c.types)); ok {
		out.types = slices.Delete(slices.Clone(c.types), at, at+1)
		return &out, true
	}
	for m := range c.machines {
		daemons := slices.IndexFunc(c.machines[m].pods, func(p *corev1.Pod) bool { return len(p.OwnerReferences) == 0 })
		if daemons < 0 {
			continue
		}
		// A node keeps its daemons, which come first.
		if at, ok := drop(len(c.machines[m].pods) - daemons); ok {
			out.machines = slices.Clone(c.machines)
			out.machines[m].pods = slices.Delete(slices.Clone(c.machines[m].pods), daemons+at, daemons+at+1)
			return &out, true
		}
	}
	return nil, false
}

// String tells a cluster in lines that are short enough to reason about.
func (c *cluster) String() string {
	var b strings.Builder
	for _, t := range c.types {
		fmt.Fprintf(&b, "type %s %+v attach %v\n", t.Name, t.Allocatable, t.Attachable)
		for _, r := range t.Requirements {
			fmt.Fprintf(&b, "  %s %s %v\n", r.Key, r.Operator, r.Values)
		}
		for _, o := range t.Offerings {
			fmt.Fprintf(&b, "  %s %s %s available %t\n", o.Zone, o.CapacityType, o.Price, o.Available)
		}
	}
	for _, p := range c.pools {
		fmt.Fprintf(&b, "pool %s %s\n", p.Name, text(p.Spec))
	}
	for _, ds := range c.daemons {
		fmt.Fprintf(&b, "daemonset %s %s\n", ds.Name, text(ds.Spec.Template.Spec))
	}
	for _, m := range c.machines {
		fmt.Fprintf(&b, "node %s %s taints %s allocatable %s", m.node.Name, text(m.node.Labels), text(m.node.Spec.Taints), text(m.node.Status.Allocatable))
		if m.csi != nil {
			fmt.Fprintf(&b, " attach %s", text(m.csi.Spec.Drivers))
		}
		b.WriteByte('\n')
		for _, p := range m.pods {
			podLine(&b, "  running", p)
		}
	}
	for _, p := range c.pending {
		podLine(&b, "pending", p)
	}
	return b.String()
}

func podLine(b *strings.Builder, what string, p *corev1.Pod) {
	fmt.Fprintf(b, "%s %s/%s %s %s\n", what, p.Namespace, p.Name, text(p.Labels), text(p.Spec))
}

func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`"`, "", "DuringSchedulingIgnoredDuringExecution", "", "resources:{},", "").Replace(string(out))
}
