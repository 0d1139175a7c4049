package crdtest

import (
	"fmt"
	"strings"
)

const (
	sayPattern  = "should match"
	sayRequired = "Required value"
	sayEnum     = "supported values: "
)

func nodePoolCases() []Case {
	const spec = "spec.template.spec"
	cases := []Case{
		{Name: "as in the guide", Create: `
			spec.template.metadata = {labels: {team: a, karpenter.sh/capacity-type: spot, node-restriction.kubernetes.io/x: z}, annotations: {a: b}}
			spec.limits = {cpu: 100, memory: 1000Gi, nodes: 5}
			spec.weight = 100
			spec.disruption = {consolidationPolicy: Balanced, consolidateAfter: 1h30m, budgets: [{nodes: "0", reasons: [Drifted], schedule: "0 9 * * mon-fri", duration: 8h30m}, {nodes: 100%}]}`},
		{Name: "defaults", Becomes: `
			spec.disruption = {budgets: [{nodes: 10%}], consolidateAfter: 0s, consolidationPolicy: WhenEmptyOrUnderutilized}
			spec.template.spec.expireAfter = 720h`},
		{
			Name:    "defaults inside a budget",
			Create:  `spec.disruption = {consolidateAfter: Never, budgets: [{reasons: [Empty]}]}`,
			Becomes: `spec.disruption.budgets = [{nodes: 10%, reasons: [Empty]}]`,
		},
		{Name: "no nodes counted yet", Status: `status.resources = {}`, Becomes: `status.nodes = 0`},
		{
			Name:   "status with a resource that is no quantity",
			Status: `status.resources = {cpu: lots}`,
			At:     "status.resources.cpu",
			Says:   sayPattern,
		},
		{
			Name:   "status of a rollout under a hold",
			Status: `status = {rollout: {nodes: 3, upToDate: 2, outdated: 1, replacing: 1, starting: 1}, hold: {until: "2026-01-31T18:00:00Z", by: alice, reason: incident, nodePool: general}}`,
		},
		{
			Name:   "status of a hold until a time that is none",
			Status: `status.hold = {until: tomorrow}`,
			At:     "status.hold.until",
			Says:   "must be of type date-time",
		},
		{Name: "misspelt field", Create: `spec.limit = {cpu: 1}`, Says: `unknown field "spec.limit"`},
		{Name: "no spec", Create: `spec = null`, At: "spec", Says: sayRequired},
		{Name: "no template", Create: `spec.template = null`, At: "spec.template", Says: sayRequired},
		{Name: "no template spec", Create: `spec.template.spec = null`, At: "spec.template.spec", Says: sayRequired},

		{
			Name:   "limit that is no quantity",
			Create: `spec.limits = {cpu: many}`,
			At:     "spec.limits.cpu",
			Says:   sayPattern,
		},
		{Name: "weight 0", Create: `spec.weight = 0`, At: "spec.weight", Says: "greater than or equal to 1"},
		{Name: "weight 101", Create: `spec.weight = 101`, At: "spec.weight", Says: "less than or equal to 100"},

		{Name: "static", Create: "spec.replicas = 0\nspec.limits = {nodes: 10}"},
		{Name: "static without limits", Create: "spec.replicas = 3\nspec.limits = {}"},
		{Name: "static scales", Create: `spec.replicas = 3`, Update: `spec.replicas = 5`},
		{
			Name:   "negative replicas",
			Create: `spec.replicas = -1`,
			At:     "spec.replicas",
			Says:   "greater than or equal to 0",
			Also:   ".spec.replicas",
		}, // the scale subresource has its own check
		{
			Name:   "static with a cpu limit",
			Create: "spec.replicas = 3\nspec.limits = {nodes: 10, cpu: 5}",
			At:     "spec",
			Says:   "a NodePool with replicas may only limit 'nodes'",
		},
		{
			Name:   "static with another single limit",
			Create: "spec.replicas = 3\nspec.limits = {cpu: 5}",
			At:     "spec",
			Says:   "a NodePool with replicas may only limit 'nodes'",
		},
		{
			Name:   "static with a weight",
			Create: "spec.replicas = 3\nspec.weight = 5",
			At:     "spec",
			Says:   "a NodePool with replicas cannot have a weight",
		},
		{
			Name:   "static becomes dynamic",
			Create: `spec.replicas = 3`,
			Update: `spec.replicas = null`,
			At:     "spec",
			Says:   "replicas cannot be added to or removed from an existing NodePool",
		},
		{
			Name:   "dynamic becomes static",
			Update: `spec.replicas = 3`,
			At:     "spec",
			Says:   "replicas cannot be added to or removed from an existing NodePool",
		},

		{
			Name:   "other class of the same kind",
			Update: spec + `.nodeClassRef = {group: karpenter.k8s.aws, kind: EC2NodeClass, name: other}`,
		},
		{
			Name:   "class of another group",
			Update: spec + `.nodeClassRef = {group: other.io, kind: EC2NodeClass, name: default}`,
			At:     spec + ".nodeClassRef",
			Says:   "nodeClassRef.group is immutable",
		},
		{
			Name:   "class of another kind",
			Update: spec + `.nodeClassRef = {group: karpenter.k8s.aws, kind: Other, name: default}`,
			At:     spec + ".nodeClassRef",
			Says:   "nodeClassRef.kind is immutable",
		},

		{
			Name:   "requirement on the pool's label",
			Create: spec + `.requirements = [{key: karpenter.sh/nodepool, operator: In, values: [default]}]`,
			At:     spec + ".requirements[0].key",
			Says:   "label karpenter.sh/nodepool is set by the controller; remove it",
		},
	}
	cases = append(cases, disruptionCases()...)
	cases = append(cases, templateLabelCases()...)
	cases = append(cases, nodeSpecCases(spec)...)
	return of("NodePool", cases)
}

