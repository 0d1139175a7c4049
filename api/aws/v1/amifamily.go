package v1

import "strings"

// AMI families: how user data is written and which disks a node needs.
const (
	AMIFamilyAL2          = "AL2"
	AMIFamilyAL2023       = "AL2023"
	AMIFamilyBottlerocket = "Bottlerocket"
	AMIFamilyWindows2019  = "Windows2019"
	AMIFamilyWindows2022  = "Windows2022"
	AMIFamilyWindows2025  = "Windows2025"
	AMIFamilyCustom       = "Custom"
)

// AliasVersionLatest is the version of an alias that follows every release.
const AliasVersionLatest = "latest"

// Alias names an AMI that EKS publishes.
type Alias struct {
	// Family is one of the AMIFamily constants, never Custom.
	Family string
	// Version is that of a release, or AliasVersionLatest.
	Version string
}

// String is the alias as users write it.
func (a Alias) String() string { return strings.ToLower(a.Family) + "@" + a.Version }

// ParseAlias reads family@version. It is false for anything that the schema
// of AMISelectorTerm.Alias would refuse.
func ParseAlias(text string) (Alias, bool) {
	name, version, found := strings.Cut(text, "@")
	if !found || version == "" {
		return Alias{}, false
	}
	for _, family := range []string{
		AMIFamilyAL2, AMIFamilyAL2023, AMIFamilyBottlerocket,
		AMIFamilyWindows2019, AMIFamilyWindows2022, AMIFamilyWindows2025,
	} {
		if strings.ToLower(family) == name {
			return Alias{Family: family, Version: version}, true
		}
	}
	return Alias{}, false
}

// Alias is the alias among the AMI selector terms. It is false when there is none.
func (c *EC2NodeClass) Alias() (Alias, bool) {
	for _, term := range c.Spec.AMISelectorTerms {
		if term.Alias != "" {
			return ParseAlias(term.Alias)
		}
	}
	return Alias{}, false
}

// AMIFamily is the family in the spec, else that of the alias. With neither,
// which the schema refuses, it is AMIFamilyCustom.
func (c *EC2NodeClass) AMIFamily() string {
	if c.Spec.AMIFamily != nil {
		return *c.Spec.AMIFamily
	}
	if alias, ok := c.Alias(); ok {
		return alias.Family
	}
	return AMIFamilyCustom
}
