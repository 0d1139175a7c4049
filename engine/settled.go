package engine

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bind"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// trialEffort is Policy.Effort of plans that only compare places for a volume.
const trialEffort = 10_000

// realPod is what a pod counts for when places for a volume are compared: more than all those that only keep room free.
const realPod = 1 << 20

// settled plans until no pod is where its volumes will not be.
func (pl *Planner) settled(pass *bind.Pass, s *shape.Snapshot, p Policy) Decision {
	try := func(part shape.Snapshot) (placed int, price shape.Money) {
		policy := p
		policy.Effort = min(p.Effort, trialEffort)
		d := pl.once(part, policy)
		left := make(map[shape.PodID]bool, len(d.Unplaced))
		for i := range d.Unplaced {
			left[d.Unplaced[i].Pod] = true
		}
		for i := range part.Pods {
			switch pod := &part.Pods[i]; {
			case left[pod.ID]:
			case part.Classes[pod.Class].Buffer:
				placed++
			default:
				placed += realPod
			}
		}
		return placed, d.Price
	}
	d := pl.once(pass.Snapshot(), p)
	first := d
	for pass.Learn(placesOf(s, &d), try) {
		steps := d.Counters.Steps
		d = pl.once(pass.Snapshot(), p)
		d.Counters.Steps += steps
	}
	// What was proved of a narrowed Snapshot need not hold of all choices.
	if len(first.Unplaced) == len(d.Unplaced) {
		d.Bound = min(first.Bound, d.Price)
	} else {
		d.Bound = 0
	}
	d.Counters.Classes = first.Counters.Classes
	return d
}

// placesOf says where a decision puts pods, and what labels they find there.
func placesOf(s *shape.Snapshot, d *Decision) map[shape.PodID]bind.Place {
	out := make(map[shape.PodID]bind.Place, len(s.Pods))
	nodes := map[string]bind.Place{}
	for _, placed := range d.Place {
		at, known := nodes[placed.Node]
		if !known {
			at = placeOf(s, placed.Node)
			nodes[placed.Node] = at
		}
		out[placed.Pod] = at
	}
	for i := range d.Open {
		at := bind.Place{Name: "new " + d.Open[i].ID}
		for k := range d.Open[i].Options {
			at.Labels = append(at.Labels, labelsOf(s, &d.Open[i], &d.Open[i].Options[k]))
		}
		for _, id := range d.Open[i].Pods {
			out[id] = at
		}
	}
	return out
}

func placeOf(s *shape.Snapshot, name string) bind.Place {
	i := slices.IndexFunc(s.Nodes, func(n *shape.Node) bool { return n.Name == name })
	if i < 0 {
		return bind.Place{Name: name, Node: name}
	}
	n := s.Nodes[i]
	var labels []shape.Label
	if n.Profile >= 0 && int(n.Profile) < len(s.Profiles) {
		labels = slices.Clone(s.Profiles[n.Profile].Labels)
	}
	return bind.Place{
		Name: name, Node: name, Labels: [][]shape.Label{bind.WithLabel(labels, shape.LabelHostname, n.Hostname)},
	}
}

// labelsOf are those labels of a new node that are certain if it is launched from an option, ascending by key.
func labelsOf(s *shape.Snapshot, n *NewNode, o *Option) []shape.Label {
	known := map[string]string{}
	take := func(reqs []shape.Requirement) {
		for _, r := range reqs {
			if r.Operator == shape.In && len(r.Values) == 1 {
				known[r.Key] = r.Values[0]
			}
		}
	}
	for _, p := range s.Pools {
		if p.Name != n.Pool {
			continue
		}
		for _, i := range p.Types {
			if i >= 0 && int(i) < len(s.Types) && s.Types[i].Name == o.Type {
				take(s.Types[i].Requirements)
			}
		}
		for _, l := range p.Labels {
			known[l.Key] = l.Value
		}
	}
	take(n.Requirements)
	known[shape.LabelZone] = cmp.Or(o.Zone, known[shape.LabelZone])
	known[shape.LabelCapacityType] = o.CapacityType
	known[shape.LabelInstanceType] = o.Type
	known[shape.LabelNodePool] = n.Pool
	return shape.LabelsOf(known)
}
