package main

import (
	"strings"
	"testing"
)

func TestNotesAreThoseOfTheVersion(t *testing.T) {
	t.Parallel()
	const changelog = "# Changes\n\n## Unreleased\n\n- new\n\n## 0.2.0 (2027-01-01)\n\n- two\n\n" +
		"## 0.2.0-rc.1\n\n- one\n\n## 0.1.0\n\n"
	tests := map[string]struct{ version, want, problem string }{
		"a version":               {"0.2.0", "- two", ""},
		"a candidate":             {"0.2.0-rc.1", "- one", ""},
		"a check":                 {"0.0.0-check", "- new", ""},
		"a version without notes": {"0.1.0", "", `nothing under "## 0.1.0"`},
		"no such version":         {"0.3.0", "", `nothing under "## 0.3.0"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := notes(changelog, test.version)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("got %q, %v; want an error about %q", got, err, test.problem)
				}
				return
			}
			if err != nil || strings.TrimSpace(got) != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestDifferencesOfTwoBuildsAreNamed(t *testing.T) {
	t.Parallel()
	got := differences(
		artefacts{"same": "1", "other": "1", "first alone": "1"},
		artefacts{"same": "1", "other": "2", "second alone": "1"},
	)
	if want := "first alone,other,second alone"; strings.Join(got, ",") != want {
		t.Errorf("differences are %v, want %s", got, want)
	}
}

func TestKrewsManifestNamesWhatWasBuilt(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("a", 64)
	sums, err := parseChecksums(hash + "  dovetail_linux_amd64.tar.gz\n")
	if err != nil {
		t.Fatal(err)
	}
	manifest := func(sum, file string) []byte {
		return []byte(
			"kind: Plugin\nspec:\n  version: v0.2.0\n  platforms:\n" +
				"  - bin: dovetail\n    uri: https://example.com/v0.2.0/" + file + "\n    sha256: " + sum +
				"\n    selector: {matchLabels: {os: linux, arch: amd64}}\n",
		)
	}
	if err := checkKrew(manifest(hash, "dovetail_linux_amd64.tar.gz"), sums); err != nil {
		t.Errorf("a right manifest is refused: %v", err)
	}
	if err := checkKrew(manifest(strings.Repeat("b", 64), "dovetail_linux_amd64.tar.gz"), sums); err == nil {
		t.Error("a wrong checksum is accepted")
	}
	if err := checkKrew(manifest(hash, "dovetail_darwin_amd64.tar.gz"), sums); err == nil {
		t.Error("a file that was not built is accepted")
	}
	if _, err := parseChecksums("nonsense\n"); err == nil {
		t.Error("a line without a checksum is accepted")
	}
}
