#!/usr/bin/env bash
# Make what deploy/compose/compose.yaml reads from secrets/, where it is missing; nothing that is there is changed.
# Readable by this user and by the containers, which run as other users: the folder itself is closed to everybody else.
#
# A file appears whole or not at all, so this can be interrupted, and run again: what belongs together is made of what is
# there. An empty file is none: that is what an interrupted redirection leaves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd)
python=$root/.venv/bin/python
[ -x "$python" ] || { echo 'no environment yet; run in the root of the checkout: make environment' >&2; exit 1; }
source "$root/deploy/key_pair"
umask 077
mkdir -p secrets
chmod 700 secrets
secrets=$PWD/secrets
if command -v flock > /dev/null; then
  exec 9< "$secrets"
  flock 9  # two at once would make two keys
fi
# On the same file system, so that a file is put in its place by one call.
scratch=$(mktemp -d "$secrets/.new.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

there() { [ -s "$secrets/$1" ]; }
random() { "$python" -c 'import secrets; print(secrets.token_urlsafe(32), end="")'; }
put() {  # <name> [<mode>]: $scratch/<name> becomes secrets/<name>
  chmod "${2:-644}" "$scratch/$1"
  there "$1" || rm -f "$secrets/$1"
  ln "$scratch/$1" "$secrets/$1"
  echo "made secrets/$1"
}

for name in grafana_password postgres_password; do
  there "$name" || { random > "$scratch/$name"; put "$name"; }
done

if ! there scorer_keys.yaml; then
  # The key first: its digest can be made of it, and not the other way round.
  ! there metrics_key || cp "$secrets/metrics_key" "$scratch/metrics_key"
  (cd "$root" && key_pair "$scratch/scorer_keys.yaml" "$scratch/metrics_key")
  there metrics_key || put metrics_key
  put scorer_keys.yaml
elif ! there metrics_key; then
  # In place, as containers have it mounted.
  (cd "$root" && key_pair "$secrets/scorer_keys.yaml" "$scratch/metrics_key")
  put metrics_key
  echo 'secrets/metrics_key was missing: its key was added to secrets/scorer_keys.yaml'
fi

if ! there scorer.env; then
  printf 'SCORER_LOG_KEY=%s\n' "$(head -c 32 /dev/urandom | base64)" > "$scratch/scorer.env"
  put scorer.env 600  # read by `docker compose`, not by a container
  echo 'secrets/scorer.env: keep a copy elsewhere, without it the records cannot be read'
fi

if ! there s3_identities.json || ! there s3_credentials; then
  id=mlflow key=
  if there s3_credentials; then
    key=$(sed -n 's/^aws_secret_access_key = //p' "$secrets/s3_credentials")
  elif there s3_identities.json; then
    key=$("$python" -c 'import json, sys; print(json.load(sys.stdin)["identities"][0]["credentials"][0]["secretKey"])' < "$secrets/s3_identities.json")
  fi
  [ -n "$key" ] || key=$(random)
  printf '{"identities": [{"name": "mlflow", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin:mlflow"]}]}\n' \
    "$id" "$key" > "$scratch/s3_identities.json"
  printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$id" "$key" > "$scratch/s3_credentials"
  for name in s3_identities.json s3_credentials; do there "$name" || put "$name"; done
fi

if ! there alert_webhook; then
  printf 'http://127.0.0.1:9/nobody-is-told-yet' > "$scratch/alert_webhook"
  put alert_webhook
  echo 'secrets/alert_webhook: put the address there that is told of alerts'
fi
