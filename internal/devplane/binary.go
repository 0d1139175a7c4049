package devplane

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Binary returns the path of the playground's binary, for tests of its command
// line. It builds the binary if its sources changed.
func Binary(t testing.TB) string {
	t.Helper()
	skipIfAsked(t)
	path, err := binary()
	if err != nil {
		t.Fatalf("devplane: %v", err)
	}
	return path
}

// binary does the work of Binary, once per process.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("DOVETAIL_PLAYGROUND"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("DOVETAIL_PLAYGROUND names no file: %w", err)
		}
		return path, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	return build(root, os.Stderr)
})

// repository finds the root of the checkout that holds the running test.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "playground", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New(
				"finding the repository: no folder above the test has playground/go.mod; " +
					"set DOVETAIL_PLAYGROUND to a " +
					"built binary",
			)
		}
		dir = parent
	}
}

// build makes bin/playground in root, unless it was already made from these
// sources. Of several processes one builds and the others wait.
//
// Only the sources of what this package starts count: awssim, dovetail and the
// demo are in the binary too, but a test must not pay for linking, nor fail to
// build, whenever one of those changes.
func build(root string, progress io.Writer) (string, error) {
	path := filepath.Join(root, "bin", "playground")
	stampPath := path + ".stamp"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("making the folder of the playground's binary: %w", err)
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	want, err := fingerprint(filepath.Join(root, "playground"))
	if err != nil {
		return "", err
	}
	_, absent := os.Stat(path)
	if have, err := os.ReadFile(stampPath); absent == nil && err == nil && string(have) == want {
		return path, nil
	}
	fmt.Fprintln(
		progress,
		"devplane: building bin/playground; the first time this takes about 5 minutes on 2 cores, later some seconds",
	)
	began := time.Now()
	cmd := exec.Command(filepath.Join(root, "hack", "playground-binary.sh"))
	if out, err := cmd.CombinedOutput(); err != nil {
		if absent != nil {
			return "", fmt.Errorf("building bin/playground: %w\n%s", err, out)
		}
		// A half-edited daemon must not keep anyone from testing the API.
		fmt.Fprintf(
			progress,
			"devplane: using the bin/playground that is there, because building a new one failed: %v\n%s",
			err,
			out,
		)
		return path, nil
	}
	fmt.Fprintf(progress, "devplane: built bin/playground in %s\n", time.Since(began).Round(time.Second))
	if err := os.WriteFile(stampPath, []byte(want), 0o644); err != nil {
		return "", fmt.Errorf("noting what bin/playground was built from: %w", err)
	}
	return path, nil
}

// lock waits until this process alone holds the file.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the playground's binary: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the playground's binary: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing unlocks
}

// fingerprint is equal for equal sources: every Go file below dir that is not
// a test, and what decides the versions of everything else.
func fingerprint(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && name == "demo" {
			return fs.SkipDir
		}
		source := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
		if entry.IsDir() || !source && name != "go.mod" && name != "go.sum" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(path), len(data))
		_, err = sum.Write(data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the playground's sources: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
