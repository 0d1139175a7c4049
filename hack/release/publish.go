package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// home is where released images and charts are kept.
const home = "ghcr.io/dovetail-sh"

// publish builds the version that the commit is tagged with, uploads it and signs image and charts with the
// workflow's
// identity. What is uploaded stays if a later step fails; a second run uploads the same digests again.
func publish(ctx context.Context, root string) error {
	tag, err := output(ctx, root, nil, "git", "describe", "--exact-match", "--tags", "--match=v*")
	if err != nil {
		return fmt.Errorf("the commit has no tag such as v0.2.0: %w", err)
	}
	t, err := openTree(ctx, root, strings.TrimPrefix(tag, "v"))
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "dovetail-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	text, err := notes(string(changelog), t.version)
	if err != nil {
		return err
	}
	notesFile := filepath.Join(work, "notes.md")
	if err := os.WriteFile(notesFile, []byte(text), 0o600); err != nil {
		return err
	}
	signed, err := t.upload(ctx, work)
	if err != nil {
		return err
	}
	for _, ref := range signed {
		if _, err := t.tool(ctx, nil, "cosign", "sign", "--yes", "--recursive", ref); err != nil {
			return err
		}
	}
	return t.buildBinaries(ctx, "--release-notes="+notesFile)
}

// upload pushes image and charts and returns their references by digest.
func (t tree) upload(ctx context.Context, work string) ([]string, error) {
	image, err := t.buildImage(ctx, home+"/dovetail")
	if err != nil {
		return nil, err
	}
	if err := checkImage(ctx, image); err != nil {
		return nil, err
	}
	refs := []string{image.String()}
	for _, chart := range charts {
		archive, err := t.packageChart(ctx, chart, work)
		if err != nil {
			return nil, err
		}
		digest, err := t.pushChart(ctx, archive, home+"/charts")
		if err != nil {
			return nil, err
		}
		refs = append(refs, home+"/charts/"+chart+"@"+digest)
	}
	return refs, nil
}
