"""The health gate: a new instance is ready, warm and scores its own example before it gets traffic.

Owns: what a fit instance answers. Leaves to others: starting it (instances) and how good its decisions are (judge).

The predictions of the gate are decisions like any other, so they are in the records of the instance, with ids that
begin with `warm-up-`. With API keys the gate needs one that may predict and read: `SCORER_ROLLOUT_KEY`.
"""

import json
import os
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any

from configs.rollout import RolloutConfig
from deploy.rollout.errors import InstanceError

KEY_VARIABLE = "SCORER_ROLLOUT_KEY"
ANSWER_S = 10.0
POLL_S = 0.1


def ask(port: int, path: str, body: Any = None, timeout_s: float = ANSWER_S) -> tuple[int, bytes]:
    """Ask an instance on loopback; return status and body. Raises OSError or HTTPException without an answer."""
    headers = {"content-type": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["authorization"] = f"Bearer {key}"
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_until_ready(port: int, config: RolloutConfig, is_running: Callable[[], bool]) -> None:
    """Wait for 200 on `/readyz`, as long as the instance runs."""
    deadline = time.monotonic() + config.ready_s
    while True:
        try:
            status, _ = ask(port, "/readyz")
        except (OSError, HTTPException):
            status = 0
        if status == 200:
            return
        if not is_running():
            raise InstanceError("it ended while it started")
        if time.monotonic() >= deadline:
            raise InstanceError(f"it is not ready after {config.ready_s:g} s (ready_s)")
        time.sleep(POLL_S)


def warm_up(name: str, port: int, requests: int) -> str:
    """Let it score its example so many times; return the model that it names."""
    try:
        model = _decoded(*ask(port, "/model"), "GET /model")
        example = model.get("example") if isinstance(model, dict) else None
        if not isinstance(example, dict):
            raise InstanceError("GET /model names no example to score")
        scores = set()
        for number in range(requests):
            applicant = {**example, "application_id": f"warm-up-{name}-{number}"}
            answer = _decoded(*ask(port, "/predict", {"applicants": [applicant]}), "POST /predict")
            scores.add(_score(answer, applicant["application_id"]))
        if len(scores) != 1:
            raise InstanceError(f"it scored the same applicant in {len(scores)} ways: {sorted(scores)[:2]}")
    except (OSError, HTTPException) as error:
        raise InstanceError(f"it does not answer the health gate ({type(error).__name__}: {error})") from None
    return next(iter(scores))[2]


def _decoded(status: int, body: bytes, what: str) -> Any:
    if status in (401, 403):
        raise InstanceError(f"{what} returns {status}; set {KEY_VARIABLE} to a key with the permissions predict, read")
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if status != 200 or value is None:
        raise InstanceError(f"{what} returns {status}: {body[:300].decode(errors='replace')}")
    return value


def _score(answer: Any, application_id: str) -> tuple[float, str, str]:
    """The one prediction in an answer.

    >>> _score([{"application_id": "a", "probability": 0.5, "decision": "decline", "model": "m:1"}], "a")
    (0.5, 'decline', 'm:1')
    """
    try:
        (prediction,) = answer
        probability, decision, model = prediction["probability"], prediction["decision"], prediction["model"]
        well_formed = (
            isinstance(probability, int | float)
            and 0 <= probability <= 1
            and isinstance(decision, str)
            and isinstance(model, str)
            and prediction["application_id"] == application_id
        )
    except (TypeError, ValueError, KeyError):
        well_formed = False
    if not well_formed:
        raise InstanceError(f"POST /predict returns no prediction: {json.dumps(answer)[:300]}")
    return probability, decision, model
