package crdtest

func capacityBufferCases() []Case {
	return of("CapacityBuffer", []Case{
		{Name: "defaults", Becomes: `spec.provisioningStrategy = buffer.x-k8s.io/active-capacity`},
		{Name: "limits", Create: "spec.replicas = null\nspec.limits = {cpu: 10}"},
		{
			Name: "workload",
			Create: "spec.podTemplateRef = null\nspec.replicas = null\nspec.scalableRef = {apiGroup: apps, kind: " +
				"Deployment, name: d}\nspec.percentage = 20",
		},
		{Name: "misspelt field", Create: `spec.percent = 5`, Says: `unknown field "spec.percent"`},
		{Name: "no spec", Create: `spec = null`, At: "spec", Says: sayRequired},
		{
			Name:   "template without a count",
			Create: `spec.replicas = null`,
			At:     "spec",
			Says:   "podTemplateRef needs 'replicas' or 'limits'",
		},
		{
			Name:   "template and workload",
			Create: `spec.scalableRef = {kind: Deployment, name: d}`,
			At:     "spec",
			Says:   "only one of 'podTemplateRef' and 'scalableRef' may be set",
		},
		{
			Name:   "template without a name",
			Create: `spec.podTemplateRef = {}`,
			At:     "spec.podTemplateRef.name",
			Says:   sayRequired,
		},
		{
			Name:   "template with an empty name",
			Create: `spec.podTemplateRef = {name: ""}`,
			At:     "spec.podTemplateRef.name",
			Says:   "at least 1 chars long",
		},
		{
			Name:   "workload without a kind",
			Create: "spec.podTemplateRef = null\nspec.scalableRef = {name: d}",
			At:     "spec.scalableRef.kind",
			Says:   sayRequired,
		},
		{
			Name:   "workload with an empty kind",
			Create: "spec.podTemplateRef = null\nspec.scalableRef = {kind: \"\", name: d}",
			At:     "spec.scalableRef.kind",
			Says:   "at least 1 chars long",
		},
		{
			Name:   "workload without a name",
			Create: "spec.podTemplateRef = null\nspec.scalableRef = {kind: D}",
			At:     "spec.scalableRef.name",
			Says:   sayRequired,
		},
		{
			Name:   "workload with an empty name",
			Create: "spec.podTemplateRef = null\nspec.scalableRef = {kind: D, name: \"\"}",
			At:     "spec.scalableRef.name",
			Says:   "at least 1 chars long",
		},
		{
			Name:   "negative replicas",
			Create: `spec.replicas = -1`,
			At:     "spec.replicas",
			Says:   "greater than or equal to 0",
		},
		{
			Name:   "negative percentage",
			Create: `spec.percentage = -1`,
			At:     "spec.percentage",
			Says:   "greater than or equal to 0",
		},
		{
			Name:   "limit that is no quantity",
			Create: `spec.limits = {cpu: some}`,
			At:     "spec.limits.cpu",
			Says:   sayPattern,
		},
		{
			Name:   "status",
			Status: `status = {podTemplateRef: {name: small}, replicas: 3, podTemplateGeneration: 2, provisioningStrategy: a}`,
		},
		{
			Name:   "status with a template without a name",
			Status: `status = {podTemplateRef: {}}`,
			At:     "status.podTemplateRef.name",
			Says:   sayRequired,
		},
		{
			Name:   "status with a template with an empty name",
			Status: `status = {podTemplateRef: {name: ""}}`,
			At:     "status.podTemplateRef.name",
			Says:   "at least 1 chars long",
		},
	})
}
