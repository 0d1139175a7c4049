package v1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// cloud has a reserved domain with one label that may be used.
var cloud = LabelRules{
	WellKnown: sets.New("cloud.example.com/family", "cloud.example.com/tenancy"),
	Reserved:  sets.New("cloud.example.com"),
	Values:    map[string]sets.Set[string]{"cloud.example.com/tenancy": sets.New("shared", "own")},
}

func TestValidate(t *testing.T) {
	t.Parallel()
	two := 2
	labels := func(key, value string) func(*NodePool) {
		return func(p *NodePool) { p.Spec.Template.Labels = map[string]LabelValue{key: LabelValue(value)} }
	}
	taints := func(list ...Taint) func(*NodePool) {
		return func(p *NodePool) { p.Spec.Template.Spec.Taints = list }
	}
	require := func(r Requirement) func(*NodePool) {
		return func(p *NodePool) { p.Spec.Template.Spec.Requirements = []Requirement{r} }
	}
	const (
		atLabels = "spec.template.metadata.labels"
		atTaints = "spec.template.spec.taints"
		atReqs   = "spec.template.spec.requirements[0]"
	)
	cases := map[string]struct {
		change func(*NodePool)
		want   []string // path and the start of each message
	}{
		"as it comes":                 {change: func(*NodePool) {}},
		"own label":                   {change: labels("example.com/a", "b")},
		"well-known label of a cloud": {change: labels("cloud.example.com/family", "m5")},
		"other label of a cloud":      {labels("cloud.example.com/other", "x"), []string{atLabels + "[cloud.example.com/other]: Forbidden: label cloud.example.com/other is in the reserved domain cloud.example.com; use a label of your own domain or one of cloud.example.com/family, cloud.example.com/tenancy"}},
		"label below the domain":      {labels("sub.karpenter.sh/x", "x"), []string{atLabels + "[sub.karpenter.sh/x]: Forbidden: label sub.karpenter.sh/x is in the reserved domain karpenter.sh"}},
		"label of a similar domain":   {change: labels("mykarpenter.sh/x", "x")},
		"label of the pool":           {labels(NodePoolLabelKey, "x"), []string{atLabels + "[karpenter.sh/nodepool]: Forbidden: it is set by the controller; remove it"}},
		"label of the host":           {labels(corev1.LabelHostname, "x"), []string{atLabels + "[kubernetes.io/hostname]: Forbidden: label kubernetes.io/hostname differs on every node"}},
		"label that is none":          {labels("a b", "x"), []string{atLabels + "[a b]: Invalid value: \"a b\": name part must consist of"}},
		"label value that is none":    {labels("a", "x y"), []string{atLabels + "[a]: Invalid value: \"x y\": a valid label must be"}},

		"taint twice":            {taints(Taint{Key: "a", Effect: "NoSchedule"}, Taint{Key: "a", Value: "b", Effect: "NoSchedule"}), []string{atTaints + `[1]: Duplicate value: "a:NoSchedule"`}},
		"taint with two effects": {change: taints(Taint{Key: "a", Effect: "NoSchedule"}, Taint{Key: "a", Effect: "NoExecute"})},
		"taint as startup taint too": {func(p *NodePool) {
			p.Spec.Template.Spec.Taints = []Taint{{Key: "a", Effect: "NoSchedule"}}
			p.Spec.Template.Spec.StartupTaints = []Taint{{Key: "a", Effect: "NoSchedule"}}
		}, []string{`spec.template.spec.startupTaints[0]: Duplicate value: "a:NoSchedule"`}},
		"taint without key":      {taints(Taint{Effect: "NoSchedule"}), []string{atTaints + `[0].key: Invalid value: "": name part must be non-empty`, atTaints + `[0].key: Invalid value: "": name part must consist of`}},
		"taint value like a key": {taints(Taint{Key: "a", Value: "b/c", Effect: "NoSchedule"}), []string{atTaints + `[0].value: Invalid value: "b/c": a valid label must be`}},
		"taint without effect":   {taints(Taint{Key: "a"}), []string{atTaints + `[0].effect: Unsupported value: "": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`}},

		"requirement on the pool": {require(Requirement{Key: NodePoolLabelKey, Operator: "Exists"}), []string{atReqs + ".key: Forbidden: karpenter.sh/nodepool is set by the controller; remove it"}},
		"deprecated label":        {change: require(Requirement{Key: "failure-domain.beta.kubernetes.io/zone", Operator: "Exists"})},
		"reserved label":          {require(Requirement{Key: "karpenter.sh/x", Operator: "Exists"}), []string{atReqs + ".key: Forbidden: label karpenter.sh/x is in the reserved domain karpenter.sh"}},
		"unknown operator":        {require(Requirement{Key: "a", Operator: "Like"}), []string{atReqs + `.operator: Unsupported value: "Like"`}},
		"In without values":       {require(Requirement{Key: "a", Operator: "In"}), []string{atReqs + ".values: Required value: operator In needs at least one value"}},
		"too few for minValues":   {require(Requirement{Key: "a", Operator: "In", Values: []string{"x"}, MinValues: &two}), []string{atReqs + ".minValues: Invalid value: 2: is larger than the number of values, 1"}},
		"Gt a word":               {require(Requirement{Key: "a", Operator: "Gt", Values: []string{"x"}}), []string{atReqs + `.values: Invalid value: "x": operator Gt needs exactly one value, an integer of 0 or more`}},
		"Gte two values":          {require(Requirement{Key: "a", Operator: OpGte, Values: []string{"1", "2"}}), []string{atReqs + `.values: Invalid value: "1,2": operator Gte needs exactly one value`}},
		"Lte an integer":          {change: require(Requirement{Key: "a", Operator: OpLte, Values: []string{"0"}})},
		"value that is none":      {require(Requirement{Key: "a", Operator: "NotIn", Values: []string{"x y"}}), []string{atReqs + `.values[0]: Invalid value: "x y"`}},
		"only unknown values":     {require(Requirement{Key: CapacityTypeLabelKey, Operator: "In", Values: []string{"cheap"}}), []string{atReqs + `.values: Invalid value: "cheap": 0 of these are values of karpenter.sh/capacity-type, at least 1 must be: on-demand, reserved, spot`}},
		"some unknown values":     {change: require(Requirement{Key: CapacityTypeLabelKey, Operator: "In", Values: []string{"cheap", "spot"}})},
		"too few known values":    {require(Requirement{Key: "cloud.example.com/tenancy", Operator: "In", Values: []string{"own", "rented"}, MinValues: &two}), []string{atReqs + `.values: Invalid value: "own,rented": 1 of these are values of cloud.example.com/tenancy, at least 2 must be: own, shared`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := readPool(t, "full")
			tc.change(pool)
			var got []string
			for i, err := range pool.Validate(cloud) {
				message := err.Error()
				if i < len(tc.want) && strings.HasPrefix(message, tc.want[i]) {
					message = tc.want[i]
				}
				got = append(got, message)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestValidateHoldsStill matters because the text becomes a condition: one that
// changes with map order is written again on every pass.
func TestValidateHoldsStill(t *testing.T) {
	t.Parallel()
	pool := readPool(t, "full")
	for _, key := range []string{"karpenter.sh/a", "karpenter.sh/b", "karpenter.sh/c", "karpenter.sh/d"} {
		pool.Spec.Template.Labels[key] = "x"
	}
	first := pool.Validate(cloud).ToAggregate().Error()
	for range 20 {
		if again := pool.Validate(cloud).ToAggregate().Error(); again != first {
			t.Fatalf("the same pool gives\n%s\nand\n%s", first, again)
		}
	}
}
