package objects

import (
	"iter"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Machine is one node of a Snapshot: a Node, a NodeClaim, or both. One of them is always there.
type Machine struct {
	Node  *corev1.Node
	Claim *karpenterv1.NodeClaim
}

// Machines joins Nodes with NodeClaims by the machine that they name. A machine has the name of its Node, or else of
// its claim; see translate.ClaimOnlyName for claims of which another Node has the name.
type Machines struct {
	nodes  byID[*corev1.Node]
	claims byID[*karpenterv1.NodeClaim]
	joined map[string]*Machine
	nameOf map[string]string // the machine of a claim
}

// NewMachines makes an empty Machines.
func NewMachines() *Machines {
	return &Machines{
		nodes:  newByID[*corev1.Node](),
		claims: newByID[*karpenterv1.NodeClaim](),
		joined: map[string]*Machine{},
		nameOf: map[string]string{},
	}
}

// Touched is what an event has changed.
type Touched struct {
	Machines map[string]struct{} // changed, come or gone
	Claims   map[string]struct{} // may belong to another machine now
}

// PutNode notes a Node. It touches nothing if only what no Snapshot holds has changed, as in a heartbeat.
func (m *Machines) PutNode(n *corev1.Node) Touched {
	if old := m.nodes.objects[n.Name]; old != nil && sameNode(old, n) {
		m.nodes.objects[n.Name] = n
		if j := m.joined[n.Name]; j != nil {
			j.Node = n
		}
		return Touched{}
	}
	return m.rejoin(n.Name, m.nodes.put(n.Name, n.Spec.ProviderID, n)...)
}

// DropNode notes that a Node is gone.
func (m *Machines) DropNode(name string) Touched { return m.dropped(name, m.nodes.drop(name)) }

// PutClaim notes a NodeClaim.
func (m *Machines) PutClaim(c *karpenterv1.NodeClaim) Touched {
	return m.rejoin(c.Name, m.claims.put(c.Name, c.Status.ProviderID, c)...)
}

// DropClaim notes that a NodeClaim is gone.
func (m *Machines) DropClaim(name string) Touched { return m.dropped(name, m.claims.drop(name)) }

// dropped joins anew after an object with these provider IDs is gone; without IDs none was there.
func (m *Machines) dropped(name string, ids []string) Touched {
	if len(ids) == 0 {
		return Touched{}
	}
	return m.rejoin(name, ids...)
}

// Node finds a Node; nil if there is none.
func (m *Machines) Node(name string) *corev1.Node { return m.nodes.objects[name] }

// Claim finds a NodeClaim; nil if there is none.
func (m *Machines) Claim(name string) *karpenterv1.NodeClaim { return m.claims.objects[name] }

// Machine finds a machine by its own name; nil if there is none.
func (m *Machines) Machine(name string) *Machine { return m.joined[name] }

// All are all machines by name, in no particular order.
func (m *Machines) All() iter.Seq2[string, *Machine] { return maps.All(m.joined) }

// OfClaim is the name of a claim's machine, empty if there is no such claim.
func (m *Machines) OfClaim(claim string) string { return m.nameOf[claim] }

// Named is the name of the machine that a name means: a Node's, or else a claim's, or else its own. It is empty if
// there is none.
func (m *Machines) Named(name string) string {
	if name == "" {
		return ""
	}
	if m.nodes.objects[name] != nil {
		return name
	}
	if machine, ok := m.nameOf[name]; ok {
		return machine
	}
	if m.joined[name] != nil {
		return name
	}
	return ""
}

// rejoin works out anew which Nodes and claims are one machine, for all that have one of the provider IDs, and for the
// Node and the claim of one name.
func (m *Machines) rejoin(name string, ids ...string) Touched {
	touched := map[string]struct{}{name: {}}
	claims := map[string]struct{}{name: {}}
	for _, id := range ids {
		maps.Copy(touched, m.nodes.names[id])
		maps.Copy(claims, m.claims.names[id])
	}
	m.part(claims, touched)
	for node := range touched {
		if m.nodes.objects[node] != nil {
			m.machine(node).Node = m.nodes.objects[node]
		} else if j := m.joined[node]; j != nil {
			j.Node = nil
		}
	}
	for claim := range claims {
		if c := m.claims.objects[claim]; c != nil {
			machine := m.nameFor(c)
			m.machine(machine).Claim = c
			m.nameOf[claim] = machine
			touched[machine] = struct{}{}
		}
	}
	for machine := range touched {
		if j := m.joined[machine]; j != nil && j.Node == nil && j.Claim == nil {
			delete(m.joined, machine)
		}
	}
	return Touched{Machines: touched, Claims: claims}
}

// part takes claims out of their machines, so that no two are in one at any time.
func (m *Machines) part(claims, touched map[string]struct{}) {
	for claim := range claims {
		if machine, ok := m.nameOf[claim]; ok {
			delete(m.nameOf, claim)
			m.joined[machine].Claim = nil
			touched[machine] = struct{}{}
		}
	}
}

func (m *Machines) machine(name string) *Machine {
	if m.joined[name] == nil {
		m.joined[name] = &Machine{}
	}
	return m.joined[name]
}

// nameFor is where a claim belongs: with the Node of its machine if there is one, else by itself.
func (m *Machines) nameFor(c *karpenterv1.NodeClaim) string {
	if id := c.Status.ProviderID; id != "" && first(m.claims.names[id]) == c.Name {
		if node := first(m.nodes.names[id]); node != "" {
			return node
		}
	}
	if m.nodes.objects[c.Name] != nil {
		return translate.ClaimOnlyName(c.Name)
	}
	return c.Name
}

// first is the least name, empty if there is none.
func first(names map[string]struct{}) string {
	least := ""
	for name := range names {
		if least == "" || name < least {
			least = name
		}
	}
	return least
}

// Leaving machines take no pods.
func (m *Machine) Leaving() bool {
	return m.Node != nil && m.Node.DeletionTimestamp != nil || m.Claim != nil && m.Claim.DeletionTimestamp != nil ||
		m.Node == nil && m.Claim != nil && translate.Gone(m.Claim)
}

// Pool is the name of the NodePool, empty for machines that we do not manage.
func (m *Machine) Pool() string {
	if m.Claim == nil {
		return ""
	}
	return m.Claim.Labels[karpenterv1.NodePoolLabelKey]
}

// Registered reports whether the Node has been made its claim's.
func (m *Machine) Registered() bool {
	return m.Node != nil && m.Node.Labels[karpenterv1.NodeRegisteredLabelKey] == "true"
}

// sameNode compares what a Snapshot holds of a node; the rest are heartbeats.
func sameNode(a, b *corev1.Node) bool {
	return a.Spec.ProviderID == b.Spec.ProviderID && a.Spec.Unschedulable == b.Spec.Unschedulable &&
		(a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil) &&
		a.CreationTimestamp.Equal(&b.CreationTimestamp) &&
		maps.Equal(a.Labels, b.Labels) &&
		a.Annotations[karpenterv1.DoNotDisruptAnnotationKey] == b.Annotations[karpenterv1.DoNotDisruptAnnotationKey] &&
		slices.EqualFunc(a.Spec.Taints, b.Spec.Taints, func(x, y corev1.Taint) bool {
			return x.Key == y.Key && x.Value == y.Value && x.Effect == y.Effect
		}) &&
		translate.SameAmounts(a.Status.Allocatable, b.Status.Allocatable) &&
		translate.SameAmounts(a.Status.Capacity, b.Status.Capacity)
}
