package crdtest

import (
	"maps"
	"slices"
	"strings"
)

func ec2NodeClassCases() []Case {
	cases := []Case{
		{
			Name:    "defaults",
			Becomes: `spec.metadataOptions = {httpEndpoint: enabled, httpProtocolIPv6: disabled, httpPutResponseHopLimit: 1, httpTokens: required}`,
		},
		{Name: "misspelt field", Create: `spec.userdata = x`, Says: `unknown field "spec.userdata"`},
		{Name: "instance profile", Create: "spec.role = null\nspec.instanceProfile = p"},
		{
			Name:   "neither role nor profile",
			Create: `spec.role = null`,
			At:     "spec",
			Says:   "set exactly one of 'role' and 'instanceProfile'",
		},
		{
			Name:   "role and profile",
			Create: `spec.instanceProfile = p`,
			At:     "spec",
			Says:   "set exactly one of 'role' and 'instanceProfile'",
		},
		{Name: "empty role", Create: `spec.role = ""`, At: "spec.role", Says: "role cannot be empty"},
		{
			Name:   "empty profile",
			Create: "spec.role = null\nspec.instanceProfile = \"\"",
			At:     "spec.instanceProfile",
			Says:   "instanceProfile cannot be empty",
		},
		{Name: "role changes", Update: `spec.role = other`},
		{Name: "role becomes a profile", Update: "spec.role = null\nspec.instanceProfile = p"},
	}
	for _, part := range [][]Case{
		tagCases(), subnetCases(), securityGroupCases(), amiCases(), amiFamilyCases(), reservationCases(),
		placementGroupCases(), ec2StatusCases(),
	} {
		cases = append(cases, part...)
	}
	return of("EC2NodeClass", cases)
}

func tagCases() []Case {
	cases := []Case{
		{Name: "tags", Create: `spec.tags = {team: a, karpenter.sh/custom: b}`},
		{
			Name:   "tag with an empty key",
			Create: `spec.tags = {"": a}`,
			At:     "spec.tags",
			Says:   "tag keys cannot be empty",
		},
	}
	for _, tag := range []string{
		"eks:eks-cluster-name", "kubernetes.io/cluster/mine", "kubernetes.io/cluster",
		"karpenter.sh/nodepool", "karpenter.sh/nodeclaim", "karpenter.k8s.aws/ec2nodeclass",
	} {
		cases = append(
			cases,
			Case{
				Name:   "tag " + tag,
				Create: `spec.tags = {"` + tag + `": a}`,
				At:     "spec.tags",
				Says:   "are set by the controller; remove them",
			},
		)
	}
	return cases
}

// selectorCases are those that the four lists of selector terms have in common.
func selectorCases(field, badID string) []Case {
	at := "spec." + field
	term := func(name, terms, where, says string) Case {
		c := Case{Name: field + " " + name, Create: at + ` = [` + terms + `]`}
		if field == "amiSelectorTerms" {
			c.Create += "\nspec.amiFamily = AL2023"
		}
		if says != "" {
			c.At, c.Says = at+where, says
		}
		return c
	}
	const emptyTag = "tag keys and values cannot be empty; use the value '*' for any"
	var tags []string
	for c := 'a'; c <= 'u'; c++ {
		tags = append(tags, string(c)+": x")
	}
	return []Case{
		term("by two tags or another", `{tags: {a: b, c: "*"}}, {tags: {d: e}}`, "", ""),
		term("with an empty term", `{}`, "", "each term of "+field+" needs"),
		term("with a tag with an empty key", `{tags: {"": x}}`, "[0].tags", emptyTag),
		term("with a tag with an empty value", `{tags: {a: ""}}`, "[0].tags", emptyTag),
		term("with 21 tags", `{tags: {`+strings.Join(tags, ", ")+`}}`, "[0].tags", "at most 20 items"),
		term("with an ID of another kind", `{id: `+badID+`}`, "[0].id", sayPattern),
		term("with 31 terms", times(31, `{tags: {a: b}}`), "", "at most 30 items"),
	}
}

func subnetCases() []Case {
	const at = "spec.subnetSelectorTerms"
	return append(
		selectorCases("subnetSelectorTerms", "sg-1"),
		Case{Name: "subnet by ID", Create: at + ` = [{id: subnet-0a}]`},
		Case{Name: "subnets missing", Create: at + ` = null`, At: at, Says: sayRequired},
		Case{Name: "subnets empty", Create: at + ` = []`, At: at, Says: "subnetSelectorTerms cannot be empty"},
		Case{
			Name:   "subnet by ID and tags",
			Create: at + ` = [{id: subnet-0a, tags: {a: b}}]`,
			At:     at,
			Says:   "a term of subnetSelectorTerms with 'id' cannot have other fields",
		},
		Case{
			Name:   "second subnet by ID and tags",
			Create: at + ` = [{tags: {a: b}}, {id: subnet-0a, tags: {a: b}}]`,
			At:     at,
			Says:   "a term of subnetSelectorTerms with 'id' cannot have other fields",
		},
	)
}

