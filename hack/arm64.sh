#!/usr/bin/env bash
# Plans on this processor and on an emulated arm64 one, and compares.
set -euo pipefail
cd "$(dirname "$0")/.."

emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
if [ -z "$emulator" ]; then
  echo "there is no qemu-aarch64 (Debian package qemu-user): plans on arm64 are not compared"
  exit 0
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

plans() { # how to run it, then the architecture
  GOARCH=$2 CGO_ENABLED=0 go test -c -o "$out/$2" ./engine
  (cd engine && $1 "$out/$2" -test.run='^TestPlansHaveOneHash$' -test.v | grep -o 'hash of all plans: .*')
}
here=$(plans "" "$(go env GOARCH)")
there=$(plans "$emulator" arm64)
echo "$(go env GOARCH): $here"
echo "arm64: $there"
[ "$here" = "$there" ]
