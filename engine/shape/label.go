package shape

import (
	"cmp"
	"slices"
)

// Label is one label of a pod or a node.
type Label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LabelsOf sorts a map of labels by key.
func LabelsOf(m map[string]string) []Label {
	if len(m) == 0 {
		return nil
	}
	out := make([]Label, 0, len(m))
	for k, v := range m {
		out = append(out, Label{k, v})
	}
	slices.SortFunc(out, func(a, b Label) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// LabelValue finds a key in labels that ascend by key.
func LabelValue(labels []Label, key string) (value string, ok bool) {
	i, ok := slices.BinarySearchFunc(labels, key, func(l Label, k string) int { return cmp.Compare(l.Key, k) })
	if !ok {
		return "", false
	}
	return labels[i].Value, true
}

// Labels that the planner itself gives a meaning to.
const (
	LabelHostname     = "kubernetes.io/hostname"
	LabelZone         = "topology.kubernetes.io/zone"
	LabelRegion       = "topology.kubernetes.io/region"
	LabelArch         = "kubernetes.io/arch"
	LabelOS           = "kubernetes.io/os"
	LabelInstanceType = "node.kubernetes.io/instance-type"
	LabelCapacityType = "karpenter.sh/capacity-type"
	LabelNodePool     = "karpenter.sh/nodepool"
)

// Values of LabelCapacityType.
const (
	OnDemand = "on-demand"
	Spot     = "spot"
	Reserved = "reserved"
)

// Operator says how a Requirement compares a label with its values.
type Operator uint8

// In, NotIn, Exists and DoesNotExist are those of node affinity and label selectors.
// Gt, Lt, Gte and Lte compare integers and have exactly one value. A label that is
// missing satisfies NotIn and DoesNotExist only.
const (
	In Operator = iota
	NotIn
	Exists
	DoesNotExist
	Gt
	Lt
	Gte
	Lte
)

var operatorNames = [...]string{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"}

// String is the operator's name in the Kubernetes API.
func (o Operator) String() string {
	if int(o) < len(operatorNames) {
		return operatorNames[o]
	}
	return "unknown operator"
}

// OperatorOf finds an operator by its name in the Kubernetes API.
func OperatorOf(name string) (o Operator, ok bool) {
	i := slices.Index(operatorNames[:], name)
	return Operator(max(i, 0)), i >= 0
}

// Requirement is a condition on one label.
type Requirement struct {
	Key      string   `json:"key"`
	Operator Operator `json:"operator"`
	Values   []string `json:"values,omitempty"` // ascending, unique; never written to

	// MinValues is how many different values of Key the instance types of one
	// launch must keep, 0 for no such wish. Only NodePools set it.
	MinValues int32 `json:"minValues,omitempty"`
}

// Selector is a label selector over pods. The zero Selector matches every pod.
type Selector struct {
	Nothing      bool          `json:"nothing,omitempty"` // a nil selector in the API
	Requirements []Requirement `json:"requirements,omitempty"`
}

// Effect is what a taint does to pods that do not tolerate it.
type Effect uint8

// Effects of taints. AnyEffect is a toleration's only: it matches all three.
const (
	AnyEffect Effect = iota
	NoSchedule
	PreferNoSchedule
	NoExecute
)

// Taint is one taint of a node.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect Effect `json:"effect"`
}

// Toleration is one toleration of a pod.
type Toleration struct {
	Key    string `json:"key,omitempty"` // empty with Exists: every taint
	Exists bool   `json:"exists,omitempty"`
	Value  string `json:"value,omitempty"` // compared unless Exists
	Effect Effect `json:"effect,omitempty"`
}
