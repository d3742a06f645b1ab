"""The gate before the front door: who comes in over HTTP, and with how many headers.

Owns: where HTTP carries a key, which route needs which permission, that without keys only this machine may call, and
the id of the request. Leaves to others: whether a key is good (`serving.access`), bodies (`serving.http.predict`).
Costs an admitted request some 2 us with keys and 1 us without.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from configs.api_keys import Permission
from models.errors import Rejected
from serving.access import AccessDenied, Authenticator
from serving.http.body import fields_of
from serving.metrics import metrics
from serving.request_ids import HEADER, begin, unasked

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"})  # tell nothing but health
POSTS: Mapping[str, Permission] = {"/predict": "predict", "/explain": "predict", "/feedback": "feedback"}
MOST_HEADERS = 100  # Apache's limit; browsers behind proxies bring some 30
LOCAL_ONLY = (
    "without keys only this machine may call; make a key with python -m serving.access new and set keys_file, or let "
    "everybody in with open_to_network: true (SCORER_OPEN_TO_NETWORK=true)"
)


class AccessMiddleware:
    """Refuses who may not come in.

    Args:
        app: what is behind the gate.
        authenticator: decides on keys.
        open_to_network: whether other machines may call without a key.
    """

    def __init__(self, app: App, authenticator: Authenticator, open_to_network: bool) -> None:
        self._app = app
        self._gatekeeper = authenticator
        self._asks = authenticator.requires_keys
        self._local_only = not self._asks and not open_to_network
        self._metrics = metrics()  # the stack of middleware is built in the worker

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request."""
        if scope["type"] == "http":
            fields = fields_of(scope)
            if (brought := begin(scope, fields.get(HEADER))) is not None:
                send = _echoing(send, brought)
            try:
                self._admit(scope, fields)
            except Rejected as refusal:
                return self._refuse(send, refusal)
        return self._app(scope, receive, send)

    def _admit(self, scope: Scope, fields: Mapping[bytes, bytes]) -> None:
        """Return if the request may come in; raises `Rejected`: 401, 403, 429 or 431."""
        if len(scope["headers"]) > MOST_HEADERS:
            raise Rejected(431, f"more than {MOST_HEADERS} headers", "too_large")
        path = scope["path"]
        if self._asks:
            if path not in OPEN:
                self._gatekeeper.admit(_presented(fields), needed(scope["method"], path))
        elif self._local_only and path not in OPEN:
            _admit_neighbour(scope)

    async def _refuse(self, send: Send, refusal: Rejected) -> None:
        self._metrics.rejected.labels(refusal.code).inc()
        body = refusal.body()
        lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *unasked()]
        lines += refusal.headers if isinstance(refusal, AccessDenied) else ()
        await send({"type": "http.response.start", "status": refusal.status, "headers": lines})
        await send({"type": "http.response.body", "body": body})


def needed(method: str, path: str) -> Permission:
    """The permission that a route needs. What is not known here needs `admin`, unless it only reads.

    >>> needed("POST", "/predict"), needed("POST", "/v2/models/m/versions/1/infer"), needed("GET", "/metrics")
    ('predict', 'predict', 'read')
    >>> needed("DELETE", "/somewhere")
    'admin'
    """
    if method == "POST":
        if permission := POSTS.get(path):
            return permission
        if path.startswith("/v2/") and path.endswith("/infer"):
            return "predict"
    return "read" if method in ("GET", "HEAD", "OPTIONS") else "admin"


def _presented(fields: Mapping[bytes, bytes]) -> str | None:
    """The key that a request brings."""
    scheme, _, credentials = fields.get(b"authorization", b"").partition(b" ")
    key = credentials.strip() if scheme.lower() == b"bearer" else fields.get(b"x-api-key")
    return key.decode("latin-1") if key else None


def _admit_neighbour(scope: Scope) -> None:
    """Return if the request comes from this machine.

    Both ends are looked at: a proxy that is trusted too widely (FORWARDED_ALLOW_IPS) lets a caller choose what it is
    taken for, but not by which of our addresses it has come.
    """
    for end in ("client", "server"):
        address = scope.get(end)
        if not address or not is_loopback(address[0]):
            raise AccessDenied(HTTPStatus.FORBIDDEN, LOCAL_ONLY)


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.2", "localhost")]
    [True, True, True, False, False]
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _echoing(send: Send, brought: bytes) -> Send:
    async def echo(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (HEADER, brought)]
        await send(message)

    return echo