func disruptionCases() []Case {
	const at = "spec.disruption"
	budget := func(name, budget, field, says string) Case {
		c := Case{
			Name:   "budget with " + name,
			Create: at + `.budgets = [` + budget + `]` + "\n" + at + `.consolidateAfter = 0s`,
		}
		if says != "" {
			c.At, c.Says = strings.TrimSuffix(at+".budgets[0]."+field, "."), says
		}
		return c
	}
	cases := []Case{
		{Name: "consolidateAfter Never", Create: at + ` = {consolidateAfter: Never}`},
		{
			Name:   "consolidateAfter with the default policy",
			Create: at + ` = {consolidateAfter: 30s, consolidationPolicy: WhenEmptyOrUnderutilized}`,
		},
		{
			Name:   "consolidateAfter with WhenEmpty",
			Create: at + ` = {consolidateAfter: 30s, consolidationPolicy: WhenEmpty}`,
		},
		{
			Name:   "negative consolidateAfter",
			Create: at + ` = {consolidateAfter: -1s}`,
			At:     at + ".consolidateAfter",
			Says:   sayPattern,
		},
		{
			Name:    "disruption without consolidateAfter",
			Create:  at + ` = {consolidationPolicy: WhenEmpty}`,
			Becomes: at + `.consolidateAfter = 0s`,
		},
		{
			Name:    "disruption of a static pool without consolidateAfter",
			Create:  "spec.replicas = 3\n" + at + ` = {budgets: [{nodes: "1"}]}`,
			Becomes: at + `.consolidateAfter = 0s`,
		},
		{Name: "budget for sick nodes", Create: at + ` = {budgets: [{nodes: "1", reasons: [Unhealthy]}]}`},
		{
			Name:   "unknown policy",
			Create: at + ` = {consolidateAfter: 0s, consolidationPolicy: Never}`,
			At:     at + ".consolidationPolicy",
			Says:   sayEnum + `"WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"`,
		},
		{
			Name:   "51 budgets",
			Create: at + ` = {consolidateAfter: 0s, budgets: [` + times(51, `{nodes: "1"}`) + `]}`,
			At:     at + ".budgets",
			Says:   "at most 50 items",
		},
		{
			Name:   "schedule without duration",
			Create: at + ` = {consolidateAfter: 0s, budgets: [{nodes: "1", schedule: "@daily"}]}`,
			At:     at + ".budgets",
			Says:   "'schedule' and 'duration' must be set together",
		},
		{
			Name:   "duration without schedule",
			Create: at + ` = {consolidateAfter: 0s, budgets: [{nodes: "1", duration: 10m}]}`,
			At:     at + ".budgets",
			Says:   "'schedule' and 'duration' must be set together",
		},
		budget(
			"everything",
			`{nodes: "5", reasons: [Empty, Drifted, Underutilized], schedule: "*/5 1-3 1,15 * *", duration: 1h}`,
			"",
			"",
		),
		budget("the duration of a Go program", `{nodes: "5", schedule: "@hourly", duration: 10m0s}`, "", ""),
		budget("a percentage above 100", `{nodes: 101%}`, "nodes", sayPattern),
		budget("a negative count", `{nodes: "-1"}`, "nodes", sayPattern),
		budget("a word for a count", `{nodes: all}`, "nodes", sayPattern),
		budget(
			"an unknown reason",
			`{nodes: "1", reasons: [Expired]}`,
			"reasons[0]",
			sayEnum+`"Underutilized", "Empty", "Drifted"`,
		),
		budget("a reason twice", `{nodes: "1", reasons: [Empty, Empty]}`, "reasons[1]", "Duplicate value"),
		budget(
			"a schedule of four fields",
			`{nodes: "1", schedule: "* * * *", duration: 10m}`,
			"schedule",
			sayPattern,
		),
		budget("an unknown macro", `{nodes: "1", schedule: "@sometimes", duration: 10m}`, "schedule", sayPattern),
		budget("a duration in seconds", `{nodes: "1", schedule: "@daily", duration: 10s}`, "duration", sayPattern),
		budget("a negative duration", `{nodes: "1", schedule: "@daily", duration: -10m}`, "duration", sayPattern),
	}
	for _, macro := range []string{"annually", "yearly", "monthly", "weekly", "daily", "midnight", "hourly"} {
		cases = append(
			cases,
			budget("the macro @"+macro, `{nodes: "1", schedule: "@`+macro+`", duration: 10m}`, "", ""),
		)
	}
	tooMany := budget("51 reasons", `{nodes: "1", reasons: [`+times(51, "Empty")+`]}`, "reasons", "at most 50 items")
	tooMany.Also = at + ".budgets[0].reasons[1]" // there are only three different ones
	return append(cases, tooMany)
}

