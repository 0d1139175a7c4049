package sample

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
	SizeLabel = "example.com/size" // of instance types
	CoreLabel = "example.com/cores"
	TeamLabel = "example.com/team" // of pools and of some nodes
	gigabytes = int64(1) << 30
)

var (
	sizes     = []string{"small", "medium", "large"}
	Teams     = []string{"red", "blue", "green"}
	taintKeys = []string{"example.com/dedicated", "example.com/flaky"}
	effects   = []corev1.TaintEffect{
		corev1.TaintEffectNoSchedule,
		corev1.TaintEffectNoExecute,
		corev1.TaintEffectPreferNoSchedule,
	}
	capacities = []string{shape.OnDemand, shape.Spot}
	archs      = []string{"amd64", "arm64"}
)

func (d Dice) InstanceType(i int) *shape.InstanceType {
	cores := Pick[int64](d, 1, 2, 4, 8, 16)
	t := &shape.InstanceType{
		Name: fmt.Sprintf("type-%d", i),
		Capacity: shape.Vector{
			CPU:       1000 * cores,
			Memory:    cores * gigabytes * Pick[int64](d, 1, 2, 4, 8),
			Ephemeral: Pick[int64](d, 10, 20, 50) * gigabytes,
			Pods:      Pick[int64](d, 3, 8, 30, 110),
		},
	}
	if d.Percent(25) {
		t.Capacity.Extended = []shape.Amount{{Resource: gpu, Value: int64(d.Between(1, 4))}}
	}
	t.Allocatable = t.Capacity.Sub(shape.Vector{CPU: 100, Memory: gigabytes / 8})
	if d.Percent(50) {
		t.Attachable = []shape.Amount{{Resource: Driver, Value: int64(d.Between(1, 3))}}
	}
	for _, zone := range Some(d, 1, 3, zones...) {
		for _, capacity := range Some(d, 1, 2, capacities...) {
			t.Offerings = append(t.Offerings, shape.Offering{
				Zone: zone, CapacityType: capacity, Available: d.Percent(90),
				Price: shape.Dollars(0.05 * float64(cores) * (0.5 + d.Float64())),
			})
		}
	}
	one := func(key, value string) shape.Requirement {
		return shape.Requirement{Key: key, Values: []string{value}}
	}
	t.Requirements = []shape.Requirement{
		one(shape.LabelArch, Pick(d, archs...)),
		one(shape.LabelOS, "linux"),
		one(shape.LabelInstanceType, t.Name),
		one(SizeLabel, Pick(d, sizes...)),
		one(CoreLabel, strconv.FormatInt(cores, 10)),
		{Key: shape.LabelZone, Values: Offered(t, func(o *shape.Offering) string { return o.Zone })},
		{Key: shape.LabelCapacityType, Values: Offered(t, func(o *shape.Offering) string { return o.CapacityType })},
	}
	slices.SortFunc(t.Requirements, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
	return t
}

func Offered(t *shape.InstanceType, value func(*shape.Offering) string) []string {
	var out []string
	for i := range t.Offerings {
		out = append(out, value(&t.Offerings[i]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d Dice) Pool(i int) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pool-%d", i)}}
	template := &p.Spec.Template
	template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "oracle.dovetail.sh",
		Kind:  "Class",
		Name:  "default",
	}
	if d.Percent(30) {
		weight := int32(d.Between(1, 3) * 10)
		p.Spec.Weight = &weight
	}
	if d.Percent(30) {
		template.Spec.Taints = []karpenterv1.Taint{karpenterv1.Taint(d.Taint())}
	}
	require := func(key string, op corev1.NodeSelectorOperator, values ...string) {
		template.Spec.Requirements = append(
			template.Spec.Requirements,
			karpenterv1.Requirement{Key: key, Operator: op, Values: values},
		)
	}
	if d.Percent(30) {
		require(shape.LabelZone, corev1.NodeSelectorOpIn, Some(d, 1, 2, zones...)...)
	}
	if d.Percent(20) {
		require(shape.LabelCapacityType, corev1.NodeSelectorOpIn, Pick(d, capacities...))
	}
	if d.Percent(15) {
		require(SizeLabel, corev1.NodeSelectorOpNotIn, Pick(d, sizes...))
	}
	if d.Percent(15) {
		require(CoreLabel, Pick(d, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt), "4")
	}
	switch d.IntN(5) {
	case 0:
		require(TeamLabel, corev1.NodeSelectorOpIn, Some(d, 1, 2, Teams...)...)
	case 1:
		require(TeamLabel, corev1.NodeSelectorOpExists)
	case 2:
		template.Labels = map[string]karpenterv1.LabelValue{TeamLabel: karpenterv1.LabelValue(Pick(d, Teams...))}
	}
	return p
}

func (d Dice) Taint() corev1.Taint {
	return corev1.Taint{Key: Pick(d, taintKeys...), Value: Pick(d, "", "x", "y"), Effect: Pick(d, effects...)}
}
