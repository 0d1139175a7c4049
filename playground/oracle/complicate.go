package oracle

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// complications makes another seed of a cluster's, for what comes on top.
const complications = 0x5EED << 32

// complicate adds to some clusters what happens while things are under way: machines that are coming or going, pods
// that have a node in view or are ending, and pools that may not grow as they like.
func (c *cluster) complicate(ctx context.Context, s *scheduler, d sample.Dice) {
	if !d.Percent(50) {
		return
	}
	if d.Percent(30) {
		d.Limit(sample.Pick(d, c.pools...))
	}
	if d.Percent(25) {
		d.Reserve(sample.Pick(d, c.types...))
	}
	if d.Percent(20) {
		d.Breadth(sample.Pick(d, c.pools...))
	}
	if c.equipment == nil { // claims of pods that are on their way would have to be allocated first
		c.inView(ctx, s, d)
	}
	for i := range c.machines {
		m := &c.machines[i]
		if m.claim == nil && d.Percent(15) {
			m.leaving = true
			continue
		}
		for k := daemonsOf(*m); k < len(m.pods); k++ {
			if m.claim == nil && m.pods[k].Status.NominatedNodeName == "" && d.Percent(10) {
				m.pods[k].DeletionTimestamp = &metav1.Time{Time: noon}
			}
		}
	}
}

// inView has pods know where they go: on nodes that are coming, and on some that are there.
func (c *cluster) inView(ctx context.Context, s *scheduler, d sample.Dice) {
	if d.Percent(50) {
		c.underWay(d)
	}
	if len(c.machines) > 0 && d.Percent(40) {
		c.nominate(ctx, s, d)
	}
}

// underWay plans for some of the pods, and has launched some of that plan's nodes.
func (c *cluster) underWay(d sample.Dice) {
	wave := *c
	wave.pending = nil
	for _, pod := range slices.Clone(c.pending) {
		if d.Percent(30) {
			wave.pending = append(wave.pending, pod)
		}
	}
	snapshot, _ := translate.Snapshot(wave.objects(), noon)
	byID := map[shape.PodID]*corev1.Pod{}
	for _, pod := range wave.pending {
		byID[translate.IDOf(pod)] = pod
	}
	for _, n := range engine.Plan(snapshot, engine.DefaultPolicy()).Open {
		if !d.Percent(70) {
			continue
		}
		option := sample.Pick(d, n.Options...)
		if !c.take(option) {
			continue
		}
		m := c.launched(n, option)
		m.node.Name = "claim-" + n.ID
		m.node.Labels[shape.LabelHostname] = m.node.Name
		m.claim, m.joined = c.claim(m, n), d.Percent(40)
		m.node.Spec.ProviderID = m.claim.Status.ProviderID
		if m.csi != nil {
			m.csi.Name = m.node.Name
		}
		for _, pod := range m.pods {
			pod.Spec.NodeName = m.node.Name
		}
		for _, id := range n.Pods {
			pod := byID[id]
			c.pending = slices.DeleteFunc(c.pending, func(p *corev1.Pod) bool { return p == pod })
			pod.Spec.NodeName = m.node.Name
			m.pods = append(m.pods, pod)
		}
		c.machines = append(c.machines, m)
	}
}

// take launches from an option: a reservation then holds one machine less.
func (c *cluster) take(option engine.Option) bool {
	if option.Reservation == "" {
		return true
	}
	for _, t := range c.types {
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if o.Reservation != option.Reservation {
				continue
			}
			if o.Remaining == 0 {
				return false
			}
			o.Remaining--
			o.Available = o.Remaining > 0
		}
	}
	return true
}

// claim is the NodeClaim of a machine that was launched.
func (c *cluster) claim(m machine, n engine.NewNode) *karpenterv1.NodeClaim {
	claim := translate.NodeClaim(c.pool(n.Pool), n, nil)
	claim.Name = m.node.Name
	for key, value := range m.node.Labels {
		if key != shape.LabelHostname {
			claim.Labels[key] = value
		}
	}
	claim.Status.ProviderID = "oracle:///" + claim.Name
	claim.Status.Allocatable = maps.Clone(m.node.Status.Allocatable)
	claim.Status.Capacity = maps.Clone(m.node.Status.Capacity)
	return claim
}

// nominate gives some pods that wait a node in view, as when they have made others leave it.
func (c *cluster) nominate(ctx context.Context, s *scheduler, d sample.Dice) {
	s.board = s.newBoard(c.machines)
	for _, pod := range slices.Clone(c.pending) {
		m := &c.machines[d.IntN(len(c.machines))]
		if !d.Percent(15) || m.claim != nil {
			continue
		}
		if plugin, _ := s.attempt(ctx, pod).refusal(s.board.byName[m.node.Name]); plugin != "" {
			continue
		}
		c.pending = slices.DeleteFunc(c.pending, func(p *corev1.Pod) bool { return p == pod })
		pod.Spec.NodeName, pod.Status.NominatedNodeName = m.node.Name, m.node.Name
		s.board.seat(pod, s.board.byName[m.node.Name])
		m.pods = append(m.pods, pod)
	}
}

// mayOpen reports whether a pool may have one more machine of a candidate beside those of a decision.
func (c *cluster) mayOpen(p *karpenterv1.NodePool, with provider.Candidate, d engine.Decision) bool {
	used, nodes := with.Type.Capacity, int64(1)
	reserved := int32(1)
	for _, m := range c.machines {
		if m.claim != nil && m.claim.Labels[karpenterv1.NodePoolLabelKey] == p.Name {
			used, nodes = used.Add(c.typeOf(m.node.Labels[shape.LabelInstanceType]).Capacity), nodes+1
		}
	}
	for _, n := range d.Open {
		if n.Options[0].Reservation != "" && n.Options[0].Reservation == with.Offering.Reservation {
			reserved++
		}
		if n.Pool == p.Name {
			used.CPU += c.keeps(n)
			nodes++
		}
	}
	if with.Offering.Reservation != "" && reserved > with.Offering.Remaining {
		return false
	}
	for name, q := range p.Spec.Limits {
		switch name {
		case shape.LimitNodes:
			if nodes > q.Value() {
				return false
			}
		case corev1.ResourceCPU:
			if used.CPU > q.MilliValue() {
				return false
			}
		}
	}
	return true
}

// keeps is how many cores a new node must be allowed to have: those of the cheapest of its options, or more if it takes
// larger types to have as many as its pool's minValues wants.
func (c *cluster) keeps(n engine.NewNode) int64 {
	var cores []int64
	var seen []string
	for _, o := range n.Options {
		if !slices.Contains(seen, o.Type) {
			seen = append(seen, o.Type)
			cores = append(cores, c.typeOf(o.Type).Capacity.CPU)
		}
	}
	planned := cores[0]
	slices.Sort(cores)
	if want := c.minValues(n.Pool); want > 0 && want <= len(cores) {
		return max(planned, cores[want-1])
	}
	return planned
}

// minValues is how many instance types a pool wants a launch to keep.
func (c *cluster) minValues(pool string) int {
	want := 0
	for _, r := range c.pool(pool).Spec.Template.Spec.Requirements {
		if r.MinValues != nil {
			want = *r.MinValues
		}
	}
	return want
}

// typeOf finds a type; one that was left out to make the cluster smaller is nothing.
func (c *cluster) typeOf(name string) *shape.InstanceType {
	for _, t := range c.types {
		if t.Name == name {
			return t
		}
	}
	return &shape.InstanceType{}
}
