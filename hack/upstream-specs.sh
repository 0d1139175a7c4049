#!/usr/bin/env bash
# Runs Karpenter's own specs of its API on our definitions: copies of its modules get our YAML in place of theirs, and their
# Ginkgo suites talk to the API server in bin/playground. Needs the Go proxy, and a Go that is new enough for the modules
# (GOTOOLCHAIN=auto fetches it). CORE and AWS choose versions, SUITES="core aws" whose specs; arguments go to the suites, such as
# --ginkgo.focus=Budgets.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
core="${CORE:-v1.15.0}"
aws="${AWS:-v1.15.2}"
export GOFLAGS=-mod=mod GOWORK=off

work="$(mktemp -d)"
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# fetch MODULE VERSION FOLDER copies a module out of the module cache, which is read-only.
fetch() {
  local dir
  dir="$(cd "$work" && go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p')"
  cp -R "$dir" "$work/$3"
  chmod -R u+w "$work/$3"
}
fetch sigs.k8s.io/karpenter "$core" core
fetch github.com/aws/karpenter-provider-aws "$aws" aws

for crds in "$work"/core/pkg/apis/crds "$work"/aws/pkg/apis/crds; do
  for theirs in "$crds"/*.yaml; do
    if [[ ! -e "api/crd/$(basename "$theirs")" ]]; then
      echo "there is no definition of ours for $(basename "$theirs")" >&2
      exit 1
    fi
    cp "api/crd/$(basename "$theirs")" "$theirs"
  done
done
rm -rf "$work"/aws/pkg/test
mkdir "$work"/aws/pkg/test
cp hack/upstream/specs/kubelet.go.txt "$work"/aws/pkg/test/kubelet.go
cp hack/upstream/specs/suite_test.go.txt "$work"/aws/pkg/apis/v1/suite_test.go

# envtest looks for a control plane by the names of its programs.
mkdir "$work/bin"
for program in etcd kube-apiserver; do
  printf '#!/bin/sh\nexec %q %s "$@"\n' "$root/bin/playground" "$program" >"$work/bin/$program"
  chmod +x "$work/bin/$program"
done
export KUBEBUILDER_ASSETS="$work/bin"
export KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=5m # its own minute is short for a busy machine

cd "$work/aws"
go mod edit -replace "sigs.k8s.io/karpenter=../core"
status=0
packages=()
for suite in ${SUITES:-core aws}; do
  case $suite in
  core) packages+=(sigs.k8s.io/karpenter/pkg/apis/v1 sigs.k8s.io/karpenter/pkg/apis/v1alpha1) ;;
  aws) packages+=(github.com/aws/karpenter-provider-aws/pkg/apis/v1) ;;
  *)
    echo "SUITES is ${SUITES}: know core and aws" >&2
    exit 2
    ;;
  esac
done
for package in "${packages[@]}"; do
  echo "=== $package"
  go test -count=1 -timeout=14m -v "$package" -args --ginkgo.no-color "$@" || status=1
done
exit "$status"
