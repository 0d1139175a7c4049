package simulate

import (
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// fixed are the nodes that pools with spec.replicas still lack: they are bought whatever pods there are.
type fixed struct {
	nodes []engine.NewNode
}

// addStatic adds, for pools that keep a number of nodes, claims for those that they lack, as the controller makes them.
// They are of what is cheapest, and pods are planned onto them as onto any node that is on its way.
func (p *Prepared) addStatic() {
	if p.input.Lenient {
		return // a running controller has opened what it may
	}
	names, told := map[string]bool{}, false
	var around shape.Snapshot
	for _, n := range p.objects.Nodes {
		names[n.Name] = true
	}
	for _, c := range p.objects.NodeClaims {
		names[c.Name] = true
	}
	for _, np := range p.objects.NodePools {
		if np.Spec.Replicas == nil || np.DeletionTimestamp != nil {
			continue
		}
		if !told {
			p.note("NodePools with spec.replicas count; the controller needs feature gate StaticCapacity for that")
			around = p.daemons()
		}
		told = true
		lacks := p.lacks(np)
		for i, opened := 1, 0; opened < lacks; i++ {
			name := fmt.Sprintf("%s-%d", np.Name, i)
			if names[name] {
				continue
			}
			if !p.openStatic(np, name, around) {
				p.note(
					fmt.Sprintf(
						"NodePool %s keeps %d nodes (spec.replicas), and nothing is sold for %d of them: no offering "+
							"satisfies its requirements",
						np.Name,
						*np.Spec.Replicas,
						lacks-opened,
					),
				)
				break
			}
			opened++
		}
	}
}

// lacks is how many nodes a static pool may open yet. Nodes that are going away count for its limit, not for its
// number.
func (p *Prepared) lacks(np *karpenterv1.NodePool) int {
	want := int(*np.Spec.Replicas)
	have, leaving := p.countOf(np.Name)
	room := math.MaxInt
	if q, ok := np.Spec.Limits[corev1.ResourceName(shape.LimitNodes)]; ok {
		room = int(q.Value()) - have - leaving
	}
	if lack := want - have; lack > max(room, 0) {
		p.note(
			fmt.Sprintf(
				"NodePool %s keeps %d nodes (spec.replicas), and its limit of nodes lets it have %d fewer",
				np.Name,
				want,
				lack-max(room, 0),
			),
		)
	}
	return min(want-have, room)
}

// countOf counts the machines of a pool: claims, and nodes that carry its label without one.
func (p *Prepared) countOf(pool string) (have, leaving int) {
	ids := map[string]bool{}
	count := func(going bool) {
		if going {
			leaving++
		} else {
			have++
		}
	}
	for _, c := range p.objects.NodeClaims {
		if c.Labels[karpenterv1.NodePoolLabelKey] == pool {
			ids[c.Status.ProviderID] = true
			count(c.DeletionTimestamp != nil)
		}
	}
	for _, n := range p.objects.Nodes {
		if n.Labels[karpenterv1.NodePoolLabelKey] == pool && (n.Spec.ProviderID == "" || !ids[n.Spec.ProviderID]) {
			count(n.DeletionTimestamp != nil)
		}
	}
	return have, leaving
}

// daemons is the part of the cluster that takes room on nodes without pods.
func (p *Prepared) daemons() shape.Snapshot {
	objects := p.objects
	objects.Pods, objects.Nodes, objects.NodeClaims, objects.NodePools = nil, nil, nil, nil
	snapshot, _ := translate.Snapshot(objects, p.input.Now) // planning tells of what cannot be read
	return snapshot
}

// openStatic buys one node of the cheapest offering that has room for the daemons around, and reports whether there is
// any.
func (p *Prepared) openStatic(np *karpenterv1.NodePool, name string, around shape.Snapshot) bool {
	template, err := translate.Pool(np, labelRules().Aliases)
	if err != nil {
		return false // planning says so
	}
	types := p.objects.Offers[np.Name].Types
	candidates := provider.Candidates(types, template.Requirements, shape.Vector{})
	if len(candidates) == 0 {
		return false
	}
	node := engine.NewNode{ID: name, Pool: np.Name, Requirements: template.Requirements}
	for _, c := range candidates {
		node.Options = append(node.Options, engine.Option{
			Type:         c.Type.Name,
			Zone:         c.Offering.Zone,
			CapacityType: c.Offering.CapacityType,
			Reservation:  c.Offering.Reservation,
			Price:        c.Offering.Price,
		})
	}
	node.Options = engine.Roomy(around, template, types, node.Options)
	node.Price = node.Options[0].Price
	first := candidates[slices.IndexFunc(candidates, func(c provider.Candidate) bool {
		o := node.Options[0]
		return c.Type.Name == o.Type && c.Offering.Zone == o.Zone && c.Offering.CapacityType == o.CapacityType &&
			c.Offering.Reservation == o.Reservation
	})]
	claim := translate.NodeClaim(np, node, nil)
	claim.Name, claim.GenerateName = name, ""
	for key, value := range first.Labels() {
		claim.Labels[key] = value
	}
	claim.CreationTimestamp.Time = p.input.Now
	claim.Status.Capacity = provider.ResourceListOf(first.Type.Capacity)
	claim.Status.Allocatable = provider.ResourceListOf(first.Allocatable())
	p.objects.NodeClaims = append(p.objects.NodeClaims, claim)
	p.fixed.nodes = append(p.fixed.nodes, node)
	p.reserve(first)
	return true
}

// reserve takes a machine out of a reservation, for all pools.
func (p *Prepared) reserve(bought provider.Candidate) {
	if bought.Offering.Reservation == "" {
		return
	}
	seen := map[*shape.InstanceType]bool{} // pools share them
	for _, offer := range p.objects.Offers {
		for _, it := range offer.Types {
			if !seen[it] {
				takeOne(it, bought.Offering.Reservation)
			}
			seen[it] = true
		}
	}
}

// takeOne takes a place in a reservation.
func takeOne(it *shape.InstanceType, reservation string) {
	for i := range it.Offerings {
		if o := &it.Offerings[i]; o.Reservation == reservation {
			o.Remaining--
			o.Available = o.Available && o.Remaining > 0
		}
	}
}

// open turns what a plan places on nodes of static pools into new nodes with pods, and counts what they cost.
func (f *fixed) open(d *engine.Decision, s *shape.Snapshot) {
	at := map[string]int{}
	requests := map[shape.PodID]shape.Vector{}
	for _, pod := range s.Pods {
		if int(pod.Class) < len(s.Classes) {
			requests[pod.ID] = s.Classes[pod.Class].Requests
		}
	}
	var opened []engine.NewNode
	for i, n := range f.nodes {
		at[n.ID] = i
		opened = append(opened, n)
		d.Price += n.Price
		d.Bound += n.Price
	}
	d.Place = slices.DeleteFunc(d.Place, func(place engine.Placement) bool {
		i, ours := at[place.Node]
		if ours {
			opened[i].Pods = append(opened[i].Pods, place.Pod)
			opened[i].Requests = opened[i].Requests.Add(requests[place.Pod])
		}
		return ours
	})
	d.Open = append(opened, d.Open...)
}
