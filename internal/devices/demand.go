package devices

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// demand is what the claims of one pod come to.
type demand struct {
	claims  []*resourcev1.ResourceClaim // to allocate with the pod; those that it shares are with one of the pods only
	terms   []shape.NodeTerm            // where claims that are allocated, or are about to be, can be used
	groups  []group
	refused string
	key     string // equal for pods that can be planned as one
}

// group is a claim that is not allocated and that several pods wait for: they go where the first of them goes.
type group struct {
	claim types.NamespacedName
	leads bool
}

// resolver finds out what the pods of one Snapshot demand.
type resolver struct {
	*World
	snapshot *shape.Snapshot
	places   map[shape.PodID]string // nodes of pods; empty for those that wait
	users    map[types.NamespacedName][]shape.PodID
	demands  map[shape.PodID]*demand
}

func (w *World) resolve(s *shape.Snapshot) *resolver {
	r := &resolver{
		World: w, snapshot: s, places: map[shape.PodID]string{}, users: map[types.NamespacedName][]shape.PodID{},
		demands: map[shape.PodID]*demand{},
	}
	r.each(func(p *shape.Pod, c *shape.Class, node string) {
		r.places[p.ID] = node
		for _, claim := range c.Claims {
			if claim.Template == "" {
				key := types.NamespacedName{Namespace: c.Namespace, Name: claim.Claim}
				r.users[key] = append(r.users[key], p.ID)
			}
		}
	})
	r.each(func(p *shape.Pod, c *shape.Class, _ string) { r.demands[p.ID] = r.demandOf(p, c) })
	return r
}

// each calls f for every pod that claims devices.
func (r *resolver) each(f func(p *shape.Pod, c *shape.Class, node string)) {
	visit := func(list []shape.Pod, node string) {
		for i := range list {
			if c := r.classOf(&list[i]); c != nil && len(c.Claims) > 0 {
				f(&list[i], c, node)
			}
		}
	}
	visit(r.snapshot.Pods, "")
	for _, n := range r.snapshot.Nodes {
		visit(n.Pods, n.Name)
	}
}

func (r *resolver) classOf(p *shape.Pod) *shape.Class {
	if p.Class < 0 || int(p.Class) >= len(r.snapshot.Classes) {
		return nil
	}
	return r.snapshot.Classes[p.Class]
}

func (r *resolver) demandOf(p *shape.Pod, c *shape.Class) *demand {
	d := &demand{}
	var key strings.Builder
	for _, entry := range c.Claims {
		claim, why := r.claimOf(p, c, entry)
		if why == "" {
			why = r.join(d, p, entry, claim, &key)
		}
		if why != "" {
			d.refused = cmp.Or(d.refused, why)
		}
	}
	d.key = key.String() + d.refused
	return d
}

// claimOf finds the claim of an entry, or makes it up from its template.
func (r *resolver) claimOf(p *shape.Pod, c *shape.Class, e shape.Claim) (claim *resourcev1.ResourceClaim, why string) {
	if e.Template == "" {
		claim = r.claims[types.NamespacedName{Namespace: c.Namespace, Name: e.Claim}]
		if claim == nil {
			return nil, fmt.Sprintf("it waits for ResourceClaim %s/%s, which does not exist", c.Namespace, e.Claim)
		}
		return claim, ""
	}
	if claim = r.made[made{p.ID, e.Name}]; claim != nil {
		return claim, ""
	}
	template := r.templates[types.NamespacedName{Namespace: c.Namespace, Name: e.Template}]
	if template == nil {
		return nil, fmt.Sprintf(
			"it waits for ResourceClaimTemplate %s/%s, which does not exist", c.Namespace, e.Template)
	}
	claim = &resourcev1.ResourceClaim{Spec: template.Spec.Spec}
	claim.Namespace, claim.Name = c.Namespace, string(p.ID)+"/"+e.Name
	return claim, ""
}

// join adds a claim to a demand.
func (r *resolver) join(
	d *demand, p *shape.Pod, e shape.Claim, claim *resourcev1.ResourceClaim, key *strings.Builder,
) (why string) {
	if terms, fixed, why := r.fixed(p, e, claim); fixed || why != "" {
		var ok bool
		if d.terms, ok = require.AndTerms(d.terms, terms); !ok {
			return "no node can reach the devices of all its claims"
		}
		text, _ := json.Marshal(terms) // plain data: it cannot fail
		key.Write(text)
		return why
	}
	if _, err := r.asksOf(&claim.Spec); err != nil {
		return fmt.Sprintf("claim %q: %s", e.Name, err)
	}
	name := types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}
	together := r.together(p, e, name)
	if len(together) > 1 {
		d.groups = append(d.groups, group{claim: name, leads: together[0] == p.ID})
		fmt.Fprintf(key, "%s %v;", name, together[0] == p.ID)
		if together[0] != p.ID {
			return ""
		}
	}
	d.claims = append(d.claims, claim)
	text, _ := json.Marshal(claim.Spec.Devices) // plain data: it cannot fail
	key.Write(text)
	return ""
}