func securityGroupCases() []Case {
	const at = "spec.securityGroupSelectorTerms"
	return append(
		selectorCases("securityGroupSelectorTerms", "subnet-1"),
		Case{Name: "security group by ID or name", Create: at + ` = [{id: sg-0a}, {name: nodes}]`},
		Case{Name: "security groups missing", Create: at + ` = null`, At: at, Says: sayRequired},
		Case{
			Name:   "security groups empty",
			Create: at + ` = []`,
			At:     at,
			Says:   "securityGroupSelectorTerms cannot be empty",
		},
		Case{
			Name:   "security group by ID and tags",
			Create: at + ` = [{id: sg-0a, tags: {a: b}}]`,
			At:     at,
			Says:   "a term of securityGroupSelectorTerms with 'id' cannot have other fields",
		},
		Case{
			Name:   "security group by name and tags",
			Create: at + ` = [{name: a, tags: {a: b}}]`,
			At:     at,
			Says:   "a term of securityGroupSelectorTerms with 'name' cannot have other fields",
		},
		Case{
			Name:   "security group by ID and name",
			Create: at + ` = [{id: sg-0a, name: a}]`,
			At:     at,
			Says:   "cannot have other fields",
		},
	)
}

func amiCases() []Case {
	const at = "spec.amiSelectorTerms"
	ami := func(name, terms, where, says string) Case {
		c := Case{Name: "ami " + name, Create: at + ` = [` + terms + `]` + "\nspec.amiFamily = Custom"}
		if says != "" {
			c.At, c.Says = at+where, says
		}
		return c
	}
	const (
		idAlone    = "a term of amiSelectorTerms with 'id' cannot have 'alias', 'tags', 'name' or 'owner'"
		aliasAlone = "a term of amiSelectorTerms with 'alias' cannot have 'id', 'tags', 'name' or 'owner'"
		family     = "the family of an alias must be"
		form       = "alias must have the form family@version"
		windows    = "the version of a Windows alias must be latest"
	)
	cases := append(
		selectorCases("amiSelectorTerms", "img-1"),
		ami(
			"by ID, name, owner or parameter",
			`{id: ami-0a}, {name: a, owner: self}, {tags: {a: b}, owner: amazon}, {ssmParameter: /p}`,
			"",
			"",
		),
		Case{Name: "amis missing", Create: at + ` = null`, At: at, Says: sayRequired},
		ami("list empty", ``, "", "at least 1 items"),
		ami("by owner alone", `{owner: self}`, "", "each term of amiSelectorTerms needs"),
		ami("by ID and tags", `{id: ami-0a, tags: {a: b}}`, "", idAlone),
		ami("by ID and name", `{id: ami-0a, name: a}`, "", idAlone),
		ami("by ID and owner", `{id: ami-0a, owner: self}`, "", idAlone),
		ami("by alias and tags", `{alias: al2023@latest, tags: {a: b}}`, "", aliasAlone),
		ami("by alias and name", `{alias: al2023@latest, name: a}`, "", aliasAlone),
		ami("by alias and owner", `{alias: al2023@latest, owner: self}`, "", aliasAlone),
		ami(
			"by alias and in another term",
			`{alias: al2023@latest}, {id: ami-0a}`,
			"",
			"a term of amiSelectorTerms with 'alias' must be the only term",
		),
		ami("with an alias without a version", `{alias: al2023}`, "[0].alias", form),
		ami("with an alias with an empty version", `{alias: al2023@}`, "[0].alias", form),
		ami("with an alias of an unknown family", `{alias: ubuntu@latest}`, "[0].alias", family),
		ami("with an alias in capitals", `{alias: AL2023@latest}`, "[0].alias", family),
		ami(
			"with an alias of 31 characters",
			`{alias: "al2023@`+strings.Repeat("v", 24)+`"}`,
			"[0].alias",
			"may not be more than 30",
		),
	)
	for _, name := range []string{"windows2019", "windows2022", "windows2025"} {
		cases = append(cases, ami("with a pinned alias of "+name, `{alias: "`+name+`@v1"}`, "[0].alias", windows))
	}
	return cases
}

