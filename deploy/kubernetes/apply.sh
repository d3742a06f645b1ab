#!/usr/bin/env bash
# Bring an image to a cluster: `apply.sh <overlay> <image>`, as `make apply OVERLAY=staging IMAGE=…` calls it.
#
# Renders the overlay with the image, looks whether the secrets are there, applies, and waits until every pod is new and
# ready. With DRY_RUN=1 it prints the manifests and touches nothing. To go back: apply the image before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
overlay=${1:-} image=${2:-}
overlays=$(cd overlays && echo *)
fail() { echo "$1" >&2; exit 1; }
[ -n "$overlay" ] && [ -d "overlays/$overlay" ] || fail "no overlay '$overlay'; say OVERLAY= one of: $overlays"
[ -n "$image" ] || fail 'say which image: IMAGE=<registry>/credit-scorer:<version>, as make image-push prints it'
[[ $image =~ ^[a-z0-9][a-zA-Z0-9._/:@-]*[:@][a-zA-Z0-9._:-]+$ ]] || fail "IMAGE=$image has no tag and no digest, or signs that none has"
command -v kubectl > /dev/null || fail 'no kubectl here; install it, 1.27 or newer'

manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT
kubectl kustomize "overlays/$overlay" | sed "s|image: credit-scorer:set-by-make-apply|image: $image|" > "$manifests"
if [ "${DRY_RUN:-}" = 1 ]; then
  cat "$manifests"
  exit
fi

namespace=$(sed -n 's/^namespace: //p' "overlays/$overlay/kustomization.yaml")
kubectl get --raw /readyz > /dev/null 2>&1 ||
  fail 'no cluster answers; choose one: kubectl config use-context <name>'
for secret in scorer-keys scorer-log-key scorer-metrics-key; do
  kubectl --namespace "$namespace" get secret "$secret" > /dev/null 2>&1 ||
    fail "the namespace $namespace has no secret $secret; make it: deploy/kubernetes/secrets.sh $namespace"
done
kubectl apply --server-side --field-manager=make-apply --filename "$manifests"
if [ "$overlay" = canary ]; then
  echo 'the canary goes on by itself; to watch it: kubectl argo rollouts get rollout scorer --watch' >&2
else
  kubectl --namespace "$namespace" rollout status deployment/scorer --timeout=10m ||
    fail "not every pod is ready; the former ones still serve. To go back: kubectl --namespace $namespace rollout undo deployment/scorer"
fi
