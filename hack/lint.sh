#!/usr/bin/env bash
# Looks, never edits: formatting, vet and staticcheck over the modules that are ours to read.
# The playground links all of Kubernetes, so it gets vet only.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

unformatted=$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
  exit 1
fi

for module in . hack/catalog bench bench/arena bench/awspeer browser charts monitoring; do
  [ -f "$module/go.mod" ] || continue
  echo "linting module $module"
  (cd "$module" && go vet ./... && go tool -modfile="$root/tools/go.mod" staticcheck ./...)
done
[ ! -f playground/go.mod ] || (echo "vetting module playground" && cd playground && go vet ./...)
echo "reading Terraform"
go tool -modfile="$root/tools/go.mod" hclfmt -check deploy/terraform/*.tf >/dev/null
