package simulate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// ExplainPod says where a pod goes and what else could hold it, or why nothing can. name is
// "namespace/name". The error says that there is no such pod, and who is called so elsewhere.
func (r *Result) ExplainPod(name string) (view.Pod, error) {
	id := shape.PodID(name)
	out := view.Pod{Header: view.HeaderOf("PodExplanation"), Pod: name, Notes: r.Notes}
	for i := range r.Decision.Unplaced {
		if u := &r.Decision.Unplaced[i]; u.Pod == id {
			out.Verdict, out.Why = view.NoPlace, u.Why
			return out, nil
		}
	}
	for i := range r.Decision.Open {
		if n := &r.Decision.Open[i]; slices.Contains(n.Pods, id) {
			node := view.NodeOf(n)
			out.Verdict, out.Node, out.New, out.Why = view.NewNode, n.ID, &node, r.survey().pod(id)
			return out, nil
		}
	}
	for _, p := range r.Decision.Place {
		if p.Pod == id {
			out.Verdict, out.Node, out.Why = view.ExistingNode, p.Node, r.survey().pod(id)
			return out, nil
		}
	}
	for _, n := range r.Snapshot.Nodes {
		if slices.ContainsFunc(n.Pods, func(p shape.Pod) bool { return p.ID == id }) {
			out.Verdict, out.Node = view.HasNode, n.Name
			return out, nil
		}
	}
	pod, err := r.find(name)
	if err != nil {
		return out, err
	}
	out.Verdict, out.Reason = view.NotPlanned, Unplanned(pod)
	return out, nil
}

func (r *Result) find(name string) (*corev1.Pod, error) {
	_, short, _ := strings.Cut(name, "/")
	var alike []string
	for _, p := range r.pods {
		if string(translate.IDOf(p)) == name {
			return p, nil
		}
	}
	ids := r.ids()
	for _, id := range ids {
		if strings.HasSuffix(id, "/"+short) || strings.HasPrefix(id, name+"-") {
			alike = append(alike, id)
		}
	}
	if len(alike) == 0 {
		alike = view.Alike(name, ids)
	}
	if len(alike) == 0 {
		return nil, fmt.Errorf("there is no pod %s among %d pods; name it as NAMESPACE/NAME or give -n",
			view.Clean(name), len(ids))
	}
	slices.Sort(alike)
	return nil, view.Meant("pod", name, alike)
}

// ids are the pods that are known: of a plan that was read those that it deals with.
func (r *Result) ids() []string {
	var out []string
	for _, p := range r.pods {
		out = append(out, string(translate.IDOf(p)))
	}
	if r.pods != nil {
		return out
	}
	for _, p := range r.Snapshot.Pods {
		out = append(out, string(p.ID))
	}
	for _, n := range r.Snapshot.Nodes {
		for _, p := range n.Pods {
			out = append(out, string(p.ID))
		}
	}
	return out
}

// Unplanned is why nobody looks for a place for a pod.
func Unplanned(pod *corev1.Pod) string {
	switch {
	case translate.Finished(pod):
		return "it is finished"
	case pod.Spec.NodeName != "":
		return "it runs on node " + pod.Spec.NodeName + ", which is not given"
	case pod.DeletionTimestamp != nil:
		return "it is being deleted"
	case translate.BoundByOwner(pod):
		return "its owner brings it to its node: a " + metav1.GetControllerOf(
			pod,
		).Kind + " has one on each node that it wants"
	case len(pod.Spec.SchedulingGates) > 0:
		return "scheduling gate " + pod.Spec.SchedulingGates[0].Name + " holds it back"
	}
	return "kube-scheduler has not called it unschedulable"
}

// ExplainNode says what is on a node, and what keeps the other pods that wait off it. name is a
// node's, a NodeClaim's, or that of a new node in the plan: "n1".
func (r *Result) ExplainNode(name string) (view.NodeAnswer, error) {
	for i := range r.Decision.Open { // first: the nodes of static pools are in the Snapshot, too
		if n := &r.Decision.Open[i]; n.ID == name {
			node := view.NodeOf(n)
			return view.NodeAnswer{
				Header:       view.HeaderOf("NodeExplanation"),
				Node:         name,
				New:          &node,
				Pool:         n.Pool,
				InstanceType: node.InstanceType,
				Zone:         node.Zone,
				CapacityType: node.CapacityType,
				Price:        node.Price,
				Placed:       node.Pods,
				Resources:    r.rest(node.InstanceType, node.Pool, n.Requests),
				Notes:        r.Notes,
			}, nil
		}
	}
	for i := range r.Snapshot.Nodes {
		if n := r.Snapshot.Nodes[i]; n.Name == name || n.Claim == name {
			return r.existing(n), nil
		}
	}
	return view.NodeAnswer{}, r.noNode(name)
}

// noNode says that there is no such node, and which there are.
func (r *Result) noNode(name string) error {
	var nodes, claims []string
	for _, n := range r.Snapshot.Nodes {
		nodes = append(nodes, n.Name)
		if n.Claim != "" && n.Claim != n.Name {
			claims = append(claims, n.Claim)
		}
	}
	if near := view.Alike(name, append(claims, nodes...)); len(near) > 0 {
		return view.Meant("node", name, near)
	}
	switch n := len(r.Decision.Open); {
	case n > 1:
		nodes = append([]string{fmt.Sprintf("n1 to n%d for those that would be bought", n)}, nodes...)
	case n == 1:
		nodes = append([]string{"n1, which would be bought"}, nodes...)
	case len(nodes) == 0:
		return fmt.Errorf("there is no node %s: the plan has no nodes at all", view.Clean(name))
	}
	return view.Unknown("node", name, nodes)
}

// rest is what a type has beside requests.
func (r *Result) rest(instanceType, pool string, requests shape.Vector) []view.Resource {
	for _, p := range r.Snapshot.Pools {
		for _, i := range p.Types {
			if it := r.Snapshot.Types[i]; p.Name == pool && it.Name == instanceType {
				return resources(it.Allocatable, it.Allocatable.Sub(requests))
			}
		}
	}
	return nil
}

func resources(allocatable, free shape.Vector) []view.Resource {
	var out []view.Resource
	allocatable.Each(func(name string, n int64) {
		out = append(out, view.Resource{Name: name, Unit: view.UnitOf(name), Allocatable: n, Free: free.Get(name)})
	})
	return out
}

func (r *Result) existing(n *shape.Node) view.NodeAnswer {
	out := view.NodeAnswer{Header: view.HeaderOf("NodeExplanation"), Node: n.Name, Pool: n.Pool,
		InstanceType: n.InstanceType, Zone: n.Zone, CapacityType: n.CapacityType,
		Price: n.Price.Float(), Kept: n.Kept, Leaving: n.Stage == shape.Leaving, Notes: r.Notes}
	for _, p := range n.Pods {
		out.Running = append(out.Running, string(p.ID))
	}
	for _, p := range r.Decision.Place {
		if p.Node == n.Name {
			out.Placed = append(out.Placed, string(p.Pod))
		}
	}
	s := r.survey()
	out.Resources = s.left(n)
	out.Why = s.node(n.Name)
	return out
}
