package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// What cannot start says why in words that name the thing and the fix, and touches nothing.
func TestStartRefuses(t *testing.T) {
	t.Parallel()
	occupied := t.TempDir()
	treasure := filepath.Join(occupied, "thesis.txt")
	if err := os.WriteFile(treasure, []byte("the only copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho the disk is on fire\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		why     string
		options cluster.Options
		want    []string
	}{
		"UnknownPart": {
			why:     "A misspelt part is named, and the choices are.",
			options: cluster.Options{Binary: broken, Parts: []string{"schedular"}},
			want:    []string{`"schedular"`, "kube-scheduler"},
		},
		"NoBinary": {
			why:     "Whoever has no binary is told how to get it.",
			options: cluster.Options{Binary: filepath.Join(t.TempDir(), "absent")},
			want:    []string{"absent", "make playground-binary"},
		},
		"ForeignFiles": {
			why:     "The directory is removed at the end, so it must not be anybody else's.",
			options: cluster.Options{Binary: broken, Dir: occupied},
			want:    []string{occupied, "choose an empty directory"},
		},
		"PartDies": {
			why:     "When a part cannot start, its own last words are in the message.",
			options: cluster.Options{Binary: broken, Dir: filepath.Join(t.TempDir(), "dies")},
			want:    []string{"etcd", "exit status 3", "the disk is on fire"},
		},
		"ProgramWithoutArguments": {
			why:     "A further program must say how it is started.",
			options: cluster.Options{Binary: broken, Programs: []cluster.Program{{Name: "awssim"}}},
			want:    []string{`"awssim"`, "arguments"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := cluster.Start(t.Context(), tc.options)
			if err == nil {
				t.Fatalf("%s\nit started in %s", tc.why, c.Dir())
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s\nthe message is %q, want it to contain %q", tc.why, err, want)
				}
			}
		})
	}
	t.Cleanup(func() {
		if _, err := os.Stat(treasure); err != nil {
			t.Errorf("a refused start touched a foreign file: %v", err)
		}
	})
}
