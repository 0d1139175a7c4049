package crdtest

import "strings"

// conditionCases are those of status.conditions, which every kind has.
func conditionCases() []Case {
	const at = "status.conditions"
	var out []Case
	for _, kind := range Kinds() {
		one := func(name, change, field, says string) Case {
			c := Case{Name: "condition " + name, Status: at + ` = [` + change + `]`}
			if says != "" {
				c.At, c.Says = at+field, says
			}
			return c
		}
		cases := []Case{
			one(
				"with everything",
				`{type: Ready, status: "True", reason: Ready, message: "", lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 3}`,
				"",
				"",
			),
			one(
				"without a type",
				`{status: "True", reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].type",
				sayRequired,
			),
			one(
				"with a type that is no label",
				`{type: "a b", status: "True", reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].type",
				sayPattern,
			),
			one(
				"with a type of 317 characters",
				`{type: `+strings.Repeat(
					"a",
					317,
				)+`, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].type",
				"may not be more than 316",
			),
			one(
				"without a status",
				`{type: Ready, reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].status",
				sayRequired,
			),
			one(
				"with an unknown status",
				`{type: Ready, status: Maybe, reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].status",
				sayEnum+`"True", "False", "Unknown"`,
			),
			one(
				"without a reason",
				`{type: Ready, status: "True", message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].reason",
				sayRequired,
			),
			one(
				"with an empty reason",
				`{type: Ready, status: "True", reason: "", message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].reason",
				"at least 1 chars long",
			),
			one(
				"with a reason of two words",
				`{type: Ready, status: "True", reason: "a b", message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].reason",
				sayPattern,
			),
			one(
				"with a reason of 1025 characters",
				`{type: Ready, status: "True", reason: `+strings.Repeat(
					"a",
					1025,
				)+`, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].reason",
				"may not be more than 1024",
			),
			one(
				"without a message",
				`{type: Ready, status: "True", reason: R, lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].message",
				sayRequired,
			),
			one(
				"with a message of 32769 characters",
				`{type: Ready, status: "True", reason: R, message: `+strings.Repeat(
					"a",
					32769,
				)+`, lastTransitionTime: "2026-01-01T00:00:00Z"}`,
				"[0].message",
				"may not be more than 32768",
			),
			one(
				"without a time",
				`{type: Ready, status: "True", reason: R, message: ""}`,
				"[0].lastTransitionTime",
				sayRequired,
			),
			one(
				"with a time that is none",
				`{type: Ready, status: "True", reason: R, message: "", lastTransitionTime: yesterday}`,
				"[0].lastTransitionTime",
				"must be of type date-time",
			),
			one(
				"with a negative generation",
				`{type: Ready, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: -1}`,
				"[0].observedGeneration",
				"greater than or equal to 0",
			),
		}
		if kind != "EC2NodeClass" && kind != "KWOKNodeClass" { // their lists are not keyed by type
			const ready = `{type: Ready, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`
			cases = append(cases, one("twice", ready+", "+ready, "[1]", "Duplicate value"))
		}
		out = append(out, of(kind, cases)...)
	}
	return out
}
