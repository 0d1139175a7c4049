package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sigs.k8s.io/yaml"
)

// buildBinaries builds the command line for people's machines into dist/ of the tree: archives, checksums, bills of
// materials, and the manifest for krew.
func (t tree) buildBinaries(ctx context.Context, args ...string) error {
	_, err := t.tool(ctx, nil, "goreleaser", append([]string{"release", "--clean"}, args...)...)
	return err
}

// checksums reads dist/checksums.txt: SHA-256 by file.
func (t tree) checksums() (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(t.folder, "dist", "checksums.txt"))
	if err != nil {
		return nil, err
	}
	return parseChecksums(string(text))
}

func parseChecksums(text string) (map[string]string, error) {
	sums := map[string]string{}
	for line := range strings.Lines(text) {
		hash, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || len(hash) != 64 {
			return nil, fmt.Errorf("checksums.txt has a line that is none: %q", line)
		}
		sums[file] = hash
	}
	return sums, nil
}

// checkBinaries holds what was built against what users of it rely on: every file is what its checksum says, the
// binary knows its version and commit, bills of materials are filled, and krew would accept its manifest.
func (t tree) checkBinaries(ctx context.Context) error {
	sums, err := t.checksums()
	if err != nil {
		return err
	}
	for file, want := range sums {
		path := filepath.Join(t.folder, "dist", file)
		if got, err := sum(path); err != nil || got != want {
			return fmt.Errorf("%s: checksums.txt says %s, it is %s (%w)", file, want, got, err)
		}
		if strings.HasSuffix(file, ".cdx.json") {
			if err := checkComponents(path); err != nil {
				return err
			}
		}
	}
	if err := t.checkVersion(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(t.folder, "dist", "krew", "dovetail.yaml"))
	if err != nil {
		return err
	}
	return checkKrew(text, sums)
}

func checkComponents(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var bill struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name string }
	}
	if err := json.Unmarshal(text, &bill); err != nil || bill.Format != "CycloneDX" || len(bill.Components) == 0 {
		return fmt.Errorf("%s is no filled CycloneDX bill of materials (%w)", file, err)
	}
	return nil
}

// checkVersion runs the binary for this machine.
func (t tree) checkVersion(ctx context.Context) error {
	found, err := filepath.Glob(filepath.Join(t.folder, "dist", "*_"+runtime.GOOS+"_"+runtime.GOARCH+"*", "dovetail"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("there is no one binary for this machine: %v (%w)", found, err)
	}
	said, err := output(ctx, t.folder, nil, found[0], "version")
	if err != nil {
		return err
	}
	if !strings.Contains(said, t.version) || strings.Contains(said, "commit unknown") {
		return fmt.Errorf("the binary of %s does not know what it is: %s", t.version, said)
	}
	return nil
}

// krew is what counts of krew's manifest of a plugin.
type krew struct {
	APIVersion string `json:"apiVersion"`
	Kind       string
	Spec       struct {
		Version   string
		Platforms []struct {
			URI, SHA256, Bin string
			Selector         struct {
				MatchLabels map[string]string `json:"matchLabels"`
			}
		}
	}
}

// checkKrew wants each platform of krew's manifest to name a file that was built, with its checksum.
func checkKrew(text []byte, sums map[string]string) error {
	var manifest krew
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		return err
	}
	if manifest.Kind != "Plugin" || len(manifest.Spec.Platforms) == 0 {
		return fmt.Errorf("krew's manifest names no platform:\n%s", text)
	}
	for _, p := range manifest.Spec.Platforms {
		file := p.URI[strings.LastIndexByte(p.URI, '/')+1:]
		if sums[file] == "" || sums[file] != p.SHA256 {
			return fmt.Errorf("krew's manifest has checksum %s for %s, and it is %q", p.SHA256, file, sums[file])
		}
		if p.Bin == "" || p.Selector.MatchLabels["os"] == "" {
			return fmt.Errorf("krew's manifest does not say what to run of %s, or where", file)
		}
	}
	return nil
}
