#!/usr/bin/env bash
# Make what deploy/compose/compose.yaml reads from secrets/, where it is missing; nothing that is there is changed.
# Readable by this user and by the containers, which run as other users: the folder itself is closed to everybody else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=../../.venv/bin/python
[ -x "$python" ] || { echo 'no environment yet; run in the root of the checkout: make environment' >&2; exit 1; }
mkdir -p secrets
chmod 700 secrets

random() { "$python" -c 'import secrets; print(secrets.token_urlsafe(32), end="")'; }
made() { chmod 644 "secrets/$1"; echo "made secrets/$1"; }

for name in grafana_password postgres_password; do
  [ -e "secrets/$name" ] || { random > "secrets/$name"; made "$name"; }
done

if [ ! -e secrets/scorer_keys.yaml ]; then
  # The key is printed once and only its digest is kept; Prometheus needs the key itself.
  (cd ../.. && SCORER_KEYS_FILE=deploy/compose/secrets/scorer_keys.yaml \
    .venv/bin/python -m serving.access new --name prometheus --permissions read --days 365) | head -n 1 | tr -d '\n' > secrets/metrics_key
  made metrics_key
  made scorer_keys.yaml
fi

if [ ! -e secrets/scorer.env ]; then
  printf 'SCORER_LOG_KEY=%s\n' "$(head -c 32 /dev/urandom | base64)" > secrets/scorer.env
  chmod 600 secrets/scorer.env  # read by `docker compose`, not by a container
  echo 'made secrets/scorer.env: keep a copy elsewhere, without it the records cannot be read'
fi

if [ ! -e secrets/s3_identities.json ]; then
  id=mlflow key=$(random)
  printf '{"identities": [{"name": "mlflow", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin:mlflow"]}]}\n' \
    "$id" "$key" > secrets/s3_identities.json
  printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$id" "$key" > secrets/s3_credentials
  made s3_identities.json
  made s3_credentials
fi

if [ ! -e secrets/alert_webhook ]; then
  printf 'http://127.0.0.1:9/nobody-is-told-yet' > secrets/alert_webhook
  made alert_webhook
  echo 'secrets/alert_webhook: put the address there that is told of alerts'
fi
