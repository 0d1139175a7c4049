#!/usr/bin/env bash
# Plays taking over from Karpenter and handing back with its real controllers: takeover.sh [VERSION]…; without versions all.
# Each controller for the kwok cloud is built from its own module, by the pins in hack/takeover/karpenter-VERSION.mod, with the
# Go that it needs; nothing of it comes into this repository. TestTakeOver in internal/integration plays the story.
set -euo pipefail
cd "$(dirname "$0")/.."
module=sigs.k8s.io/karpenter
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(1.9.0 1.14.1 1.15.0)

peers=()
for version in "${versions[@]}"; do
	pins=$PWD/hack/takeover/karpenter-$version.mod
	if [ ! -f "$pins" ]; then
		echo "there are no pins for Karpenter $version; know $(cd hack/takeover && ls -- *.mod | tr '\n' ' ')" >&2
		exit 2
	fi
	to=$PWD/bin/takeover/$version
	mkdir -p "$to/crds"
	case $version in 1.15.*) toolchain=go1.27.3 ;; *) toolchain=auto ;; esac
	(
		export GOTOOLCHAIN=$toolchain GOWORK=off
		[ -x "$to/karpenter" ] || echo "building Karpenter $version; the first time takes some minutes" >&2
		go build -mod=mod -modfile="$pins" -o "$to/karpenter" $module/kwok
		dir=$(go list -mod=mod -modfile="$pins" -m -f '{{.Dir}}' $module)
		cp -f "$dir"/pkg/apis/crds/*.yaml "$dir"/kwok/apis/crds/*.yaml "$to/crds/"
		chmod u+w "$to"/crds/*
	)
	peers+=("$version=$to")
done
exec go test ./internal/integration -run '^TestTakeOver$' -count=1 -timeout=30m -v -args -takeover="$(
	IFS=,
	echo "${peers[*]}"
)"
