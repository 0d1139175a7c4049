#!/usr/bin/env bash
# Looks, never edits: generated files are what make generate makes of the code, and every module is tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT

echo "verifying generated files"
mkdir "$copy/fresh"
cp go.mod go.sum "$copy/fresh/"
cp -R api "$copy/fresh/api"
hack/generate.sh "$copy/fresh"
if ! git --no-pager diff --no-index --stat -- api "$copy/fresh/api" ||
  ! git --no-pager diff --no-index --quiet -- api "$copy/fresh/api"; then
  echo "generated files are out of date: run make generate and commit the result" >&2
  exit 1
fi

echo "verifying the reference pages"
go run ./hack/reference -check

echo "checking for known vulnerabilities"
hack/vulncheck.sh

echo "verifying the catalogue"
(cd hack/catalog && go run . -check -out ../../catalog)

failed=0
while read -r mod; do
  module="$(dirname "$mod")"
  echo "verifying that module $module is tidy"
  if ! (cd "$module" && go mod tidy -diff); then
    echo "module $module is not tidy: run go mod tidy in it and commit the result" >&2
    failed=1
  fi
done < <(git ls-files --cached --others --exclude-standard 'go.mod' '*/go.mod')
exit "$failed"
