#!/usr/bin/env bash
# Clients that nobody here wrote play a day each on the simulated AWS, and the provider on another simulation:
# clients.sh [awscli1|awscli2|karpenter-VERSION|viewer|moto]… plays some, without arguments all.
set -euo pipefail
cd "$(dirname "$0")/.."
chosen=("$@")
[ ${#chosen[@]} -gt 0 ] || chosen=(awscli1 awscli2 viewer moto karpenter-1.14.1 karpenter-1.15.2)
mkdir -p bin/clients

failed=0
for client in "${chosen[@]}"; do
  echo "== $client"
  case $client in
  awscli1)
    env=$PWD/bin/clients/awscli1
    [ -x "$env/bin/aws" ] || { python3 -m venv "$env" && "$env/bin/pip" install --quiet awscli==1.46.3; }
    hack/clients/awscli.sh "$env/bin/aws" || failed=1
    ;;
  awscli2)
    if /usr/bin/aws --version 2>/dev/null | grep -q '^aws-cli/2'; then
      hack/clients/awscli.sh /usr/bin/aws || failed=1
    else
      echo "skipped: /usr/bin/aws is not version 2; apt-get install awscli brings it on Debian 12 and later"
    fi
    ;;
  viewer) go test ./awssim -run '^TestWhatEKSNodeViewerAsks$' -count=1 || failed=1 ;;
  moto) hack/clients/moto.sh || failed=1 ;;
  karpenter-1.15.2) GOTOOLCHAIN=go1.27.3 hack/clients/karpenter.sh 1.15.2 || failed=1 ;;
  karpenter-*) hack/clients/karpenter.sh "${client#karpenter-}" || failed=1 ;;
  *)
    echo "no client is called $client: know awscli1, awscli2, viewer, moto, karpenter-1.14.1, karpenter-1.15.2" >&2
    failed=1
    ;;
  esac
done
exit $failed
