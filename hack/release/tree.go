package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tree is a checkout of one commit to build from, with what tools are told about the release.
type tree struct {
	folder  string
	version string // without v
	tools   string // the go.mod that pins ko, helm, goreleaser, cosign and cyclonedx-gomod
	epoch   string // of the commit, in seconds: the time of everything that has one
}

// clone copies the commit that root has checked out: what is not committed is not released.
func clone(ctx context.Context, root, into, version string) (tree, error) {
	if _, err := output(ctx, root, nil, "git", "clone", "--quiet", "--no-hardlinks", root, into); err != nil {
		return tree{}, err
	}
	return openTree(ctx, into, version)
}

func openTree(ctx context.Context, folder, version string) (tree, error) {
	epoch, err := output(ctx, folder, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return tree{}, err
	}
	tools := filepath.Join(folder, "hack", "release", "go.mod")
	return tree{folder: folder, version: version, tools: tools, epoch: epoch}, nil
}

func gitRoot(ctx context.Context) (string, error) {
	return output(ctx, ".", nil, "git", "rev-parse", "--show-toplevel")
}

// tool runs one of the pinned tools in the tree and returns what it prints to standard output.
func (t tree) tool(ctx context.Context, env []string, name string, args ...string) (string, error) {
	env = append([]string{
		"RELEASE_VERSION=" + t.version, "RELEASE_TOOLS=" + t.tools, "RELEASE_GO=go",
		"SOURCE_DATE_EPOCH=" + t.epoch, "GOFLAGS=-buildvcs=true",
	}, env...)
	return output(ctx, t.folder, env, "go", append([]string{"tool", "-modfile=" + t.tools, name}, args...)...)
}

// output runs a command and returns its standard output, trimmed. What it says on standard error is part of the
// error.
func output(ctx context.Context, folder string, env []string, name string, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, append(os.Environ(), env...), &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf(
			"%s %s: %w",
			name,
			strings.Join(args, " "),
			errors.Join(err, errors.New(lastLines(said.String(), 20))),
		)
	}
	return strings.TrimSpace(out.String()), nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