func templateLabelCases() []Case {
	const at = "spec.template.metadata.labels"
	label := func(name, labels, field, says string) Case {
		c := Case{Name: "label " + name, Create: at + ` = {` + labels + `}`}
		if says != "" {
			c.At, c.Says = at+field, says
		}
		return c
	}
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("l%d: v", i))
	}
	cases := []Case{
		label("of one's own", `example.com/team: a`, "", ""),
		label("without a value", `team: ""`, "", ""),
		label("of the node restriction domain", `node-restriction.kubernetes.io/tier: a`, "", ""),
		label("below the node restriction domain", `sub.node-restriction.kubernetes.io/tier: a`, "", ""),
		label("of a Kubernetes domain", `kops.k8s.io/instancegroup: a`, "", ""),
		label("that is well known", `topology.kubernetes.io/zone: a`, "", ""),
		label("of an instance type", `karpenter.k8s.aws/instance-family: m5`, "", ""),
		label("of a reserved domain", `karpenter.sh/custom: a`, "", "label domain karpenter.sh is reserved"),
		label("below a reserved domain", `sub.karpenter.sh/custom: a`, "", "label domain karpenter.sh is reserved"),
		label(
			"that names the pool",
			`karpenter.sh/nodepool: a`,
			"",
			"label karpenter.sh/nodepool is set by the controller; remove it",
		),
		label(
			"that names the host",
			`kubernetes.io/hostname: a`,
			"",
			"label kubernetes.io/hostname differs on every node",
		),
		label(
			"of the reserved AWS domain",
			`karpenter.k8s.aws/custom: a`,
			"",
			"label domain karpenter.k8s.aws is reserved",
		),
		label("with a value that is no label value", `team: "a b"`, ".team", sayPattern),
		label("with a value of 64 characters", `team: `+strings.Repeat("a", 64), ".team", "may not be more than 63"),
		label("number 101", strings.Join(many, ", "), "", "at most 100 items"),
	}
	return cases
}

// of makes cases those of a kind.
func of(kind string, cases []Case) []Case {
	for i := range cases {
		cases[i].Kind = kind
	}
	return cases
}

// times repeats an item of a flow-style list.
func times(n int, item string) string {
	return strings.TrimSuffix(strings.Repeat(item+", ", n), ", ")
}
