package observe

import (
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
)

// SnakeCase is a name of the API as labels of metrics have it: "WhenEmpty" is "when_empty".
func SnakeCase(name string) string {
	runes := []rune(name)
	var out strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// ResourceLabel is the value of the label resource_type for a resource: "ephemeral-storage" is "ephemeral_storage".
func ResourceLabel(name corev1.ResourceName) string {
	return strings.ReplaceAll(strings.ToLower(string(name)), "-", "_")
}
