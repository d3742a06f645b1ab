#!/usr/bin/env bash
# Make the secrets of a namespace that are missing: `secrets.sh <namespace>`. What is there is left as it is.
#   scorer-keys         who may call: the file that `python -m serving.access` writes
#   scorer-metrics-key  the key of Prometheus, whose digest is in that file with the permission `read`
#   scorer-log-key      seals the decision log; without it the log cannot be read, so keep a copy elsewhere
#
# It can be interrupted at any point, and run again: the pair of the keys is completed from whichever of the two is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
namespace=${1:?say: deploy/kubernetes/secrets.sh <namespace>}
[ -x .venv/bin/python ] || { echo 'no environment yet: make environment' >&2; exit 1; }
source deploy/key_pair
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
of() { kubectl --namespace "$namespace" "$@"; }
# Nothing for a secret that is not there; an error for a cluster that does not answer or may not be asked.
fetch() {  # <secret> <its key> <file>
  of get secret "$1" --ignore-not-found --output="go-template={{index .data \"$2\"}}" | base64 --decode > "$3"
}
create() { of create secret generic "$1" --from-file="$2=$3"; }  # fails where somebody else was faster

[ -n "$(kubectl get namespace "$namespace" --ignore-not-found --output=name)" ] || kubectl create namespace "$namespace"

fetch scorer-log-key key "$scratch/log"
if [ ! -s "$scratch/log" ]; then
  head -c 32 /dev/urandom | base64 | tr -d '\n' > "$scratch/log"
  create scorer-log-key key "$scratch/log"
fi

keys=$scratch/keys.yaml key=$scratch/metrics
fetch scorer-keys keys.yaml "$keys"
fetch scorer-metrics-key key "$key"
# The key first: its digest can be made of it, and not the other way round.
if [ ! -s "$keys" ]; then
  has_key=$([ ! -s "$key" ] || echo yes)
  key_pair "$keys" "$key"
  [ -n "$has_key" ] || create scorer-metrics-key key "$key"
  create scorer-keys keys.yaml "$keys"
elif [ ! -s "$key" ]; then
  # The callers' keys stay; one is added. Only if nobody changes them meanwhile.
  version=$(of get secret scorer-keys --output='jsonpath={.metadata.resourceVersion}')
  fetch scorer-keys keys.yaml "$keys"
  key_pair "$keys" "$key"
  printf '{"metadata": {"resourceVersion": "%s"}, "data": {"keys.yaml": "%s"}}' "$version" "$(base64 < "$keys" | tr -d '\n')" > "$scratch/patch.json"
  of patch secret scorer-keys --type=merge --patch-file="$scratch/patch.json"
  create scorer-metrics-key key "$key"
fi
