package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

const (
	gpu       = "example.com/gpu"
	sizeLabel = "example.com/size" // of instance types
	coreLabel = "example.com/cores"
	teamLabel = "example.com/team" // of pools and of some nodes
	gigabytes = int64(1) << 30
)

var (
	sizes      = []string{"small", "medium", "large"}
	teams      = []string{"red", "blue", "green"}
	taintKeys  = []string{"example.com/dedicated", "example.com/flaky"}
	effects    = []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute, corev1.TaintEffectPreferNoSchedule}
	capacities = []string{shape.OnDemand, shape.Spot}
	archs      = []string{"amd64", "arm64"}
)

func (d dice) instanceType(i int) *shape.InstanceType {
	cores := pick[int64](d, 1, 2, 4, 8, 16)
	t := &shape.InstanceType{
		Name:     fmt.Sprintf("type-%d", i),
		Capacity: shape.Vector{CPU: 1000 * cores, Memory: cores * gigabytes * pick[int64](d, 1, 2, 4, 8), Ephemeral: pick[int64](d, 10, 20, 50) * gigabytes, Pods: pick[int64](d, 3, 8, 30, 110)},
	}
	if d.percent(25) {
		t.Capacity.Extended = []shape.Amount{{Resource: gpu, Value: int64(d.between(1, 4))}}
	}
	t.Allocatable = t.Capacity.Sub(shape.Vector{CPU: 100, Memory: gigabytes / 8})
	if d.percent(50) {
		t.Attachable = []shape.Amount{{Resource: driver, Value: int64(d.between(1, 3))}}
	}
	for _, zone := range some(d, 1, 3, zones...) {
		for _, capacity := range some(d, 1, 2, capacities...) {
			t.Offerings = append(t.Offerings, shape.Offering{
				Zone: zone, CapacityType: capacity, Available: d.percent(90),
				Price: shape.Dollars(0.05 * float64(cores) * (0.5 + d.Float64())),
			})
		}
	}
	one := func(key, value string) shape.Requirement {
		return shape.Requirement{Key: key, Values: []string{value}}
	}
	t.Requirements = []shape.Requirement{
		one(shape.LabelArch, pick(d, archs...)),
		one(shape.LabelOS, "linux"),
		one(shape.LabelInstanceType, t.Name),
		one(sizeLabel, pick(d, sizes...)),
		one(coreLabel, strconv.FormatInt(cores, 10)),
		{Key: shape.LabelZone, Values: offered(t, func(o *shape.Offering) string { return o.Zone })},
		{Key: shape.LabelCapacityType, Values: offered(t, func(o *shape.Offering) string { return o.CapacityType })},
	}
	slices.SortFunc(t.Requirements, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
	return t
}

func offered(t *shape.InstanceType, value func(*shape.Offering) string) []string {
	var out []string
	for i := range t.Offerings {
		out = append(out, value(&t.Offerings[i]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d dice) pool(i int) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pool-%d", i)}}
	template := &p.Spec.Template
	template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: "oracle.dovetail.sh", Kind: "Class", Name: "default"}
	if d.percent(30) {
		weight := int32(d.between(1, 3) * 10)
		p.Spec.Weight = &weight
	}
	if d.percent(30) {
		template.Spec.Taints = []karpenterv1.Taint{karpenterv1.Taint(d.taint())}
	}
	require := func(key string, op corev1.NodeSelectorOperator, values ...string) {
		template.Spec.Requirements = append(template.Spec.Requirements, karpenterv1.Requirement{Key: key, Operator: op, Values: values})
	}
	if d.percent(30) {
		require(shape.LabelZone, corev1.NodeSelectorOpIn, some(d, 1, 2, zones...)...)
	}
	if d.percent(20) {
		require(shape.LabelCapacityType, corev1.NodeSelectorOpIn, pick(d, capacities...))
	}
	if d.percent(15) {
		require(sizeLabel, corev1.NodeSelectorOpNotIn, pick(d, sizes...))
	}
	if d.percent(15) {
		require(coreLabel, pick(d, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt), "4")
	}
	switch d.IntN(5) {
	case 0:
		require(teamLabel, corev1.NodeSelectorOpIn, some(d, 1, 2, teams...)...)
	case 1:
		require(teamLabel, corev1.NodeSelectorOpExists)
	case 2:
		template.Labels = map[string]karpenterv1.LabelValue{teamLabel: karpenterv1.LabelValue(pick(d, teams...))}
	}
	return p
}

func (d dice) taint() corev1.Taint {
	return corev1.Taint{Key: pick(d, taintKeys...), Value: pick(d, "", "x", "y"), Effect: pick(d, effects...)}
}
