package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The pages in docs/reference are what the code says now.
func TestThePagesOfTheReferenceAreCurrent(t *testing.T) {
	t.Parallel()
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

// A page that is missing, was edited or is no longer made is found, and writing mends all three.
func TestPagesThatDifferAreFound(t *testing.T) {
	t.Parallel()
	made := map[string]string{"a.md": "one\n", "b.md": "two\n"}
	for name, spoil := range map[string]func(dir string) error{
		"missing": func(dir string) error { return os.Remove(filepath.Join(dir, "a.md")) },
		"edited": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "b.md"), []byte("three\n"),
				0o600)
		},
		"no longer made": func(dir string) error { return os.WriteFile(filepath.Join(dir, "c.md"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := write(dir, made); err != nil {
				t.Fatal(err)
			}
			if err := compare(dir, made); err != nil {
				t.Fatalf("just written: %v", err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if err := compare(dir, made); err == nil || !strings.Contains(err.Error(), "make generate") {
				t.Errorf("want an error that names the way out, got %v", err)
			}
			if err := write(dir, made); err != nil {
				t.Fatal(err)
			}
			if err := compare(dir, made); err != nil {
				t.Errorf("written again: %v", err)
			}
		})
	}
}

// Every table on every page has as many cells in each row as in its heading: no text of the code breaks a row.
func TestTablesAreWhole(t *testing.T) {
	t.Parallel()
	all, err := pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		want := 0
		for i, line := range strings.Split(all[name], "\n") {
			if !strings.HasPrefix(line, "|") {
				want = 0
				continue
			}
			cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if want == 0 {
				want = cells
			}
			if cells != want {
				t.Errorf("%s:%d has %d bars, its heading has %d: %s", name, i+1, cells, want, line)
			}
		}
	}
}

// Nothing on the pages is without its meaning.
func TestEveryRowSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	all, err := pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for i, line := range strings.Split(all[name], "\n") {
			if strings.HasPrefix(line, "|") && strings.HasSuffix(line, "|  |") {
				t.Errorf("%s:%d: nothing is said of %s", name, i+1, line)
			}
		}
	}
}

func TestDurationsAreShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		2 * time.Minute: "2m", 90 * time.Second: "1m30s", time.Hour: "1h", 30 * time.Second: "30s",
		10 * time.Minute: "10m",
	} {
		if got := short(d); got != want {
			t.Errorf("%s is written %s, want %s", d, got, want)
		}
	}
}
