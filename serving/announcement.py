"""The end of a start: where the page is, and a request to try; printed once, when every worker is ready.

Owns: the text, and how the workers agree on which of them prints it. Leaves to others: being ready (`service.py`).
Two variables that BentoML sets for its workers are read here: the addresses of its services, and the folder for the
metrics of all workers, which it empties at each start.
"""

import asyncio
import json
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import bentoml

from configs.service import ServiceConfig
from models.artifact import Artifact

logger = logging.getLogger("bentoml.scorer")

ADDRESSES, SHARED_FOLDER = "BENTOML_RUNNER_MAP", "PROMETHEUS_MULTIPROC_DIR"
SERVICE = "credit_scorer"


def announcement(tag: str, url: str, example: dict[str, Any], needs_key: bool, encoding: str | None = "utf-8") -> str:
    r"""The lines, the request on one of them, so that it can be copied into a shell.

    Where `encoding`, that of standard output, is none of Unicode, the request spells other letters as JSON can.

    >>> text = announcement("loans:1f", "http://127.0.0.1:3000", {"job": "skilled"}, needs_key=True)
    >>> for line in text.splitlines():
    ...     print(line.partition(" -H ")[0])
    credit-scorer  loans:1f is ready
      page     http://127.0.0.1:3000
      key      needed; put one into SCORER_KEY, or make one: python -m serving.access new
      try      curl -s http://127.0.0.1:3000/predict
    >>> shlex.split(text)[-1]
    '{"applicants": [{"job": "skilled"}]}'
    >>> announcement("loans:1f", "http://127.0.0.1:3000", {"job": "l\u00e9ger"}, False, "ascii").split("-d ")[1]
    '\'{"applicants": [{"job": "l\\u00e9ger"}]}\''
    """
    unicode = (encoding or "").lower().startswith("utf")
    body = shlex.quote(json.dumps({"applicants": [example]}, ensure_ascii=not unicode))
    key = '-H "x-api-key: $SCORER_KEY" ' if needs_key else ""
    lines = [
        f"credit-scorer  {tag} is ready",
        f"  page     {url}",
        f"  try      curl -s {url}/predict {key}-H 'content-type: application/json' -d {body}",
    ]
    if needs_key:
        lines.insert(2, "  key      needed; put one into SCORER_KEY, or make one: python -m serving.access new")
    return "\n".join(lines)


def with_brackets(url: str) -> str:
    """Add the brackets around an IPv6 address, which BentoML leaves off.

    >>> with_brackets("http://::1:3000"), with_brackets("https://127.0.0.1:3000")
    ('http://[::1]:3000', 'https://127.0.0.1:3000')
    """
    scheme, _, place = url.partition("://")
    host, _, port = place.rpartition(":")
    return f"{scheme}://[{host}]:{port}" if ":" in host else url


def announce(model: Artifact, settings: ServiceConfig, needs_key: bool) -> None:
    """Log that this worker serves; the last to be ready prints the announcement, and a restarted worker does not."""
    logger.info("serving %s", model.tag)
    folder, url = os.environ.get(SHARED_FOLDER), json.loads(os.environ.get(ADDRESSES, "{}")).get(SERVICE)
    if settings.log_format == "json" or not (folder and url):
        return
    (Path(folder) / f"ready-{bentoml.server_context.worker_index}").touch()
    if len(list(Path(folder).glob("ready-*"))) < settings.workers:
        return
    try:
        (Path(folder) / "announced").touch(exist_ok=False)
    except FileExistsError:
        return
    lines = announcement(model.tag, with_brackets(url), model.manifest.example, needs_key, sys.stdout.encoding)
    # In the next turn of the loop, after the line by which BentoML ends the start.
    asyncio.get_running_loop().call_soon(_print, f"\n{lines}\n\n")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