// together are the pods that share a claim that is still to be allocated and are where p is, ascending.
func (r *resolver) together(p *shape.Pod, e shape.Claim, claim types.NamespacedName) (out []shape.PodID) {
	if e.Template != "" {
		return nil
	}
	for _, id := range r.users[claim] {
		if r.places[id] == r.places[p.ID] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fixed reports whether a claim says where the pod must go: it is allocated, and stays so whatever becomes of the pod,
// or it is about to be allocated on a node where others that share it are planned.
func (r *resolver) fixed(
	p *shape.Pod, e shape.Claim, c *resourcev1.ResourceClaim,
) (terms []shape.NodeTerm, yes bool, why string) {
	if c.Status.Allocation == nil {
		return r.planned(p, e, c)
	}
	if !r.stays(p, c) {
		return nil, false, ""
	}
	if len(c.Status.ReservedFor) >= resourcev1.ResourceClaimReservedForMaxSize && !reservedFor(c, p.ID) {
		return nil, true, fmt.Sprintf("ResourceClaim %s/%s has as many pods as it may have", c.Namespace, c.Name)
	}
	if terms = termsOf(c.Status.Allocation.NodeSelector); terms != nil && len(terms) == 0 {
		return nil, true, fmt.Sprintf("no node can reach the devices of ResourceClaim %s/%s", c.Namespace, c.Name)
	}
	return terms, true, ""
}

// stays reports whether the allocation of a claim outlasts a change of the pod's place: others that are elsewhere use
// it, or the pod is just being bound by it.
func (r *resolver) stays(p *shape.Pod, c *resourcev1.ResourceClaim) bool {
	at := r.places[p.ID]
	if at == "" && p.From == "" && reservedFor(c, p.ID) {
		return true
	}
	return slices.ContainsFunc(c.Status.ReservedFor, func(user resourcev1.ResourceClaimConsumerReference) bool {
		place, known := r.places[podOf(c, user)]
		return known && place != at
	})
}

// planned says where a claim will be allocated for another pod that is on its way there.
func (r *resolver) planned(p *shape.Pod, e shape.Claim, c *resourcev1.ResourceClaim) ([]shape.NodeTerm, bool, string) {
	if e.Template != "" || r.places[p.ID] != "" {
		return nil, false, ""
	}
	for _, id := range r.users[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] {
		if node := r.places[id]; node != "" {
			name := shape.Requirement{Key: metav1.ObjectNameField, Operator: shape.In, Values: []string{node}}
			return []shape.NodeTerm{{Names: []shape.Requirement{name}}}, true, ""
		}
	}
	return nil, false, ""
}

func reservedFor(c *resourcev1.ResourceClaim, id shape.PodID) bool {
	return slices.ContainsFunc(c.Status.ReservedFor, func(user resourcev1.ResourceClaimConsumerReference) bool {
		return podOf(c, user) == id
	})
}

func podOf(c *resourcev1.ResourceClaim, user resourcev1.ResourceClaimConsumerReference) shape.PodID {
	if user.Resource != "pods" {
		return ""
	}
	return shape.PodID(c.Namespace + "/" + user.Name)
}

// termsOf reads the node selector of an allocation: nil for all nodes, empty if none can match.
func termsOf(s *corev1.NodeSelector) []shape.NodeTerm {
	if s == nil {
		return nil
	}
	out := []shape.NodeTerm{}
	for i := range s.NodeSelectorTerms {
		t := &s.NodeSelectorTerms[i]
		labels, ok := requirementsOf(t.MatchExpressions)
		names, named := requirementsOf(t.MatchFields)
		if ok && named && len(labels)+len(names) > 0 {
			out = append(out, shape.NodeTerm{Labels: labels, Names: names})
		}
	}
	return out
}

func requirementsOf(list []corev1.NodeSelectorRequirement) (out []shape.Requirement, ok bool) {
	for _, r := range list {
		op, known := shape.OperatorOf(string(r.Operator))
		if !known {
			return nil, false
		}
		values := slices.Sorted(slices.Values(r.Values))
		out = append(out, shape.Requirement{Key: r.Key, Operator: op, Values: slices.Compact(values)})
	}
	slices.SortStableFunc(out, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
	return out, true
}
