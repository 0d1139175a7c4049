package kubelet

import (
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

var rawZero = apiextensionsv1.JSON{Raw: []byte("0")}

// Refusal is why a class cannot launch, for its condition ValidationSucceeded.
type Refusal struct {
	Reason, Message string
}

// Judge checks a class's configuration for nodes of an AMI family. withExpressions is the feature gate NodeClassCEL. It
// returns nil if nothing is wrong that is known without an instance type.
func Judge(k awsv1.KubeletConfiguration, family string, withExpressions bool) *Refusal {
	if len(k) == 0 {
		return nil
	}
	if wrong := structure(k); len(wrong) > 0 {
		return &Refusal{awsv1.ReasonInvalidKubeletConfiguration, strings.Join(wrong, "; ")}
	}
	s, err := Parse(k)
	if err != nil {
		return &Refusal{awsv1.ReasonInvalidKubeletConfiguration, err.Error()}
	}
	if expressions := s.expressions(); len(expressions) > 0 && !withExpressions {
		return &Refusal{
			awsv1.ReasonKubeletExpressionsDisabled,
			"spec.kubelet contains a CEL expression, but the NodeClassCEL feature gate is disabled" + named(
				expressions,
			),
		}
	}
	for _, e := range s.expressions() {
		if _, err := compile(e.text); err != nil {
			return &Refusal{awsv1.ReasonKubeletExpressionInvalid, e.field + ": " + err.Error()}
		}
	}
	if wrong := unapplied(k, s, family); len(wrong) > 0 {
		return &Refusal{awsv1.ReasonUnsupportedKubeletConfiguration, strings.Join(wrong, "; ")}
	}
	return nil
}

// named says which values were taken for expressions, and of those that cannot be one what they should have been: a
// slip in a quantity makes an expression that nobody meant.
func named(expressions []expression) string {
	var out strings.Builder
	for _, e := range expressions {
		fmt.Fprintf(&out, "; %s is %q", e.field, e.text)
		if _, err := compile(e.text); err == nil {
			continue
		}
		if strings.HasSuffix(e.field, "maxPods") {
			out.WriteString(", which is no number and no expression")
		} else {
			out.WriteString(", which is no quantity (such as 100m, 1Gi) and no expression")
		}
	}
	return out.String()
}

// unapplied lists what nodes of the family would not be told. Nodes of family Custom are told nothing by us.
func unapplied(k awsv1.KubeletConfiguration, s Settings, family string) []string {
	if family == awsv1.AMIFamilyAL2023 || family == awsv1.AMIFamilyCustom {
		return nil
	}
	var dropped, out []string
	for field := range k {
		if !slices.Contains(managed, field) || field == "podsPerCore" && family == awsv1.AMIFamilyBottlerocket {
			dropped = append(dropped, field)
		}
	}
	if len(dropped) > 0 {
		slices.Sort(dropped)
		out = append(
			out,
			fmt.Sprintf("spec.kubelet has fields not applied by the %s AMI family that would be silently dropped: %s",
				family, strings.Join(dropped, ", ")),
		)
	}
	if n := len(s.ClusterDNS); n > 1 {
		out = append(
			out,
			fmt.Sprintf(
				"spec.kubelet.clusterDNS: the %s AMI family doesn't accept multiple entries, only one, but %d were set",
				family,
				n,
			),
		)
	}
	return out
}
