"""The service under test, as its own routes describe it: ready or not, its model, its metrics.

Owns reading `/readyz`, `/model` and `/metrics`, and the message when there is nothing to test. Leaves what the metrics
mean to `loadtests.totals`, and the load itself to `loadtests.locustfile`.
"""

import http.client
import re
import socket
import urllib.error
import urllib.request
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from loadtests.problems import LoadTestError

ANSWER_S = 10  # seconds in which a route that only reads must answer
START_IT = "start it: make serve"
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]  # by name and sorted labels


class Feature(Struct, frozen=True, kw_only=True):
    """One field of an applicant, as `GET /model` shows it."""

    name: str
    type: Literal["categorical", "integer", "number"]
    categories: tuple[str, ...] = ()
    minimum: float = 0
    maximum: float = 0
    protected: bool
    nullable: bool
    required: bool = False  # of a protected one that the costs are taken from


class DatasetName(Struct, frozen=True):
    """The dataset of a model."""

    name: str


class Model(Struct, frozen=True, kw_only=True):
    """The served model, as `GET /model` shows it."""

    name: str
    version: str
    dataset: DatasetName
    features: tuple[Feature, ...]


class Target:
    """One service.

    Args:
        url: such as `http://127.0.0.1:3000`.
        key: an API key, or empty.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        # A proxy of the environment (http_proxy) does not reach this machine's loopback, and locust asks none.
        self._open = urllib.request.build_opener(*[urllib.request.ProxyHandler({})] * self.is_here).open

    @property
    def host(self) -> str:
        """Its name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, so that a calibration of this machine says something about it."""
        return self.host in ("127.0.0.1", "localhost", "::1")

    def require_ready(self) -> None:
        """Raise `LoadTestError` unless it can score now."""
        self._get("/readyz")

    def model(self) -> Model:
        """The served model."""
        answer = self._get("/model")
        try:
            return msgspec.json.decode(answer, type=Model)
        except msgspec.DecodeError as error:
            raise LoadTestError(f"{self.url}/model is not that of credit-scorer ({error}); check TARGET") from None

    def samples(self) -> Samples:
        """Its metrics, now."""
        return parse_samples(self._get("/metrics").decode())

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers=self._headers)  # noqa: S310 - options admit http and https only
        try:
            with self._open(request, timeout=ANSWER_S) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise LoadTestError(self._refusal(path, error.code)) from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # the last: what answers speaks no HTTP
            reason = getattr(error, "reason", "") or type(error).__name__
            raise LoadTestError(f"no service answers at {self.url} ({reason}); {START_IT}, or check TARGET") from None

    def _refusal(self, path: str, status: int) -> str:
        asked = f"{self.url}{path} returns {status}"
        if status in (401, 403):
            if self._headers:
                return f"{asked}: the key is not valid, or lacks a permission; it needs predict and read"
            return f"{asked}; give a key with the permissions predict and read: SCORER_LOAD_KEY=… or KEY_FILE=path"
        if status == 503:
            return f"{asked}: the service is not ready; its log says why"
        return f"{asked}; check that TARGET is a credit-scorer"


def require_listener(address: str) -> None:
    """Raise `LoadTestError` unless something listens for gRPC at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, ValueError) as error:
        remedy = "give GRPC_TARGET=host:port, or an SLO file without the class grpc"
        raise LoadTestError(f"nothing listens for gRPC at {address} ({error}); {remedy}") from None


def parse_samples(text: str) -> Samples:
    r"""The samples of a page in the Prometheus text format.

    >>> parse_samples('# TYPE a counter\na{x="1",b="2"} 3.0\nc 4\n')
    {('a', (('b', '2'), ('x', '1'))): 3.0, ('c', ()): 4.0}
    """
    found = (SAMPLE.match(line) for line in text.splitlines())
    return {(one[1], tuple(sorted(LABEL.findall(one[2] or "")))): float(one[3]) for one in found if one}
