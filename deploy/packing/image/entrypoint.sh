#!/bin/sh
# Starts the service of the image, or the command that is given. The records of what was decided need a place that
# outlives the container: without a volume there, nothing starts.
set -eu

if ! grep -q ' /scorer/var ' /proc/self/mountinfo; then
  echo "error: there is no volume at /scorer/var, where decisions are recorded; run the image with one:" >&2
  echo "  docker run --read-only --volume credit-scorer:/scorer/var ..." >&2
  exit 1
fi
if ! mkdir -p /scorer/var/tmp 2> /dev/null || ! [ -w /scorer/var ]; then
  echo "error: the volume at /scorer/var cannot be written by user $(id -u), or is full; give it to that user:" >&2
  echo "  chown -R $(id -u):$(id -g) FOLDER, or in Kubernetes securityContext.fsGroup: $(id -g)" >&2
  exit 1
fi
if [ $# -gt 0 ]; then
  exec "$@"
fi
exec bentoml serve /scorer/bento
