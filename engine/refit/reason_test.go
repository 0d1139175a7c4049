package refit_test

import (
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// What stands in for a CapacityBuffer needs a place and is no pod of the node's, so more may be left than it has pods.
func TestStandInsAreNotCalledPods(t *testing.T) {
	t.Parallel()
	for words, why := range map[string]refit.Reason{
		"2 of its 5 pods have":                                {Pods: 5, Left: 2},
		"the 3 places that it keeps for CapacityBuffers have": {Pods: 0, Left: 3},
		"4 pods of its own and of CapacityBuffers have":       {Pods: 2, Left: 4},
	} {
		for _, instead := range []shape.Money{0, 1000} {
			why.Kind, why.Price, why.Instead = refit.SavesTooLittle, 5000, instead
			if text := why.Sentence(); !strings.Contains(text, words) {
				t.Errorf("%q does not have %q", text, words)
			}
		}
	}
}
