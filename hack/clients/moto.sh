#!/usr/bin/env bash
# The AWS provider does its day on moto, a simulated AWS that others wrote. moto comes from PyPI into an environment in bin/.
set -euo pipefail
cd "$(dirname "$0")/../.."
env=$PWD/bin/clients/moto
[ -x "$env/bin/moto_server" ] || { python3 -m venv "$env" && "$env/bin/pip" install --quiet 'moto[server]==5.2.5'; }

log=$(mktemp)
"$env/bin/python" - "$env/bin/moto_server" >"$log" 2>&1 <<'PY' &
import os, socket, sys
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
print("listening on http://127.0.0.1:%d" % port, flush=True)
os.execv(sys.argv[1], [sys.argv[1], "-H", "127.0.0.1", "-p", str(port)])
PY
moto=$!
trap 'kill $moto 2>/dev/null || true; rm -f "$log"' EXIT
until grep -q 'Running on' "$log"; do kill -0 $moto && sleep 0.2; done
DOVETAIL_MOTO_ENDPOINT=$(sed -n 's/^listening on //p' "$log") go test ./provider/aws -run '^TestADayOnMoto$' -count=1 -v
