#!/usr/bin/env bash
# Plays taking over from Karpenter and handing back with its real controllers: takeover.sh [VERSION]…; without versions all.
# aws-VERSION is the AWS provider against the simulated AWS, VERSION alone the controller for the kwok cloud. Each is built
# from its own module, by the pins in hack/takeover and hack/clients, with the Go that it needs; nothing of it comes into
# this repository. TestTakeOver in internal/integration plays the story.
set -euo pipefail
cd "$(dirname "$0")/.."
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(1.9.0 1.14.1 1.15.0 aws-1.9.3 aws-1.14.1 aws-1.15.2)

# build NAME MODULE PACKAGE PINS builds a controller, and takes its definitions and those that it works with.
build() (
	to=$PWD/bin/takeover/$1
	mkdir -p "$to/crds"
	case $1 in *1.14.*) GOTOOLCHAIN=auto ;; *) GOTOOLCHAIN=go1.27.3 ;; esac
	export GOTOOLCHAIN GOWORK=off
	[ -x "$to/karpenter" ] || echo "building Karpenter $1; the first time takes some minutes" >&2
	go build -mod=mod -modfile="$4" -o "$to/karpenter" "$2/$3"
	core=$(go list -mod=mod -modfile="$4" -m -f '{{.Dir}}' sigs.k8s.io/karpenter)
	own=$(go list -mod=mod -modfile="$4" -m -f '{{.Dir}}' "$2")
	rm -rf "$to/crds" && mkdir -p "$to/crds"
	for file in "$core"/pkg/apis/crds/*.yaml "$own"/pkg/apis/crds/*.yaml "$own"/kwok/apis/crds/*.yaml; do
		[ ! -f "$file" ] || cp -f "$file" "$to/crds/"
	done
	chmod u+w "$to"/crds/*
)

peers=()
for version in "${versions[@]}"; do
	case $version in
	aws-*) what=(github.com/aws/karpenter-provider-aws cmd/controller "$PWD/hack/clients/karpenter-${version#aws-}.mod") ;;
	*) what=(sigs.k8s.io/karpenter kwok "$PWD/hack/takeover/karpenter-$version.mod") ;;
	esac
	if [ ! -f "${what[2]}" ]; then
		echo "there are no pins for Karpenter $version" >&2
		exit 2
	fi
	build "$version" "${what[@]}"
	peers+=("$version=$PWD/bin/takeover/$version")
done
exec go test ./internal/integration -run '^TestTakeOver$' -count=1 -timeout=30m -v -args -takeover="$(
	IFS=,
	echo "${peers[*]}"
)"
