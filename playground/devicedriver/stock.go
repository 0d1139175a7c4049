// Package devicedriver is the playground's driver of dynamic resources (resource.k8s.io), for nodes whose kubelet kwok
// plays.
//
// What nodes have is said by ConfigMaps of kube-system with the label playground.dovetail.sh/devices: each of their
// values is a [Stock] in YAML. A while after a node is Ready the driver publishes ResourceSlices for it, which go with
// their Node. Once a claim is allocated and reserved for a pod, the driver prepares it: it writes that its devices are
// ready, and lets the pod run by an annotation. kwok starts no pod with claims before that, so a pod that somebody has
// bound without its devices waits for ever, as it would for a real kubelet.
package devicedriver

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/catalog"
)

// Label is what ConfigMaps have that say which devices nodes have.
const Label = "playground.dovetail.sh/devices"

// startsAfter is from a node's readiness to its slices if a stock does not say: the driver's own pod has to start.
const startsAfter = time.Second

// Stock says which devices some nodes have.
type Stock struct {
	// Nodes chooses them by their labels; nil for all.
	Nodes *metav1.LabelSelector `json:"nodes,omitempty"`

	// Catalog is true for what NVIDIA's driver publishes on the node's EC2 instance type.
	Catalog bool `json:"catalog,omitempty"`

	// Driver publishes Slices, as one pool named like the node.
	Driver string `json:"driver,omitempty"`

	// Slices are those of one node: their devices and shared counters; all else is filled in.
	Slices []resourcev1.ResourceSliceSpec `json:"slices,omitempty"`

	// After is how long after the node's readiness they are there; a second unless told.
	After *metav1.Duration `json:"after,omitempty"`

	nodes labels.Selector
}

// stocksOf reads a ConfigMap. The error names the value that cannot be read.
func stocksOf(c *corev1.ConfigMap) ([]Stock, error) {
	var out []Stock
	for _, key := range sortedKeys(c.Data) {
		var s Stock
		if err := yaml.UnmarshalStrict([]byte(c.Data[key]), &s); err != nil {
			return nil, fmt.Errorf("reading %s of ConfigMap %s: %w", key, c.Name, err)
		}
		if s.Catalog == (s.Driver != "") {
			return nil, fmt.Errorf("reading %s of ConfigMap %s: it needs either catalog or a driver", key, c.Name)
		}
		s.nodes = labels.Everything()
		if s.Nodes != nil {
			var err error
			if s.nodes, err = metav1.LabelSelectorAsSelector(s.Nodes); err != nil {
				return nil, fmt.Errorf("reading %s of ConfigMap %s: nodes: %w", key, c.Name, err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// since is how long after a node's readiness its slices are there.
func (s *Stock) since() time.Duration {
	if s.After == nil {
		return startsAfter
	}
	return s.After.Duration
}

// slicesFor are what a node publishes by a stock.
func (s *Stock) slicesFor(n *corev1.Node) []*resourcev1.ResourceSlice {
	if !s.nodes.Matches(labels.Set(n.Labels)) {
		return nil
	}
	driver, specs := s.Driver, s.Slices
	if s.Catalog {
		driver, specs = catalog.DriverGPU, nil
		for _, known := range catalog.Devices(n.Labels[corev1.LabelInstanceTypeStable]) {
			if known.Spec.Driver == driver {
				specs = append(specs, known.Spec)
			}
		}
	}
	var out []*resourcev1.ResourceSlice
	for i, spec := range specs {
		own := &resourcev1.ResourceSlice{Spec: *spec.DeepCopy()}
		own.Name = n.Name + "-" + driver + "-" + strconv.Itoa(i)
		own.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Node", Name: n.Name, UID: n.UID},
		}
		own.Spec.Driver, own.Spec.NodeName = driver, &n.Name
		own.Spec.Pool = resourcev1.ResourcePool{
			Name: n.Name, Generation: 1, ResourceSliceCount: int64(len(specs)),
		}
		out = append(out, own)
	}
	return out
}

// wanted are the slices of a node by now, and how long until there may be more; 0 if there will be none.
func wanted(stocks []Stock, n *corev1.Node, now time.Time) (out []*resourcev1.ResourceSlice, next time.Duration) {
	ready, is := readySince(n)
	if !is || n.DeletionTimestamp != nil {
		return nil, 0
	}
	for i := range stocks {
		list := stocks[i].slicesFor(n)
		if len(list) == 0 {
			continue
		}
		if wait := ready.Add(stocks[i].since()).Sub(now); wait > 0 {
			if next == 0 || wait < next {
				next = wait
			}
			continue
		}
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b *resourcev1.ResourceSlice) int { return cmp.Compare(a.Name, b.Name) })
	return out, next
}

func readySince(n *corev1.Node) (time.Time, bool) {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
