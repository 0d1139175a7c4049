package aws

import (
	"context"
	"slices"
	"strings"
	"unicode"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
)

// askInParts asks for all offers, and if EC2 refuses that call for certain, without those that it names, else for each
// half: what it has against one offer must not cost the others. What both halves are refused for is the matter of the
// whole call.
func (c *launcher) askInParts(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	capacityType string,
	kind fleet.Kind,
	offers []fleet.Offer,
) (fleet.Answer, *provider.Machine, error) {
	answer, adopted, whole := c.ask(ctx, class, order, capacityType, kind, offers)
	if whole == nil || !awserror.IsOfRequest(whole) {
		return answer, adopted, whole
	}
	var told []fleet.Failure
	for _, part := range parts(offers, awserror.Text(whole)) {
		if part.named {
			told = append(
				told,
				fleet.Failure{
					Code:         awserror.Code(whole),
					Message:      awserror.Text(whole),
					InstanceType: part.offers[0].InstanceType,
				},
			)
			continue
		}
		answer, adopted, err := c.ask(ctx, class, order, capacityType, kind, part.offers)
		switch {
		case err == nil && answer.Bought == nil:
			told = append(told, answer.Failures...)
		case err == nil || adopted != nil || !awserror.IsOfRequest(err):
			answer.Failures = append(told, answer.Failures...)
			return answer, adopted, err
		}
	}
	if len(told) == 0 {
		return fleet.Answer{}, nil, whole
	}
	return fleet.Answer{Failures: told}, nil, nil
}

// part is offers of a fleet that was refused; named says that the refusal is about their type.
type part struct {
	offers []fleet.Offer
	named  bool
}

// parts parts offers by what a refusal says: those of the types that it names, each by itself, and the rest; if it
// names none, the types' cheaper half and the other.
func parts(offers []fleet.Offer, refusal string) []part {
	var types []string
	for _, o := range offers {
		if !slices.Contains(types, o.InstanceType) {
			types = append(types, o.InstanceType)
		}
	}
	of := func(some []string) []fleet.Offer {
		return slices.DeleteFunc(
			slices.Clone(offers),
			func(o fleet.Offer) bool { return !slices.Contains(some, o.InstanceType) },
		)
	}
	words := strings.FieldsFunc(
		refusal,
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-' },
	)
	for i := range words {
		words[i] = strings.Trim(words[i], ".")
	}
	var out []part
	var rest []string
	for _, name := range types {
		if slices.Contains(words, name) {
			out = append(out, part{of([]string{name}), true})
		} else {
			rest = append(rest, name)
		}
	}
	if len(out) > 0 && len(rest) > 0 {
		return append(out, part{offers: of(rest)})
	}
	if len(out) == 0 && len(types) > 1 {
		half := (len(types) + 1) / 2
		return []part{{offers: of(types[:half])}, {offers: of(types[half:])}}
	}
	return out
}
