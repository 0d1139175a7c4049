package simulate

import (
	"fmt"
	"slices"
	"strings"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// unknowns says of a class what only AWS knows, and what was taken instead. Capacity reservations are told of where
// they are looked for.
func unknowns(class *awsv1.EC2NodeClass, region string) []string {
	var out []string
	if len(class.Spec.SubnetSelectorTerms) > 0 && len(class.Status.Subnets) == 0 {
		out = append(out, "subnets: every zone of "+region+" is taken to have one")
	}
	byAlias := func(t awsv1.AMISelectorTerm) bool { return t.Alias != "" }
	if terms := class.Spec.AMISelectorTerms; len(terms) > 0 && len(class.Status.AMIs) == 0 &&
		!slices.ContainsFunc(terms, byAlias) {
		out = append(out, fmt.Sprintf("images: they are taken to be %s's, for every architecture", class.AMIFamily()))
	}
	if class.Spec.PlacementGroupSelector != nil {
		out = append(out, "placement group: nodes are taken to be anywhere")
	}
	if len(out) == 0 {
		return nil
	}
	return []string{"what its selectors find is not known here. " + strings.Join(out, "; ")}
}