func amiFamilyCases() []Case {
	const mismatch = "amiFamily must be the family of the alias, or Custom"
	cases := []Case{
		{
			Name:   "family missing without an alias",
			Create: `spec.amiSelectorTerms = [{id: ami-0a}]`,
			At:     "spec",
			Says:   "amiFamily is required, because amiSelectorTerms have no alias",
		},
		{
			Name:   "unknown family",
			Create: `spec.amiFamily = Ubuntu`,
			At:     "spec.amiFamily",
			Says:   sayEnum + `"AL2", "AL2023", "Bottlerocket", "Custom", "Windows2019", "Windows2022", "Windows2025"`,
		},
	}
	families := map[string]string{
		"AL2": "al2@v20240807", "AL2023": "al2023@v20240625", "Bottlerocket": "bottlerocket@v1.10.0",
		"Windows2019": "windows2019@latest", "Windows2022": "windows2022@latest", "Windows2025": "windows2025@latest",
	}
	for _, family := range []string{"AL2", "AL2023", "Bottlerocket", "Windows2019", "Windows2022", "Windows2025"} {
		alias := `spec.amiSelectorTerms = [{alias: "` + families[family] + `"}]` + "\nspec.amiFamily = "
		other := "AL2"
		if family == "AL2" {
			other = "AL2023"
		}
		cases = append(
			cases,
			Case{Name: "alias of " + family + " without a family", Create: alias + "null"},
			Case{Name: "alias of " + family + " with its family", Create: alias + family},
			Case{Name: "alias of " + family + " with Custom", Create: alias + "Custom"},
			Case{
				Name:   "alias of " + family + " with another family",
				Create: alias + other,
				At:     "spec",
				Says:   mismatch,
			},
			Case{
				Name:   "family " + family + " without an alias",
				Create: "spec.amiSelectorTerms = [{id: ami-0a}]\nspec.amiFamily = " + family,
			},
		)
	}
	return cases
}

func reservationCases() []Case {
	const at = "spec.capacityReservationSelectorTerms"
	const idAlone = "a term of capacityReservationSelectorTerms with 'id' cannot have other fields"
	return append(
		selectorCases("capacityReservationSelectorTerms", "subnet-1"),
		Case{
			Name:   "reservations by everything",
			Create: at + ` = [{id: cr-0a}, {tags: {a: b}, ownerID: "123456789012"}, {instanceMatchCriteria: open}]`,
		},
		Case{
			Name:   "reservation by owner alone",
			Create: at + ` = [{ownerID: "123456789012"}]`,
			At:     at,
			Says:   "each term of capacityReservationSelectorTerms needs",
		},
		Case{
			Name:   "reservation by ID and tags",
			Create: at + ` = [{id: cr-0a, tags: {a: b}}]`,
			At:     at,
			Says:   idAlone,
		},
		Case{
			Name:   "reservation by ID and owner",
			Create: at + ` = [{id: cr-0a, ownerID: "123456789012"}]`,
			At:     at,
			Says:   idAlone,
		},
		Case{
			Name:   "reservation by ID and criteria",
			Create: at + ` = [{id: cr-0a, instanceMatchCriteria: open}]`,
			At:     at,
			Says:   idAlone,
		},
		Case{
			Name:   "reservation with an owner that is no account",
			Create: at + ` = [{tags: {a: b}, ownerID: "12"}]`,
			At:     at + "[0].ownerID",
			Says:   sayPattern,
		},
		Case{
			Name:   "reservation with unknown criteria",
			Create: at + ` = [{instanceMatchCriteria: closed}]`,
			At:     at + "[0].instanceMatchCriteria",
			Says:   sayEnum + `"open", "targeted"`,
		},
	)
}

func placementGroupCases() []Case {
	const at = "spec.placementGroupSelector"
	return []Case{
		{Name: "placement group by name", Create: at + ` = {name: g}`},
		{Name: "placement group by ID", Create: at + ` = {id: pg-0a}`},
		{
			Name:   "placement group by nothing",
			Create: at + ` = {}`,
			At:     at,
			Says:   "placementGroupSelector needs 'name' or 'id'",
		},
		{
			Name:   "placement group by name and ID",
			Create: at + ` = {name: g, id: pg-0a}`,
			At:     at,
			Says:   "placementGroupSelector can have only one of 'name' and 'id'",
		},
		{
			Name:   "placement group with an empty name",
			Create: at + ` = {name: ""}`,
			At:     at + ".name",
			Says:   "at least 1 chars long",
		},
		{
			Name:   "placement group with an ID of another kind",
			Create: at + ` = {id: sg-0a}`,
			At:     at + ".id",
			Says:   sayPattern,
		},
	}
}

