package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// notes returns what CHANGELOG.md says of a version: the text under its heading. "0.0.0-check" stands for what is not
// released yet.
func notes(changelog, version string) (string, error) {
	heading := "## " + version
	if strings.HasPrefix(version, "0.0.0-") {
		heading = "## Unreleased"
	}
	var text strings.Builder
	found := false
	for line := range strings.Lines(changelog) {
		if strings.HasPrefix(line, "## ") {
			if found {
				break
			}
			title := strings.TrimSpace(line)
			found = title == heading || strings.HasPrefix(title, heading+" ")
			continue
		}
		if found {
			text.WriteString(line)
		}
	}
	if strings.TrimSpace(text.String()) == "" {
		return "", fmt.Errorf("CHANGELOG.md says nothing under %q: write what changed for users", heading)
	}
	return text.String(), nil
}

func checkNotes(root, version string) error {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	_, err = notes(string(text), version)
	return err
}
