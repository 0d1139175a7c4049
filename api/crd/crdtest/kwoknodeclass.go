package crdtest

func kwokNodeClassCases() []Case {
	return of("KWOKNodeClass", []Case{
		{
			Name:    "ready from the start",
			Becomes: `status.conditions = [{lastTransitionTime: "2024-01-01T01:01:01Z", message: "", reason: Ready, status: "True", type: Ready}]`,
		},
		{Name: "delay", Create: `spec.nodeRegistrationDelay = 1m30s`},
		{
			Name:   "negative delay",
			Create: `spec.nodeRegistrationDelay = -1m`,
			At:     "spec.nodeRegistrationDelay",
			Says:   sayPattern,
		},
		{Name: "misspelt field", Create: `spec.delay = 1m`, Says: `unknown field "spec.delay"`},
	})
}
