package devplane

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// common is the control plane of the test process, started on first use.
var common struct {
	mu      sync.Mutex // guards the fields below; held while starting
	options []Option
	managed bool // Main runs, so somebody will stop the plane
	plane   *Plane
	err     error // why it did not start; every test says so instead of trying again
}

// Main runs a package's tests and ends the control plane that they shared, if
// any did. Options are those of the shared plane. Call it from TestMain.
func Main(m *testing.M, options ...Option) {
	common.mu.Lock()
	common.options, common.managed = options, true
	common.mu.Unlock()

	code := m.Run()

	common.mu.Lock() // for good: the process ends here
	if common.plane != nil {
		if err := common.plane.stop(); err != nil {
			fmt.Fprintf(os.Stderr, "devplane: %v\n", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Shared returns the control plane of this test process and starts it when the
// first test asks. The package needs a TestMain that calls Main.
func Shared(t testing.TB) *Plane {
	t.Helper()
	skipIfAsked(t)
	common.mu.Lock()
	defer common.mu.Unlock()
	if !common.managed {
		t.Fatal(
			"devplane: Shared needs `func TestMain(m *testing.M) { devplane.Main(m) }` in this package, to end the " +
				"control plane",
		)
	}
	if common.plane == nil && common.err == nil {
		common.plane, common.err = start(common.options)
	}
	if common.err != nil {
		t.Fatalf("devplane: %v", common.err)
	}
	return common.plane
}

// Namespace returns a name for a namespace of this test's own: its name in
// small letters, cut to what Kubernetes allows. It does not create it.
func Namespace(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '-'
		}
	}, t.Name())
	return strings.Trim(name[:min(len(name), 63)], "-")
}
