package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
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
			if smaller.String() == c.String() {
				continue
			}
			_, found := judge(ctx, s, smaller)
			if slices.ContainsFunc(
				found,
				func(d Disagreement) bool { return d.Kind == want.Kind && d.Plugin == want.Plugin },
			) {
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
		out.pending = less(c.pending, at)
		return &out, true
	}
	if at, ok := drop(len(c.machines)); ok {
		out.machines = less(c.machines, at)
		return &out, true
	}
	if at, ok := drop(len(c.pools)); ok {
		out.pools = less(c.pools, at)
		return &out, true
	}
	if at, ok := drop(len(c.types)); ok {
		out.types = less(c.types, at)
		return &out, true
	}
	if at, ok := drop(len(c.daemons)); ok {
		return c.withoutDaemon(at), true
	}
	for m := range c.machines {
		daemons := daemonsOf(c.machines[m])
		if at, ok := drop(len(c.machines[m].pods) - daemons); ok {
			out.machines = slices.Clone(c.machines)
			out.machines[m].pods = less(c.machines[m].pods, daemons+at)
			return &out, true
		}
	}
	if at, ok := drop(len(c.pending) * len(simpler)); ok {
		out.pending = slices.Clone(c.pending)
		pod := c.pending[at/len(simpler)].DeepCopy()
		simpler[at%len(simpler)](&pod.Spec)
		out.pending[at/len(simpler)] = pod
		return &out, true
	}
	return nil, false
}

func less[T any](list []T, at int) []T { return slices.Delete(slices.Clone(list), at, at+1) }

// daemonsOf counts a machine's daemons, which come first.
func daemonsOf(m machine) int {
	i := slices.IndexFunc(m.pods, func(p *corev1.Pod) bool { return len(p.OwnerReferences) == 0 })
	if i < 0 {
		return len(m.pods)
	}
	return i
}

func (c *cluster) withoutDaemon(at int) *cluster {
	out := *c
	out.daemons, out.machines = less(c.daemons, at), slices.Clone(c.machines)
	for i := range out.machines {
		out.machines[i].pods = slices.DeleteFunc(slices.Clone(out.machines[i].pods), func(p *corev1.Pod) bool {
			return len(p.OwnerReferences) > 0 && p.OwnerReferences[0].Name == c.daemons[at].Name
		})
	}
	return &out
}

// simpler are the wishes that a pod may not need for a disagreement.
var simpler = []func(*corev1.PodSpec){
	func(s *corev1.PodSpec) { s.Affinity = nil },
	func(s *corev1.PodSpec) { eachAffinity(s, func(a *corev1.Affinity) { a.NodeAffinity = nil }) },
	func(s *corev1.PodSpec) { eachAffinity(s, func(a *corev1.Affinity) { a.PodAffinity = nil }) },
	func(s *corev1.PodSpec) { eachAffinity(s, func(a *corev1.Affinity) { a.PodAntiAffinity = nil }) },
	func(s *corev1.PodSpec) { s.TopologySpreadConstraints = nil },
	func(s *corev1.PodSpec) { s.TopologySpreadConstraints = shorter(s.TopologySpreadConstraints) },
	func(s *corev1.PodSpec) {
		s.TopologySpreadConstraints = s.TopologySpreadConstraints[min(1, len(s.TopologySpreadConstraints)):]
	},
	func(s *corev1.PodSpec) { s.Tolerations = nil },
	func(s *corev1.PodSpec) { s.NodeSelector = nil },
	func(s *corev1.PodSpec) { s.Volumes = nil },
	func(s *corev1.PodSpec) { s.Volumes = shorter(s.Volumes) },
	func(s *corev1.PodSpec) { s.InitContainers = nil },
	func(s *corev1.PodSpec) { s.Containers = s.Containers[:1] },
	func(s *corev1.PodSpec) { s.Containers[0].Resources = corev1.ResourceRequirements{} },
	func(s *corev1.PodSpec) { s.Containers[0].Ports = nil },
	func(s *corev1.PodSpec) { s.Resources, s.Overhead, s.Priority = nil, nil, nil },
}

func eachAffinity(s *corev1.PodSpec, change func(*corev1.Affinity)) {
	if s.Affinity != nil {
		change(s.Affinity)
	}
}

func shorter[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list[:len(list)-1]
}

// planOf tells what the planner makes of a cluster.
func planOf(c *cluster) string {
	objects := c.objects()
	snapshot, _ := translate.Snapshot(objects, noon)
	d := c.plan(snapshot, objects.Devices)
	var b strings.Builder
	for _, p := range d.Place {
		fmt.Fprintf(&b, "plan: %s on %s\n", p.Pod, p.Node)
	}
	for _, n := range d.Open {
		fmt.Fprintf(
			&b,
			"plan: %v on new %s of %s, one of %v, requires %v\n",
			n.Pods,
			n.ID,
			n.Pool,
			n.Options,
			n.Requirements,
		)
	}
	for _, u := range d.Unplaced {
		fmt.Fprintf(&b, "plan: no place for %s: %s\n", u.Pod, u.Why.Sentence())
	}
	return b.String()
}

// String tells a cluster in lines that are short enough to reason about.
func (c *cluster) String() string {
	var b strings.Builder
	for _, t := range c.types {
		fmt.Fprintf(&b, "type %s %+v attach %v", t.Name, t.Allocatable, t.Attachable)
		for _, r := range t.Requirements {
			if len(r.Values) == 1 {
				fmt.Fprintf(&b, " %s=%s", r.Key, r.Values[0])
			}
		}
		for _, o := range t.Offerings {
			if o.Available {
				fmt.Fprintf(&b, ", %s %s %s", o.Zone, o.CapacityType, o.Price)
				if o.Reservation != "" {
					fmt.Fprintf(&b, " (%d left)", o.Remaining)
				}
			}
		}
		b.WriteByte('\n')
	}
	if c.equipment != nil {
		c.equipment.tell(&b)
	}
	for _, p := range c.pools {
		fmt.Fprintf(&b, "pool %s %s\n", p.Name, text(p.Spec))
	}
	for _, ds := range c.daemons {
		fmt.Fprintf(&b, "daemonset %s %s\n", ds.Name, text(ds.Spec.Template.Spec))
	}
	for _, m := range c.machines {
		fmt.Fprintf(
			&b,
			"%s %s %s taints %s allocatable %s",
			m.kind(),
			m.node.Name,
			text(m.node.Labels),
			text(m.node.Spec.Taints),
			text(m.node.Status.Allocatable),
		)
		if m.csi != nil {
			fmt.Fprintf(&b, " attach %s", text(m.csi.Spec.Drivers))
		}
		fmt.Fprintf(&b, ", %d daemons\n", daemonsOf(m))
		for _, p := range m.pods[daemonsOf(m):] {
			podLine(&b, "  running", p)
		}
	}
	for _, p := range c.pending {
		podLine(&b, "pending", p)
	}
	return b.String()
}

func (m *machine) kind() string {
	switch {
	case m.leaving:
		return "leaving node"
	case m.joined:
		return "joining node"
	case m.claim != nil:
		return "claim"
	}
	return "node"
}

func podLine(b *strings.Builder, what string, p *corev1.Pod) {
	fmt.Fprintf(b, "%s %s/%s %s %s\n", what, p.Namespace, p.Name, text(p.Labels), text(p.Spec))
}

func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`"`, "", "DuringSchedulingIgnoredDuringExecution", "", "name:app,image:pause,", "",
		"topology.kubernetes.io/", "", "kubernetes.io/", "", "resources:{},", "").Replace(string(out))
}
