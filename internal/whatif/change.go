// Package whatif foretells what a controller would do to a cluster after a change: edited objects are laid over the
// cluster before they come here, and scenarios are made here. It plans and searches as the controller does, and decides
// nothing of its own.
package whatif

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

// Scenario is a change by name. Its zero value changes nothing.
type Scenario struct {
	AddReplicas []string // "namespace/name=3": workloads that grow
	Drop        []string // capacity types that are not bought any more
	AddArch     []string // architectures that NodePools may buy besides
	LoseZone    []string // zones that are gone, with all nodes in them
	NewAMI      []string // node classes whose nodes are to be replaced; "all" for all
	Takeover    bool     // another controller's cluster is taken over as it is
}

// Words say what is changed, one clause each.
func (c *Scenario) Words() (out []string) {
	for _, list := range []struct {
		what   string
		values []string
	}{{"add replicas", c.AddReplicas}, {"drop", c.Drop}, {"allow architecture", c.AddArch},
		{"lose zone", c.LoseZone}, {"new image of node class", c.NewAMI}} {
		for _, v := range list.values {
			out = append(out, list.what+" "+v)
		}
	}
	if c.Takeover {
		out = append(out, "take over from Karpenter")
	}
	return out
}

// Apply makes the scenario's changes to an Input. before is the cluster that edits were laid over: nodes of classes
// that differ are to be replaced. The Input's Set is replaced, not written to. Errors name the flag's value.
func (c *Scenario) Apply(in *simulate.Input, before *manifest.Set) (notes []string, err error) {
	set := *in.Set
	in.Set = &set
	for _, of := range c.AddReplicas {
		if err := addReplicas(&set, of); err != nil {
			return nil, err
		}
	}
	for _, of := range c.Drop {
		if !slices.Contains(capacityTypes, of) {
			return nil, fmt.Errorf(
				"--drop %s: there is no such capacity type; want %s",
				of,
				strings.Join(capacityTypes, ", "),
			)
		}
		narrow(&set, karpenterv1.CapacityTypeLabelKey, of)
	}
	for _, arch := range c.AddArch {
		more, err := addArch(&set, arch)
		if err != nil {
			return nil, err
		}
		notes = append(notes, more...)
	}
	for _, zone := range c.LoseZone {
		if err := loseZone(&set, zone); err != nil {
			return nil, err
		}
	}
	for _, class := range c.NewAMI {
		if !knows(&set, class) {
			return nil, fmt.Errorf(
				"--new-ami %s: no NodePool has such a node class; want a class's name, or all",
				class,
			)
		}
	}
	in.Drifted = c.drifted(edited(before, &set), names(before))
	return notes, nil
}

var capacityTypes = []string{
	karpenterv1.CapacityTypeSpot,
	karpenterv1.CapacityTypeOnDemand,
	karpenterv1.CapacityTypeReserved,
}

// names are those of the nodes and claims that are there: what is bought on paper is as new as can be.
func names(set *manifest.Set) map[string]bool {
	out := map[string]bool{}
	for _, n := range set.Nodes {
		out[n.Name] = true
	}
	for _, c := range set.NodeClaims {
		out[c.Name] = true
	}
	return out
}

// drifted says which claims are to be replaced for their node class.
func (c *Scenario) drifted(edited, there map[string]bool) func(*karpenterv1.NodeClaim) (reason, message string) {
	return func(claim *karpenterv1.NodeClaim) (reason, message string) {
		if !there[claim.Name] {
			return "", ""
		}
		class := ""
		if claim.Spec.NodeClassRef != nil {
			class = claim.Spec.NodeClassRef.Name
		}
		switch {
		case edited[class]:
			return "NodeClassDrift", "Node class " + class + " has changed since the node was made."
		case slices.Contains(c.NewAMI, "all"), slices.Contains(c.NewAMI, class):
			return "AMIDrift", "Node class " + class + " has a newer image."
		}
		return "", ""
	}
}

// edited are the node classes whose spec differs from what it was.
func edited(before, after *manifest.Set) map[string]bool {
	was, out := map[string]any{}, map[string]bool{}
	for _, c := range before.EC2NodeClasses {
		was[c.Name] = c.Spec
	}
	for _, c := range after.EC2NodeClasses {
		if old, ok := was[c.Name]; ok && !apiequality.Semantic.DeepEqual(old, c.Spec) {
			out[c.Name] = true
		}
	}
	return out
}

func knows(set *manifest.Set, class string) bool {
	return class == "all" || slices.ContainsFunc(set.NodePools, func(np *karpenterv1.NodePool) bool {
		ref := np.Spec.Template.Spec.NodeClassRef
		return ref != nil && ref.Name == class
	})
}

