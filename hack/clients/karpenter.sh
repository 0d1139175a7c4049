#!/usr/bin/env bash
# A day of the reference's AWS controller on the playground's cluster and simulated AWS: karpenter.sh VERSION. The
# controller is built from its own module, by the pins in karpenter-VERSION.mod; nothing of it comes into this repository.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$1
pins=hack/clients/karpenter-$version.mod
binary=$PWD/bin/clients/karpenter-$version
module=github.com/aws/karpenter-provider-aws

echo "== building the controller $version"
SECONDS=0
go build -mod=mod -modfile="$pins" -o "$binary" $module/cmd/controller
((SECONDS < 5)) || echo "built in $SECONDS s"
crds=$(go mod download -json $module@v"$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/pkg/apis/crds

work=$(mktemp -d)
stop() {
  [ -z "${controller:-}" ] || kill "$controller" 2>/dev/null || true
  bin/playground down --dir "$work/playground" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap stop EXIT
bin/playground up --with awssim --detach --dir "$work/playground"
source "$work/playground/aws.env"
export KUBECONFIG=$work/playground/kubeconfig

# wait_for SECONDS WHAT COMMAND… waits until a command succeeds.
wait_for() {
  local most=$1 what=$2 since=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS - since > most)); then
      echo "$what: not within $most s" >&2
      kubectl get ec2nodeclasses,nodepools,nodeclaims,nodes,pods -A >&2 || true
      tail -n 20 "$work/controller.log" >&2
      exit 1
    fi
    sleep 1
  done
  echo "$what after $((SECONDS - since)) s"
}
ready() { [ "$(kubectl get ec2nodeclass default -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
running() { [ "$(kubectl get pods --field-selector=status.phase=Running -o name | wc -l)" -ge "$1" ]; }
joined() { kubectl get nodeclaims -o jsonpath='{.items[*].status.nodeName}' | grep -q .; }
none() { [ -z "$(kubectl get nodeclaims -o name)" ]; }

kubectl apply --server-side -f "$crds" >/dev/null
CLUSTER_NAME=dovetail INTERRUPTION_QUEUE=dovetail DISABLE_LEADER_ELECTION=true METRICS_PORT=0 HEALTH_PROBE_PORT=0 \
  SYSTEM_NAMESPACE=kube-system KUBERNETES_MIN_VERSION=1.19.0-0 "$binary" >"$work/controller.log" 2>&1 &
controller=$!
for manifest in nodeclass mixed-nodepool mixed-workload; do
  kubectl apply -f playground/demo/manifests/$manifest.yaml >/dev/null
done
wait_for 60 "EC2NodeClass ready" ready
pods=$(kubectl get pods -o name | wc -l)
wait_for 180 "the first machine joined" joined
wait_for 180 "all $pods pods run" running "$pods"

node=$(kubectl get nodes -l karpenter.sh/capacity-type=spot -o jsonpath='{.items[0].metadata.name}')
if [ -n "$node" ]; then
  go run ./cmd/dovetail sim interrupt "$node"
  wait_for 120 "the interrupted node $node is gone" sh -c "! kubectl get node $node"
  wait_for 180 "all pods run again" running "$pods"
fi
kubectl delete -f playground/demo/manifests/mixed-workload.yaml --wait=false >/dev/null
wait_for 300 "all machines are gone" none
kubectl delete nodepools,ec2nodeclasses --all --timeout=120s >/dev/null

echo "== calls that the account refused"
curl -s "$AWS_ENDPOINT_URL/_awssim/calls" | tr '{' '\n' | sed -n 's/.*"action":"\([^"]*\)".*"code":"\([^"]*\)".*/\1 \2/p' | sort | uniq -c
unknown=$(curl -s "$AWS_ENDPOINT_URL/_awssim/calls" | grep -c '"code":"\(InvalidAction\|UnknownOperationException\|UnknownParameter\)"' || true)
[ "$unknown" -eq 0 ]