func ec2StatusCases() []Case {
	reservation := func(name, change, field, says string) Case {
		const at = "status.capacityReservations"
		fields := map[string]string{
			"availabilityZone": "us-east-1a", "id": "cr-0a", "instanceMatchCriteria": "open",
			"instanceType": "m5.large", "ownerID": `"123456789012"`, "interruptible": "false",
		}
		if key, value, found := strings.Cut(change, ": "); found {
			fields[key] = value
		} else {
			delete(fields, change)
		}
		var parts []string
		for _, key := range []string{"availabilityZone", "id", "instanceMatchCriteria", "instanceType", "ownerID",
			"interruptible", "reservationType", "state", "endTime"} {
			if value, ok := fields[key]; ok {
				parts = append(parts, key+": "+value)
			}
		}
		c := Case{Name: "status with a reservation " + name, Status: at + ` = [{` + strings.Join(parts, ", ") + `}]`}
		if says != "" {
			c.At, c.Says = at+"[0]."+field, says
		}
		return c
	}
	complete := reservation("as usual", "", "", "")
	complete.Becomes = `status.capacityReservations = [{availabilityZone: us-east-1a, id: cr-0a, instanceMatchCriteria: open, instanceType: m5.large, interruptible: false, ownerID: "123456789012", reservationType: default, state: active}]`
	cases := []Case{
		complete,
		reservation("with an end that is no time", "endTime: never", "endTime", "must be of type date-time"),
		reservation("without a zone", "availabilityZone", "availabilityZone", sayRequired),
		reservation("without an ID", "id", "id", sayRequired),
		reservation("without criteria", "instanceMatchCriteria", "instanceMatchCriteria", sayRequired),
		reservation("without a type", "instanceType", "instanceType", sayRequired),
		reservation("without an owner", "ownerID", "ownerID", sayRequired),
		reservation("with an ID of another kind", "id: sg-0a", "id", sayPattern),
		reservation("with an owner that is no account", `ownerID: "12"`, "ownerID", sayPattern),
		reservation("with unknown criteria", "instanceMatchCriteria: closed", "instanceMatchCriteria", sayEnum),
		reservation(
			"of an unknown type",
			"reservationType: other",
			"reservationType",
			sayEnum+`"default", "capacity-block"`,
		),
		reservation("in an unknown state", "state: gone", "state", sayEnum+`"active", "expiring"`),
		{
			Name:   "status",
			Status: `status = {subnets: [{id: subnet-0a, zone: us-east-1a, zoneID: use1-az1}], securityGroups: [{id: sg-0a, name: a}], amis: [{id: ami-0a, name: a, deprecated: true, requirements: [{key: a, operator: In, values: [b]}]}], instanceProfile: p}`,
		},
	}
	idle := map[string]string{
		"availabilityZone":      "us-east-1a",
		"id":                    "cr-0a",
		"instanceMatchCriteria": "open",
		"instanceType":          "m5.large",
		"idle":                  "1",
	}
	cases = append(cases, Case{Name: "status with an idle reservation", Status: idleReservation(idle, "")})
	for field := range idle {
		cases = append(cases, Case{
			Name: "status with an idle reservation without " + field, Status: idleReservation(idle, field),
			At: "status.idleCapacityReservations[0]." + field, Says: sayRequired,
		})
	}
	for path, objects := range map[string]string{
		"subnets[0].id":                    `{zone: z}`,
		"subnets[0].zone":                  `{id: subnet-0a}`,
		"securityGroups[0].id":             `{name: a}`,
		"amis[0].id":                       `{requirements: []}`,
		"amis[0].requirements":             `{id: ami-0a}`,
		"amis[0].requirements[0].key":      `{id: ami-0a, requirements: [{operator: Exists}]}`,
		"amis[0].requirements[0].operator": `{id: ami-0a, requirements: [{key: a}]}`,
	} {
		list, _, _ := strings.Cut(path, "[")
		cases = append(
			cases,
			Case{
				Name:   "status without " + path,
				Status: `status = {` + list + `: [` + objects + `]}`,
				At:     "status." + path,
				Says:   sayRequired,
			},
		)
	}
	return cases
}

// idleReservation is a status with one, of which a field is left out.
func idleReservation(fields map[string]string, without string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key != without {
			parts = append(parts, key+": "+fields[key])
		}
	}
	return "status.idleCapacityReservations = [{" + strings.Join(parts, ", ") + "}]"
}
