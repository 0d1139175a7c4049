#!/usr/bin/env bash
# Runs the tests of every module with the race detector and says at the end which were slow and how many ran.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT

tool() { go tool -modfile="$root/tools/go.mod" "$@"; }

failed=0
# run NAME FOLDER FLAGS… PACKAGES… tests one part and keeps its report.
run() {
  local name=$1 folder=$2 start=$SECONDS
  shift 2
  echo "== testing $name"
  (cd "$folder" && tool gotestsum --format=standard-quiet --jsonfile "$report/${name//[.\/ ]/-}.json" -- "${flags[@]}" "$@") || failed=1
  echo "== $name took $((SECONDS - start)) s"
}
flags=("$@")

# Whole clusters get the machine to themselves: beside other tests their waits run out. They and the playground,
# which links all of Kubernetes, run without the race detector; the packages that they are made of run with it.
run "module . but its clusters" . -race -timeout=15m $(go list ./... | grep -v /internal/integration$)
run "the clusters of module ." . -timeout=25m ./internal/integration
run "module playground" playground -timeout=15m ./...
run "module bench" bench -race -timeout=15m ./...
run "module charts" charts -race -timeout=15m ./...

echo "== slowest tests"
for file in "$report"/*.json; do
  tool gotestsum tool slowest --threshold 5s --jsonfile "$file" | head -n 15
done

count() { cat "$report"/*.json | grep -c "\"Action\":\"$1\".*\"Test\":" || true; }
echo "== $(count pass) tests passed, $(count fail) failed, $(count skip) skipped"
exit $failed