// narrow has every NodePool buy nothing with a label's value any more.
func narrow(set *manifest.Set, key, value string) {
	pools := slices.Clone(set.NodePools)
	for i, np := range pools {
		np = np.DeepCopy()
		np.Spec.Template.Spec.Requirements = append(np.Spec.Template.Spec.Requirements,
			karpenterv1.Requirement{Key: key, Operator: corev1.NodeSelectorOpNotIn, Values: []string{value}})
		pools[i] = np
	}
	set.NodePools = pools
}

// addArch lets NodePools that name their architectures buy one more.
func addArch(set *manifest.Set, arch string) (notes []string, err error) {
	if arch != karpenterv1.ArchitectureAmd64 && arch != karpenterv1.ArchitectureArm64 {
		return nil, fmt.Errorf(
			"--add-arch %s: there is no such architecture; want %s or %s",
			arch,
			karpenterv1.ArchitectureAmd64,
			karpenterv1.ArchitectureArm64,
		)
	}
	pools := slices.Clone(set.NodePools)
	var free []string
	for i, np := range pools {
		np = np.DeepCopy()
		named := false
		for j := range np.Spec.Template.Spec.Requirements {
			r := &np.Spec.Template.Spec.Requirements[j]
			if r.Key != corev1.LabelArchStable {
				continue
			}
			named = true
			if r.Operator == corev1.NodeSelectorOpIn && !slices.Contains(r.Values, arch) {
				r.Values = append(r.Values, arch)
			}
		}
		if !named {
			free = append(free, np.Name)
		}
		pools[i] = np
	}
	set.NodePools = pools
	if len(free) > 0 {
		notes = append(
			notes,
			"these NodePools name no architecture, and may buy all of them already: "+strings.Join(free, ", "),
		)
	}
	return append(notes, "whether images are built for "+arch+" is not known here"), nil
}

// loseZone takes a zone away, with its nodes; their pods wait.
func loseZone(set *manifest.Set, zone string) error {
	gone := map[string]bool{}
	set.Nodes = slices.DeleteFunc(slices.Clone(set.Nodes), func(n *corev1.Node) bool {
		gone[n.Name] = n.Labels[corev1.LabelTopologyZone] == zone
		return gone[n.Name]
	})
	set.NodeClaims = slices.DeleteFunc(slices.Clone(set.NodeClaims), func(c *karpenterv1.NodeClaim) bool {
		return gone[c.Status.NodeName] || c.Labels[corev1.LabelTopologyZone] == zone
	})
	if !slices.ContainsFunc(slices.Collect(maps.Values(gone)), func(lost bool) bool { return lost }) {
		return fmt.Errorf("--lose-zone %s: no node is in such a zone", zone)
	}
	var pods []*corev1.Pod
	for _, p := range set.Pods {
		if waiting, stays := simulate.Homeless(p, gone); stays {
			pods = append(pods, waiting)
		}
	}
	set.Pods = pods
	narrow(set, corev1.LabelTopologyZone, zone)
	return nil
}

// addReplicas has a workload grow: "namespace/name=3" by pods like those that it has.
func addReplicas(set *manifest.Set, of string) error {
	name, number, ok := strings.Cut(of, "=")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || n > mostReplicas {
		return fmt.Errorf(
			"--add-replicas %q; want NAMESPACE/NAME=N, such as default/web=10, with N from 1 to %d",
			of,
			mostReplicas,
		)
	}
	if !strings.Contains(name, "/") {
		name = metav1.NamespaceDefault + "/" + name
	}
	namespace, workload, _ := strings.Cut(name, "/")
	var like *corev1.Pod
	var known []string
	for _, p := range set.Pods {
		owner := Workload(p)
		if owner != "" && !slices.Contains(known, owner) {
			known = append(known, owner)
		}
		if p.Namespace == namespace && owner == name {
			like = p
		}
	}
	if like == nil {
		slices.Sort(known)
		return fmt.Errorf(
			"--add-replicas %s: no pod is of workload %s; there are %s",
			of,
			name,
			strings.Join(known[:min(len(known), 10)], ", "),
		)
	}
	pods := slices.Clone(set.Pods)
	for i := range n {
		p := like.DeepCopy()
		p.Name, p.UID, p.Spec.NodeName = fmt.Sprintf("%s-more-%d", workload, i+1), "", ""
		p.CreationTimestamp, p.DeletionTimestamp, p.Status = metav1.Time{}, nil, corev1.PodStatus{}
		pods = append(pods, p)
	}
	set.Pods = pods
	return nil
}

// mostReplicas is how many pods a scenario may add to one workload.
const mostReplicas = 100_000

// Workload is the namespace and name of what a pod is a replica of: its Deployment, if its ReplicaSet is called as
// those are, or else its controller. Empty for pods on their own.
func Workload(p *corev1.Pod) string {
	owner := metav1.GetControllerOf(p)
	if owner == nil {
		return ""
	}
	name := owner.Name
	if hash := p.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
		name = strings.TrimSuffix(name, "-"+hash)
	}
	return cmp.Or(p.Namespace, metav1.NamespaceDefault) + "/" + name
}
