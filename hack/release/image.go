package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// platforms are those that the image is built for.
var platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// nonroot is the user that distroless calls nonroot. The chart's security context wants the same.
const nonroot = "65532"

// buildImage builds the image for every platform, pushes it to the repository under the version, and returns its
// reference by digest.
func (t tree) buildImage(ctx context.Context, repository string, env ...string) (name.Digest, error) {
	env = append(env, "KO_DOCKER_REPO="+repository)
	said, err := t.tool(ctx, env, "ko", "build", "--bare", "--sbom=spdx", "--tags="+t.version, "./cmd/dovetail")
	if err != nil {
		return name.Digest{}, err
	}
	return name.NewDigest(said)
}

// pushBase pushes a stand-in for distroless, which a check without the internet cannot have: no files, same user.
func pushBase(ctx context.Context, repository string) (string, error) {
	ref, err := name.ParseReference(repository + "/base:latest")
	if err != nil {
		return "", err
	}
	var index v1.ImageIndex = empty.Index
	for _, p := range platforms {
		image, err := mutate.ConfigFile(
			empty.Image,
			&v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Config: v1.Config{User: nonroot}},
		)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(
			index,
			mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}},
		)
	}
	return ref.String(), remote.WriteIndex(ref, index, remote.WithContext(ctx))
}

// checkImage holds an image against what users of it rely on: every platform, no root, and a bill of materials.
func checkImage(ctx context.Context, ref name.Digest) error {
	index, err := remote.Index(ref, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			return err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return err
		}
		if config.Config.User != nonroot {
			return fmt.Errorf(
				"image %s for %s runs as user %q, not as %s",
				ref,
				m.Platform,
				config.Config.User,
				nonroot,
			)
		}
		found[m.Platform.String()] = true
	}
	for _, p := range platforms {
		if !found[p.String()] {
			return fmt.Errorf("image %s is not built for %s", ref, p)
		}
	}
	return checkBill(ctx, ref)
}

// checkBill wants a bill of materials where ko and cosign put them: under a tag made from the digest.
func checkBill(ctx context.Context, of name.Digest) error {
	tag := of.Context().Tag(strings.Replace(of.DigestStr(), ":", "-", 1) + ".sbom")
	image, err := remote.Image(tag, remote.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("image %s has no bill of materials: %w", of, err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) == 0 {
		return fmt.Errorf("the bill of materials %s is empty: %w", tag, err)
	}
	text, err := layers[0].Uncompressed()
	if err != nil {
		return err
	}
	defer text.Close()
	var bill struct {
		Version  string `json:"spdxVersion"`
		Packages []struct{ Name string }
	}
	if err := json.NewDecoder(text).Decode(&bill); err != nil {
		return fmt.Errorf("the bill of materials %s is no SPDX: %w", tag, err)
	}
	if bill.Version == "" || len(bill.Packages) == 0 {
		return fmt.Errorf("the bill of materials %s lists nothing", tag)
	}
	return nil
}
