"""The running service, as the simulation asks it.

Owns: its addresses, the key, patience with a busy service, messages for people. Leaves to others: what is sent.
"""

import time
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import msgspec

from monitoring.records.outcomes import Outcome

TIMEOUT_S = 60.0
TRIES, LONGEST_WAIT_S = 5, 30.0  # of a request that is refused for now, with 429 or 503
CHUNK = 100  # applicants per request; the default limit of the service is 1,000
OUTCOMES = 10_000  # per request, the limit of the service
KEY_VARIABLE = "SCORER_SIMULATION_KEY"


class ServiceError(RuntimeError):
    """The service cannot be asked, or refuses; the message names what to do."""


class Answer(msgspec.Struct, frozen=True):
    """One answer of `POST /predict`."""

    application_id: str
    probability: float
    decision: str
    model: str


class _Model(msgspec.Struct, frozen=True):
    name: str
    version: str


class Service:
    """A running service.

    Args:
        url: such as `http://127.0.0.1:3000`.
        key: an API key with the permissions `predict`, `read` and `feedback`; empty where none is needed.
    """

    def __init__(self, url: str, key: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise ServiceError(f"--url {url}: is no address; give one such as http://127.0.0.1:3000")
        self.url = url.rstrip("/")
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})

    def model(self) -> str:
        """Name and version of the model that it serves."""
        model = msgspec.json.decode(self._ask("/model"), type=_Model)
        return f"{model.name}:{model.version}"

    def predict(self, applicants: Sequence[dict[str, Any]]) -> list[Answer]:
        """Score applicants, in requests of a hundred."""
        answers: list[Answer] = []
        for begin in range(0, len(applicants), CHUNK):
            body = msgspec.json.encode({"applicants": applicants[begin : begin + CHUNK]})
            answers += msgspec.json.decode(self._ask("/predict", body), type=list[Answer])
        return answers

    def feed_back(self, outcomes: Sequence[Outcome]) -> None:
        """Report outcomes, in requests of ten thousand."""
        for begin in range(0, len(outcomes), OUTCOMES):
            self._ask("/feedback", msgspec.json.encode({"outcomes": outcomes[begin : begin + OUTCOMES]}))

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        """The body of the response to a GET, or to a POST of `body`."""
        for left in reversed(range(TRIES)):
            try:
                with urlopen(Request(self.url + path, body, self._headers), timeout=TIMEOUT_S) as response:  # noqa: S310
                    return bytes(response.read())
            except HTTPError as error:
                said = error.read().decode(errors="replace")
                if error.code not in (429, 503) or not left:
                    raise ServiceError(self._refusal(path, error.code, said)) from None
                time.sleep(min(float(error.headers.get("retry-after") or 1), LONGEST_WAIT_S))
            except (URLError, HTTPException, OSError) as error:
                reason = getattr(error, "reason", "") or error
                raise ServiceError(f"{self.url} does not answer ({reason}); start it, or give another --url") from None
        raise AssertionError("unreachable")  # the last try returns or raises

    def _refusal(self, path: str, status: int, said: str) -> str:
        refused = f"{self.url}{path} answers {status}"
        if status in (401, 403):
            return f"{refused}; give a key with the permissions predict, read and feedback in {KEY_VARIABLE}"
        try:
            message = msgspec.json.decode(said)["error"]["message"]
        except (msgspec.DecodeError, KeyError, TypeError):
            message = said[:200]
        return f"{refused}: {message}"
