#!/usr/bin/env bash
# Make the secrets of a namespace that are missing: `secrets.sh <namespace>`. What is there is left as it is.
#   scorer-keys         who may call: the file that `python -m serving.access` writes
#   scorer-metrics-key  the key of Prometheus, in that file with the permission `read`
#   scorer-log-key      seals the decision log; without it the log cannot be read, so keep a copy elsewhere
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
namespace=${1:?say: deploy/kubernetes/secrets.sh <namespace>}
[ -x .venv/bin/python ] || { echo 'no environment yet: make environment' >&2; exit 1; }
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace"
has() { kubectl --namespace "$namespace" get secret "$1" > /dev/null 2>&1; }

if ! has scorer-log-key; then
  head -c 32 /dev/urandom | base64 | tr -d '\n' > "$scratch/key"
  kubectl --namespace "$namespace" create secret generic scorer-log-key --from-file=key="$scratch/key"
fi
if ! has scorer-keys; then
  .venv/bin/python -m serving.access new --file "$scratch/keys.yaml" --name prometheus --permissions read --days 365 |
    head -n 1 | tr -d '\n' > "$scratch/metrics"
  kubectl --namespace "$namespace" create secret generic scorer-keys --from-file=keys.yaml="$scratch/keys.yaml"
  has scorer-metrics-key && kubectl --namespace "$namespace" delete secret scorer-metrics-key
  kubectl --namespace "$namespace" create secret generic scorer-metrics-key --from-file=key="$scratch/metrics"
fi
