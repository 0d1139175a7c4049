package chartvalues_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

func TestValuesThatAskForNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path  string
		value any
		want  bool
	}{
		{"webhook.enabled", false, true},
		{"webhook.enabled", true, false},
		{"webhook.port", 8443, true},
		{"settings.aws.tags", map[string]any{}, true},
		{"settings.aws.tags", map[string]any{"a": "b"}, false},
		{"logConfig.outputPaths", []any{"stdout"}, true},
		{"logConfig.outputPaths", []any{"stdout", "/log"}, false},
		{"settings.featureGates.drift", "true", true},
		{"settings.featureGates.drift", false, false},
		{"settings.aws.clusterName", nil, true},
		{"settings.aws.clusterName", "", true},
	} {
		r, ok := chartvalues.Find(tc.path)
		if !ok || r.AsksNothing(tc.value) != tc.want {
			t.Errorf("%s=%v: found %v, asks nothing %v", tc.path, tc.value, ok, !tc.want)
		}
	}
	if !chartvalues.Above("settings.aws") || chartvalues.Above("settings.aws.clusterName") ||
		chartvalues.Above("web") {
		t.Error("what is above removed values is not told from what is not")
	}
}
