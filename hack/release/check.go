package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// artefacts are the digests of all that one build yields, by name.
type artefacts map[string]string

// check builds the release twice, in two clones of the commit, looks at what came of it and compares the two. It
// uploads
// to registries of its own on loopback, which end with it.
func check(ctx context.Context, root, version string, onePlatform bool) error {
	var builds [2]artefacts
	for i := range builds {
		fmt.Printf("== build %d of %d of version %s\n", i+1, len(builds), version)
		folder, err := os.MkdirTemp("", "dovetail-release-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		t, err := clone(ctx, root, filepath.Join(folder, "source"), version)
		if err != nil {
			return err
		}
		if builds[i], err = t.buildAndLook(ctx, filepath.Join(folder, "charts"), onePlatform); err != nil {
			return err
		}
	}
	if differ := differences(builds[0], builds[1]); len(differ) > 0 {
		return fmt.Errorf("two builds of one commit differ: %s", strings.Join(differ, ", "))
	}
	fmt.Printf("== two builds of one commit are the same, %d artefacts in all\n", len(builds[0]))
	return checkNotes(root, version)
}

// buildAndLook builds everything once and checks each part.
func (t tree) buildAndLook(ctx context.Context, charts string, onePlatform bool) (artefacts, error) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://")
	made := artefacts{}
	parts := []struct {
		name string
		make func() error
	}{
		{"image", func() error { return t.lookAtImage(ctx, repository, made) }},
		{"charts", func() error { return t.lookAtCharts(ctx, charts, repository, made) }},
		{"command line", func() error { return t.lookAtBinaries(ctx, onePlatform, made) }},
	}
	for _, part := range parts {
		start := time.Now()
		if err := part.make(); err != nil {
			return nil, err
		}
		fmt.Printf("   %s: %d s\n", part.name, int(time.Since(start).Seconds()))
	}
	return made, nil
}

func (t tree) lookAtImage(ctx context.Context, repository string, made artefacts) error {
	base, err := pushBase(ctx, repository)
	if err != nil {
		return err
	}
	ref, err := t.buildImage(ctx, repository+"/dovetail", "KO_DEFAULTBASEIMAGE="+base)
	if err != nil {
		return err
	}
	made["image"] = ref.DigestStr()
	return checkImage(ctx, ref)
}

func (t tree) lookAtCharts(ctx context.Context, into, repository string, made artefacts) error {
	for _, chart := range charts {
		archive, err := t.packageChart(ctx, chart, into)
		if err != nil {
			return err
		}
		if _, err := t.pushChart(ctx, archive, repository+"/charts", "--plain-http"); err != nil {
			return err
		}
		if err := t.checkChart(ctx, chart, repository+"/charts"); err != nil {
			return err
		}
		if made["chart "+chart], err = sum(archive); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) lookAtBinaries(ctx context.Context, onePlatform bool, made artefacts) error {
	flags := []string{"--snapshot"}
	if onePlatform {
		flags = append(flags, "--single-target")
	}
	if err := t.buildBinaries(ctx, flags...); err != nil {
		return err
	}
	if err := t.checkBinaries(ctx); err != nil {
		return err
	}
	sums, err := t.checksums()
	maps.Copy(made, sums)
	return err
}

// differences names what two builds do not have in common.
func differences(a, b artefacts) (names []string) {
	for name := range a {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
