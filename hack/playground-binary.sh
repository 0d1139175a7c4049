#!/usr/bin/env bash
# Builds bin/playground: Kubernetes, etcd and kwok in one binary. Prints what it does and how long it takes.
set -euo pipefail
cd "$(dirname "$0")/../playground"

out=../bin/playground
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
# The API server reports these; without them it would say v0.0.0-master.
package=k8s.io/component-base/version
flags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
if [[ -n ${RELEASE_VERSION:-} ]]; then # as .goreleaser.yaml does; otherwise Go writes the commit
	flags+=" -X github.com/dovetail-sh/dovetail/internal/observe.version=$RELEASE_VERSION"
fi

if [[ ! -x $out ]]; then
	echo "building bin/playground (Kubernetes $version, etcd, kwok); the first time takes about 5 minutes on 2 cores" >&2
fi
SECONDS=0
mkdir -p ../bin
go build -ldflags "$flags" -o $out .
if ((SECONDS > 5)); then
	echo "built bin/playground in $SECONDS s, $(du -m $out | cut -f1) MB" >&2
fi
