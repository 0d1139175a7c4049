package agreement

import (
	"math"
	"testing"
)

// TestBoundOfTheScaleRun has 350 pods of each of the four Deployments: 1,242.5 cores and 2,241.7 GB.
func TestBoundOfTheScaleRun(t *testing.T) {
	t.Parallel()
	var milli, bytes int64
	for _, g := range Four(3000).Groups {
		milli += 350 * g.Requests.Cpu().MilliValue()
		bytes += 350 * g.Requests.Memory().Value()
	}
	if got := kwokBound(milli, bytes); math.Abs(got-33.3) > 0.05 {
		t.Errorf("the bound is $%.3f an hour, want $33.3", got)
	}
}
