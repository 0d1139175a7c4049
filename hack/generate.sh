#!/usr/bin/env bash
# Rewrites what is generated from the API types: deep copies and CRDs. Needs only Go.
# An argument names another checkout to work in, for hack/verify.sh.
set -euo pipefail
tools="$(cd "$(dirname "$0")/../tools" && pwd)"
cd "${1:-$(dirname "$0")/..}"

# Started in the checkout it generates for, so the types are read with that checkout's go.mod, not with that of the tools.
controller_gen="$(cd "$tools" && go tool -n controller-gen)"

# The definitions go elsewhere first: a type that does not parse leaves the old ones, a kind that is gone leaves none.
made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT
"$controller_gen" object crd paths=./api/... output:crd:dir="$made"
rm -f api/crd/*.yaml
cp "$made"/*.yaml api/crd/
