#!/usr/bin/env bash
# Plays the same workloads to Dovetail and to Karpenter, and compares them: arena.sh FLAGS… (--help lists them). Karpenter's
# controller for its kwok cloud is built from its own module, by the pins in bench/arena/karpenter.mod, with the Go that it
# needs; nothing of it comes into this repository. Where that Go or that module cannot be had, only Dovetail plays.
set -euo pipefail
cd "$(dirname "$0")/.."
module=sigs.k8s.io/karpenter
version=$(sed -n "s#^require $module v##p" bench/arena/karpenter.mod)
toolchain=go1.27.3
peer=bin/arena/karpenter-$version
mkdir -p bin/arena/crds

# build builds the reference and takes its definitions out of its module.
build() (
	export GOTOOLCHAIN=$toolchain GOWORK=off
	pins=$PWD/bench/arena/karpenter.mod
	[[ -x $peer ]] || echo "building Karpenter $version with $toolchain; the first time takes some minutes" >&2
	go build -mod=mod -modfile="$pins" -o "$peer" $module/kwok
	dir=$(go list -mod=mod -modfile="$pins" -m -f '{{.Dir}}' $module)
	cp "$dir"/pkg/apis/crds/*.yaml "$dir"/kwok/apis/crds/*.yaml bin/arena/crds/
	chmod u+w bin/arena/crds/*
)
flags=()
if ! log=$(build 2>&1); then
	printf '%s\n' "$log" >&2
	echo "Karpenter cannot be built here: its runs are skipped" >&2
else
	flags=(--karpenter="$PWD/$peer" --karpenter-version="$version")
fi
trace=../shared/traces/azure-vm-2020-batched.csv.gz
if [[ -f $trace ]]; then
	flags+=(--trace="$PWD/$trace")
else
	echo "there is no trace at $trace: the day is played from a curve" >&2
fi
go build -o bin/dovetail ./cmd/dovetail
go build -C bench/arena -o ../../bin/arena/arena .
exec bin/arena/arena --playground="$PWD/bin/playground" --dovetail-binary="$PWD/bin/dovetail" "${flags[@]}" --results=bench/arena/results.json --page=docs/arena.md "$@"
