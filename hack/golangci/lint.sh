#!/usr/bin/env bash
# Looks, never edits: golangci-lint with .golangci.yml over every module that has Go code.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

lint() { go tool -modfile="$root/hack/golangci/go.mod" golangci-lint run --config "$root/.golangci.yml" "$@" ./...; }

# The playground links all of Kubernetes. What carries facts from package to package would read all of that, so these
# linters stay out there; make lint has vet look at it.
whole=staticcheck,unused,govet,bodyclose

failed=0
for mod in $(git ls-files --cached --others --exclude-standard 'go.mod' '*/go.mod'); do
  module=$(dirname "$mod")
  [ -n "$(git ls-files --cached --others --exclude-standard "$module/*.go")" ] || continue # it pins a tool
  echo "linting module $module"
  if [ "$module" = playground ]; then
    (cd "$module" && lint --disable="$whole") || failed=1
  else
    (cd "$module" && lint) || failed=1
  fi
done
exit $failed
