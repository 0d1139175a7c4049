package crdtest

import "strings"

func nodeClaimCases() []Case {
	cases := []Case{
		{Name: "with everything", Create: `
			spec.taints = [{key: a, effect: NoSchedule}]
			spec.resources = {requests: {cpu: 1, memory: 1Gi}}
			spec.terminationGracePeriod = 1h
			spec.expireAfter = Never`},
		{Name: "defaults", Becomes: `spec.expireAfter = 720h`},
		{Name: "misspelt field", Create: `spec.resource = {}`, Says: `unknown field "spec.resource"`},
		{Name: "no spec", Create: `spec = null`, At: "spec", Says: sayRequired},
		{
			Name:   "request that is no quantity",
			Create: `spec.resources = {requests: {cpu: lots}}`,
			At:     "spec.resources.requests.cpu",
			Says:   sayPattern,
		},
		{Name: "spec changes", Update: `spec.expireAfter = 1h`, At: "spec", Says: "spec is immutable"},
		{Name: "metadata changes", Update: `metadata.annotations = {a: b}`},
		{
			Name:   "requirement on the pool's label",
			Create: `spec.requirements = [{key: karpenter.sh/nodepool, operator: In, values: [default]}]`,
		},
		{Name: "status", Status: `
			status.nodeName = a
			status.providerID = aws:///us-east-1a/i-1
			status.imageID = ami-1
			status.capacity = {cpu: 2}
			status.allocatable = {cpu: 1900m}
			status.lastPodEventTime = "2026-01-01T00:00:00Z"`},
		{
			Name:   "status with a time that is none",
			Status: `status.lastPodEventTime = yesterday`,
			At:     "status.lastPodEventTime",
			Says:   "must be of type date-time",
		},
		{
			Name:   "status with a capacity that is no quantity",
			Status: `status.capacity = {cpu: lots}`,
			At:     "status.capacity.cpu",
			Says:   sayPattern,
		},
		{
			Name:   "status with an allocatable that is no quantity",
			Status: `status.allocatable = {cpu: lots}`,
			At:     "status.allocatable.cpu",
			Says:   sayPattern,
		},
	}
	return of("NodeClaim", append(cases, nodeSpecCases("spec")...))
}

// nodeSpecCases are those of the fields that NodePool templates and NodeClaims
// have in common.
func nodeSpecCases(spec string) []Case {
	ref := func(name, value, field, says string) Case {
		return Case{
			Name:   "nodeClassRef " + name,
			Create: spec + `.nodeClassRef = ` + value,
			At:     spec + ".nodeClassRef" + field,
			Says:   says,
		}
	}
	cases := []Case{
		ref("missing", `null`, "", sayRequired),
		ref("without group", `{kind: K, name: a}`, ".group", sayRequired),
		ref("without kind", `{group: g, name: a}`, ".kind", sayRequired),
		ref("without name", `{group: g, kind: K}`, ".name", sayRequired),
		ref("with an empty group", `{group: "", kind: K, name: a}`, ".group", "group may not be empty"),
		ref("with an empty kind", `{group: g, kind: "", name: a}`, ".kind", "kind may not be empty"),
		ref("with an empty name", `{group: g, kind: K, name: ""}`, ".name", "name may not be empty"),
		ref("with a version in the group", `{group: karpenter.k8s.aws/v1, kind: K, name: a}`, ".group", sayPattern),

		{Name: "expireAfter Never", Create: spec + `.expireAfter = Never`},
		{Name: "expireAfter in parts", Create: spec + `.expireAfter = 1h30m10s`},
		{
			Name:   "negative expireAfter",
			Create: spec + `.expireAfter = -1h`,
			At:     spec + ".expireAfter",
			Says:   sayPattern,
		},
		{
			Name:   "expireAfter in days",
			Create: spec + `.expireAfter = 30d`,
			At:     spec + ".expireAfter",
			Says:   sayPattern,
		},
		{Name: "terminationGracePeriod", Create: spec + `.terminationGracePeriod = 48h`},
		{
			Name:   "terminationGracePeriod Never",
			Create: spec + `.terminationGracePeriod = Never`,
			At:     spec + ".terminationGracePeriod",
			Says:   sayPattern,
		},
		{
			Name:   "negative terminationGracePeriod",
			Create: spec + `.terminationGracePeriod = -5m`,
			At:     spec + ".terminationGracePeriod",
			Says:   sayPattern,
		},
	}
	cases = append(cases, taintCases(spec, "taints")...)
	cases = append(cases, taintCases(spec, "startupTaints")...)
	cases = append(cases, requirementCases(spec+".requirements")...)
	return append(cases, minValuesCases(spec+".requirements")...)
}

func taintCases(spec, field string) []Case {
	taint := func(name, value, at, says string) Case {
		c := Case{Name: field + " " + name, Create: spec + "." + field + ` = [` + value + `]`}
		if says != "" {
			c.At, c.Says = spec+"."+field+"[0]."+at, says
		}
		return c
	}
	return []Case{
		taint(
			"with everything",
			`{key: example.com/a, value: b, effect: NoExecute}, {key: a, effect: NoSchedule}, {key: a, effect: PreferNoSchedule}`,
			"",
			"",
		),
		taint("without a key", `{effect: NoSchedule}`, "key", sayRequired),
		taint("with an empty key", `{key: "", effect: NoSchedule}`, "key", "at least 1 chars long"),
		taint("with a key that is no label", `{key: "a key", effect: NoSchedule}`, "key", sayPattern),
		taint(
			"with a value that is no label value",
			`{key: a, value: "???", effect: NoSchedule}`,
			"value",
			sayPattern,
		),
		taint("without an effect", `{key: a}`, "effect", sayRequired),
		taint(
			"with a time that is none",
			`{key: a, effect: NoSchedule, timeAdded: yesterday}`,
			"timeAdded",
			"must be of type date-time",
		),
		taint(
			"with an unknown effect",
			`{key: a, effect: NoPods}`,
			"effect",
			sayEnum+`"NoSchedule", "PreferNoSchedule", "NoExecute"`,
		),
	}
}

