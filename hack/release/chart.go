package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// charts are the folders under charts/ that are released, each as an OCI artefact of its own name.
var charts = []string{"dovetail", "dovetail-crd"}

// packageChart writes a chart's archive, with the version of the release, into a folder and returns the file.
func (t tree) packageChart(ctx context.Context, chart, into string) (string, error) {
	_, err := t.tool(
		ctx,
		nil,
		"helm",
		"package",
		filepath.Join("charts", chart),
		"--version",
		t.version,
		"--app-version",
		t.version,
		"--destination",
		into,
	)
	return filepath.Join(into, chart+"-"+t.version+".tgz"), err
}

// pushChart uploads an archive to REPOSITORY/NAME and returns its digest.
func (t tree) pushChart(ctx context.Context, archive, repository string, flags ...string) (string, error) {
	said, err := t.tool(ctx, nil, "helm", append([]string{"push", archive, "oci://" + repository}, flags...)...)
	if err != nil {
		return "", err
	}
	return digestIn(said)
}

// digestIn finds "Digest: sha256:…" in what helm prints.
func digestIn(said string) (string, error) {
	for line := range strings.Lines(said) {
		if digest, ok := strings.CutPrefix(strings.TrimSpace(line), "Digest: "); ok {
			return digest, nil
		}
	}
	return "", fmt.Errorf("helm names no digest: %s", said)
}

// checkChart installs, as far as that goes without a cluster, what a user would get: the chart from the registry,
// which
// must be for this version and name the image of it.
func (t tree) checkChart(ctx context.Context, chart, repository string) error {
	flags := []string{
		"template",
		"karpenter",
		"oci://" + repository + "/" + chart,
		"--version",
		t.version,
		"--plain-http",
	}
	if chart == "dovetail" {
		flags = append(flags, "--set", "settings.clusterName=c")
	}
	manifests, err := t.tool(ctx, nil, "helm", flags...)
	if err != nil {
		return err
	}
	if want := "dovetail:" + t.version; chart == "dovetail" && !strings.Contains(manifests, want) {
		return fmt.Errorf("chart %s %s does not run the image %s", chart, t.version, want)
	}
	if !strings.Contains(manifests, "kind: CustomResourceDefinition") {
		return fmt.Errorf("chart %s %s brings no kinds", chart, t.version)
	}
	return nil
}

// sum is a file's SHA-256.
func sum(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s was not built", file)
	}
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:]), nil
}
