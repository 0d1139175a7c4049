#!/usr/bin/env bash
# Runs the tests of every module and says at the end which were slow and how many ran.
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
  (cd "$folder" && tool gotestsum --format=standard-quiet --jsonfile "$report/${name//[.\/ ]/-}.json" "${again[@]}" -- "${flags[@]}" "$@") || failed=1
  echo "== $name took $((SECONDS - start)) s"
}
again=()

# live is run for parts that wait for other processes by the clock: a control plane, a terminal, or a browser. On a machine
# that somebody else keeps busy a wait can run out, so at most three of their tests are tried once more. Each that passes
# only then is named below, and is a fault to mend.
live() {
  local name=$1 folder=$2 packages
  packages=$(printf '%s\n' "${@:3}" | grep -v '^-' | tr '\n' ' ')
  again=(--rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-report="$report/${name//[.\/ ]/-}.again" --packages="$packages")
  run "$name" "$folder" $(printf '%s\n' "${@:3}" | grep '^-')
  again=()
}
flags=("$@")

# Whole clusters get the machine to themselves: beside other tests their waits run out. They and the playground,
# which links all of Kubernetes, run without the race detector; the packages that they are made of run with it.
clusters='/internal/(integration|admissionoracle|volumeoracle)$'
servers='/internal/(cli|devplane|lookout)$'
parts=$(go list ./... | grep -Ev "$clusters|$servers")
run "module . but its servers" . -race -short -timeout=25m $parts
# Races show in few draws of a property, and the detector makes each of them five to ten times as slow. So packages that
# have a shorter size run once more in full, without it.
sized=$(go list -f '{{.ImportPath}} {{.Dir}}' $parts | while read -r package dir; do
  grep -qlE 'testing\.Short\(\)|rapid\.Check' "$dir"/*_test.go 2>/dev/null && echo "$package" || true
done)
run "module . in full size" . -timeout=25m $sized
live "the servers of module ." . -race -timeout=15m $(go list ./... | grep -E "$servers")
live "the clusters of module ." . -timeout=25m -p=1 $(go list ./... | grep -E "$clusters")
whole='/playground/(cluster|command|pages|scenarios)$'
run "module playground but its clusters" playground -timeout=15m $(cd playground && go list ./... | grep -Ev "$whole")
live "the clusters of module playground" playground -timeout=25m -p=1 $(cd playground && go list ./... | grep -E "$whole")
run "module bench" bench -timeout=15m ./...
live "module bench/arena" bench/arena -timeout=15m ./...
run "module bench/awspeer" bench/awspeer -timeout=15m ./...
live "module charts" charts -timeout=15m ./...
run "module hack/upstream" hack/upstream -timeout=15m ./...
run "module hack/release" hack/release -timeout=5m ./...
run "module monitoring" monitoring -timeout=15m ./...
live "module browser" browser -timeout=15m ./...

echo "== slowest tests"
for file in "$report"/*.json; do
  tool gotestsum tool slowest --threshold 5s --jsonfile "$file" | awk 'NR <= 15'
done

for file in "$report"/*.again; do
  [ -s "$file" ] || continue
  echo "== needed a second try"
  cat "$file"
done

count() { cat "$report"/*.json | grep -c "\"Action\":\"$1\".*\"Test\":" || true; }
echo "== $(count pass) tests passed, $(count fail) failed, $(count skip) skipped"
exit $failed