// requirementCases are those that every kind with requirements has.
func requirementCases(at string) []Case {
	req := func(name, value, field, says string) Case {
		c := Case{Name: "requirement " + name, Create: at + ` = [` + value + `]`}
		if says != "" {
			c.At, c.Says = at+field, says
		}
		return c
	}
	const numeric = "operators Gt, Lt, Gte and Lte need exactly one value, an integer of 0 or more"
	cases := []Case{
		req(
			"of every operator",
			`{key: a, operator: In, values: [x]}, {key: b, operator: NotIn, values: [x]}, {key: c, operator: Exists}, {key: d, operator: DoesNotExist}`,
			"",
			"",
		),
		req(
			"on a label of an instance type",
			`{key: karpenter.k8s.aws/instance-cpu, operator: Gt, values: ["4"]}`,
			"",
			"",
		),
		req(
			"on a label of the node restriction domain",
			`{key: node-restriction.kubernetes.io/tier, operator: In, values: [a]}`,
			"",
			"",
		),
		req(
			"on a label below the node restriction domain",
			`{key: sub.node-restriction.kubernetes.io/tier, operator: In, values: [a]}`,
			"",
			"",
		),
		req("on a well-known label", `{key: topology.kubernetes.io/zone, operator: In, values: [a]}`, "", ""),
		req("list missing", ``, "", ""),
		req("without a key", `{operator: Exists}`, "[0].key", sayRequired),
		req("with a key that is no label", `{key: a/b/c, operator: Exists}`, "[0].key", sayPattern),
		req(
			"with a key of 317 characters",
			`{key: `+strings.Repeat("a", 317)+`, operator: Exists}`,
			"[0].key",
			"may not be more than 316",
		),
		req(
			"on a reserved domain",
			`{key: karpenter.sh/custom, operator: Exists}`,
			"[0].key",
			"label domain karpenter.sh is reserved",
		),
		req(
			"below a reserved domain",
			`{key: sub.karpenter.sh/custom, operator: Exists}`,
			"[0].key",
			"label domain karpenter.sh is reserved",
		),
		req(
			"on the reserved AWS domain",
			`{key: karpenter.k8s.aws/custom, operator: Exists}`,
			"[0].key",
			"label domain karpenter.k8s.aws is reserved",
		),
		req(
			"on the host name",
			`{key: kubernetes.io/hostname, operator: In, values: [a]}`,
			"[0].key",
			"label kubernetes.io/hostname differs on every node",
		),
		req("without an operator", `{key: a}`, "[0].operator", sayRequired),
		req(
			"with an unknown operator",
			`{key: a, operator: unknown, values: [x]}`,
			"[0].operator",
			sayEnum+`"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"`,
		),
		req(
			"with a value that is no label value",
			`{key: a, operator: In, values: ["a b"]}`,
			"[0].values[0]",
			sayPattern,
		),
		req(
			"with a value of 64 characters",
			`{key: a, operator: In, values: [`+strings.Repeat("a", 64)+`]}`,
			"[0].values[0]",
			"may not be more than 63",
		),
		req("number 101", times(101, `{key: a, operator: Exists}`), "", "at most 100 items"),
		req("In without values", `{key: a, operator: In}`, "", "at least one value"),
		req("In with no values", `{key: a, operator: In, values: []}`, "", "at least one value"),
	}
	cases[5] = Case{Name: "requirements missing", Create: at + ` = null`, At: at, Says: sayRequired}
	for _, operator := range []string{"Gt", "Lt", "Gte", "Lte"} {
		one := `{key: a, operator: ` + operator + `, values: `
		cases = append(cases,
			req(operator+" an integer", one+`["0"]}`, "", ""),
			req(operator+" without values", `{key: a, operator: `+operator+`}`, "", numeric),
			req(operator+" two values", one+`["1", "2"]}`, "", numeric),
			req(operator+" a word", one+`[many]}`, "", numeric),
			req(operator+" a fraction", one+`["1.5"]}`, "", numeric),
		)
		negative := req(operator+" a negative integer", one+`["-1"]}`, "", numeric)
		negative.Also = at + "[0].values[0]" // which is no label value either
		cases = append(cases, negative)
	}
	return cases
}

func minValuesCases(at string) []Case {
	one := func(name, values, minValues, field, says string) Case {
		c := Case{
			Name:   "minValues " + name,
			Create: at + ` = [{key: a, operator: In, values: [` + values + `], minValues: ` + minValues + `}]`,
		}
		if says != "" {
			c.At, c.Says = at+field, says
		}
		return c
	}
	return []Case{
		one("met", "x, z, w", "2", "", ""),
		{Name: "minValues with Exists", Create: at + ` = [{key: a, operator: Exists, minValues: 50}]`},
		one("0", "x", "0", "[0].minValues", "greater than or equal to 1"),
		one("negative", "x", "-1", "[0].minValues", "greater than or equal to 1"),
		one("51", times(51, "x"), "51", "[0].minValues", "less than or equal to 50"),
		one("larger than the number of values", "x, z", "3", "", "minValues is larger than the number of values"),
	}
}
