package scenarios_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// Twelve of the stories of `make world`, the shortest, as a user would play them. Each checks pods, purchases and price
// by itself.
func TestQuickStoriesComeTrue(t *testing.T) {
	t.Parallel()
	said, err := exec.CommandContext(t.Context(), devplane.Binary(t), "world", "--quick", "--clusters", "3").
		CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if came := strings.Count(string(said), "✔"); came < 12 {
		t.Errorf("%d stories came true, want 12", came)
	}
	t.Logf("\n%s", said)
}
