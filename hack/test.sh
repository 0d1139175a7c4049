#!/usr/bin/env bash
# Runs the tests of every module with the race detector and says at the end which were slow and how many ran.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT

tool() { go tool -modfile="$root/tools/go.mod" "$@"; }

failed=0
for module in . playground bench charts; do
  name=module-${module//[.\/]/-}
  # The playground links all of Kubernetes; building that a second time for the race detector
  # would cost more than it finds there: our own code in it is small.
  race=-race
  [ "$module" = playground ] && race=
  echo "== testing module $module"
  start=$SECONDS
  (cd "$module" && tool gotestsum --format=standard-quiet --jsonfile "$report/$name.json" -- $race -timeout=15m "$@" ./...) || failed=1
  echo "== module $module took $((SECONDS - start)) s"
done

echo "== slowest tests"
for file in "$report"/*.json; do
  tool gotestsum tool slowest --threshold 5s --jsonfile "$file" | head -n 15
done

count() { cat "$report"/*.json | grep -c "\"Action\":\"$1\".*\"Test\":" || true; }
echo "== $(count pass) tests passed, $(count fail) failed, $(count skip) skipped"
exit $failed
