package daemon

import (
	"errors"
	"path/filepath"
	"testing"
)

// Whoever is told of no API server was called wrong: commands tell that from a server that does not answer.
func TestNoServerIsAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	if _, err := findConfig(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, ErrNoServer) {
		t.Errorf("got %v, want %v", err, ErrNoServer)
	}
}
