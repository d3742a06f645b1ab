"""Access over HTTP: an ASGI middleware in front of everything that answers.

Owns: where HTTP carries a key, which route needs which permission, that without keys only this machine may call, the
limit on the number of headers, and the id of the request. Leaves to others: whether a key is valid
(`serving.access.authenticator`), pages of other sites (`serving.access.origins`), bodies (`serving.http`). Costs an
admitted request some 2 us with keys and 1 us without.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache, partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from configs.api_keys import Permission
from models.errors import Rejected
from serving.access.authenticator import Authenticator
from serving.access.denials import AccessDenied, WrongKey
from serving.access.origins import OriginRules
from serving.calls import ANYONE, NEIGHBOUR, remember_caller
from serving.error_responses import error_response
from serving.http.body import headers_of
from serving.http.sign_in import refusal_response
from serving.request_ids import HEADER, begin

# They answer with health alone.
PUBLIC_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"})
POST_PERMISSIONS: Mapping[str, Permission] = {
    "/predict": "predict",
    "/explain": "predict",
    "/feedback": "feedback",
    "/v2/repository/index": "read",
}
GET_PERMISSIONS: Mapping[str, Permission] = {"/console": "predict"}
# A proxy adds at least one of these. Whatever their values are, the request is then not of a neighbour.
PROXY_HEADERS = frozenset(
    {
        b"forwarded",
        b"via",
        *(b"x-forwarded-" + name for name in (b"by", b"for", b"host", b"port", b"prefix", b"proto", b"scheme")),
        *(b"x-forwarded-" + name for name in (b"server", b"ssl")),
        *(b"x-original-forwarded-for", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip"),
        *(b"cf-connecting-ip", b"true-client-ip", b"fastly-client-ip", b"x-envoy-external-address"),
    }
)
MAX_HELD = 256  # answers to wrong keys that wait at once
MAX_HEADERS = 100  # Apache's limit; browsers behind proxies send some 30
LOCAL_ONLY = (
    "without keys only this machine may call; make a key with python -m serving.access new and set keys_file, or let "
    "everybody in with open_to_network: true (SCORER_OPEN_TO_NETWORK=true)"
)


class AccessPolicy:
    """Decides who may call over HTTP.

    Args:
        authenticator: decides on keys.
        open_to_network: whether other machines may call without a key.
        allowed_hosts: what `Host` may name without keys, beside loopback; anything if there are none and other
            machines may call.
        allowed_origins: whose pages may call without keys, beside the service's own.

    Attributes:
        requires_keys: whether callers need a key. If not, the head of a request and the two ends of its connection
            decide, so requests that have these in common are admitted alike.
        origins: the rules on pages of other sites.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        open_to_network: bool,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self._authenticator = authenticator
        self.requires_keys = authenticator.requires_keys
        self._local_only = not self.requires_keys and not open_to_network
        self.origins = OriginRules(open_to_network and not allowed_hosts, allowed_hosts, allowed_origins)

    def authorize(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Return if the request is admitted, and remember who sent it; raises `Rejected`: 401, 403, 429 or 431."""
        if len(scope["headers"]) > MAX_HEADERS:
            raise Rejected(431, f"more than {MAX_HEADERS} headers")
        path = scope["path"]
        if path in PUBLIC_PATHS:
            return
        caller = ANYONE
        if self.requires_keys:
            permission = required_permission(scope["method"], path)
            caller = self._authenticator.authorize(_presented_key(headers), permission)
        else:
            if self._local_only:
                _require_loopback(scope)
                if not PROXY_HEADERS.isdisjoint(headers):
                    raise AccessDenied(403, f"a proxy passed this on: {LOCAL_ONLY}")
                caller = NEIGHBOUR
            self.origins.check(scope, headers)
        remember_caller(scope, caller)

    def hold_s(self, scope: Scope, wrong: WrongKey) -> float:
        """Count a wrong key; the seconds to wait before its answer."""
        client = scope.get("client")
        return self._authenticator.wrong_keys.hold_s(client[0] if client else "", wrong.reason)


class AccessMiddleware:
    """Refuses callers that may not call.

    Args:
        app: handles admitted requests.
        policy: decides.
    """

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy
        self._held = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if scope["type"] == "http":
            headers = headers_of(scope)
            if (request_id := begin(scope, headers.get(HEADER))) is not None:
                send = _echoing(send, request_id)
            try:
                self._policy.authorize(scope, headers)
            except WrongKey as wrong:
                answer = partial(error_response(scope, wrong), scope, receive, send)
                return self._hold_back(self._policy.hold_s(scope, wrong), answer)
            except Rejected as refusal:
                return refusal_response(scope, headers, refusal)(scope, receive, send)
        return self._app(scope, receive, send)

    async def _hold_back(self, seconds: float, answer: Callable[[], Awaitable[None]]) -> None:
        """Answer after so many seconds, or at once when many answers are held: each keeps a connection from others."""
        if seconds and self._held < MAX_HELD:
            self._held += 1
            try:
                await asyncio.sleep(seconds)
            finally:
                self._held -= 1
        await answer()


def required_permission(method: str, path: str) -> Permission:
    """The permission that a route needs: `admin` where it is not known here and does more than read.

    >>> required_permission("POST", "/predict"), required_permission("POST", "/v2/models/m/versions/1/infer")
    ('predict', 'predict')
    >>> required_permission("GET", "/metrics"), required_permission("POST", "/v2/repository/index")
    ('read', 'read')
    >>> required_permission("GET", "/console"), required_permission("DELETE", "/somewhere")
    ('predict', 'admin')
    """
    if method == "POST":
        if permission := POST_PERMISSIONS.get(path):
            return permission
        if path.startswith("/v2/") and path.endswith("/infer"):
            return "predict"
    if method not in ("GET", "HEAD", "OPTIONS"):
        return "admin"
    return GET_PERMISSIONS.get(path, "read")


def _presented_key(headers: Mapping[bytes, bytes]) -> str | None:
    """The key that a request carries."""
    scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
    key = credentials.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key")
    return key.decode("latin-1") if key else None


def _require_loopback(scope: Scope) -> None:
    """Return if the request comes from this machine; raises `AccessDenied`.

    Both ends of the connection count: a proxy that is trusted too widely (FORWARDED_ALLOW_IPS) lets a caller choose
    the address that it appears to come from, but not the address of ours that it reached.
    """
    for end in ("client", "server"):
        address = scope.get(end)
        if not address or not is_loopback(address[0]):
            raise AccessDenied(403, LOCAL_ONLY)


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


def _echoing(send: Send, request_id: bytes) -> Send:
    """A `send` that adds the caller's request id to the response."""

    async def echo(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
        await send(message)

    return echo
