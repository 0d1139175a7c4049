package engine_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
)

// `make arm64` compares what this logs on one processor with what it logs on another.
func TestPlansHaveOneHash(t *testing.T) {
	t.Parallel()
	hash := func() string {
		h := sha256.New()
		write := json.NewEncoder(h)
		for _, pods := range []int{30, 200, 700} {
			for _, err := range []error{
				write.Encode(engine.Plan(enginetest.Mixed(pods, 40), engine.DefaultPolicy())),
				write.Encode(engine.Plan(enginetest.Diverse(pods, 60), engine.DefaultPolicy())),
				write.Encode(engine.Plan(enginetest.Busy(pods, pods/10, 40), engine.DefaultPolicy())),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			s := enginetest.Running(pods/5, pods, 20)
			if err := write.Encode(refit.Refit(s, free(s))); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	first := hash()
	t.Logf("hash of all plans: %s", first)
	if testing.Short() {
		return // planning all of it a second time is left to longer runs
	}
	if again := hash(); again != first {
		t.Errorf("planned again, the hash is %s", again)
	}
}
