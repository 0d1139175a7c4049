package crdtest

func nodeOverlayCases() []Case {
	cases := []Case{
		{Name: "price", Create: "spec.price = \"0.25\"\nspec.weight = 10000"},
		{Name: "capacity", Create: `spec.capacity = {example.com/fpga: 2}`},
		{
			Name:   "requirement on a pool",
			Create: `spec.requirements = [{key: karpenter.sh/nodepool, operator: In, values: [a]}]`,
		},
		{Name: "misspelt field", Create: `spec.prices = "1"`, Says: `unknown field "spec.prices"`},
		{Name: "no spec", Create: `spec = null`, At: "spec", Says: sayRequired},
		{
			Name:   "requirement on a reservation",
			Create: `spec.requirements = [{key: karpenter.k8s.aws/capacity-reservation-id, operator: Exists}]`,
			At:     "spec.requirements[0].key",
			Says:   "label domain karpenter.k8s.aws is reserved",
		},
		{
			Name:   "NotIn without values",
			Create: `spec.requirements = [{key: a, operator: NotIn}]`,
			At:     "spec.requirements",
			Says:   "operators In and NotIn need at least one value",
		},
		{Name: "negative price", Create: `spec.price = "-1"`, At: "spec.price", Says: sayPattern},
		{Name: "price that is no number", Create: `spec.price = cheap`, At: "spec.price", Says: sayPattern},
		{
			Name:   "price and adjustment",
			Create: "spec.price = \"1\"\nspec.priceAdjustment = +1%",
			At:     "spec",
			Says:   "only one of 'price' and 'priceAdjustment' may be set",
		},
		{
			Name:   "capacity that is no quantity",
			Create: `spec.capacity = {example.com/fpga: two}`,
			At:     "spec.capacity.example.com/fpga",
			Says:   sayPattern,
		},
		{Name: "weight 0", Create: `spec.weight = 0`, At: "spec.weight", Says: "greater than or equal to 1"},
		{Name: "weight 10001", Create: `spec.weight = 10001`, At: "spec.weight", Says: "less than or equal to 10000"},
	}
	for _, ok := range []string{"+1.5", "-0.5", "+10%", "+150%", "-15%", "-12.5%", "-100%"} {
		cases = append(cases, Case{Name: "adjustment " + ok, Create: `spec.priceAdjustment = "` + ok + `"`})
	}
	for _, bad := range []string{"1.5", "10%", "-101%", "-100.5%", "+a", "%"} {
		cases = append(
			cases,
			Case{
				Name:   "adjustment " + bad,
				Create: `spec.priceAdjustment = "` + bad + `"`,
				At:     "spec.priceAdjustment",
				Says:   sayPattern,
			},
		)
	}
	for _, resource := range []string{"cpu", "memory", "ephemeral-storage", "pods"} {
		cases = append(
			cases,
			Case{
				Name:   "capacity " + resource,
				Create: `spec.capacity = {` + resource + `: 2}`,
				At:     "spec.capacity",
				Says:   "only extended resources may be set",
			},
		)
	}
	return of("NodeOverlay", append(cases, requirementCases("spec.requirements")...))
}
