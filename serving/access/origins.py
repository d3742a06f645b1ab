"""The browser next door: a page of another site must not call this service by way of its visitor's browser.

Owns which `Host` and which `Origin` a request may name where callers need no key. A browser asks 127.0.0.1 for any page
that it shows, and by DNS rebinding under a name of the page's choice; it always says so in these headers, which a page
cannot change. Programs such as curl send no `Origin`, and may leave `Host` out with HTTP/1.0: they are not browsers.
Leaves to others: keys, with which none of this is needed, as no browser adds a key by itself
(`serving.access.middleware`), and the headers of CORS (`serving.http.bentoml_stack`).
"""

from collections.abc import Iterable, Mapping

from starlette.types import Scope

from serving.access.denials import AccessDenied

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
MAX_KNOWN_HOSTS = 64  # values of `Host` that are remembered as checked; there is one per name and port
MAX_SHOWN = 80  # characters of a value in a message
PAGES_ALLOWED = "name it in allowed_origins (SCORER_ALLOWED_ORIGINS), or have callers bring keys (keys_file)"


class OriginRules:
    """Which hosts and origins a request without a key may name.

    Args:
        any_host: whether `Host` may be anything; `allowed_hosts` is then ignored.
        allowed_hosts: names or addresses without a port, beside those of loopback.
        allowed_origins: such as `https://console.example`, beside the service's own.
    """

    def __init__(self, any_host: bool, allowed_hosts: Iterable[str] = (), allowed_origins: Iterable[str] = ()) -> None:
        self._any_host = any_host
        self._hosts = LOOPBACK_HOSTS.union(name.lower() for name in allowed_hosts)
        self._origins = {origin.lower().encode() for origin in allowed_origins}
        self._known_hosts: set[bytes] = set()

    def allow_origins(self, origins: Iterable[str]) -> None:
        """Let pages of these origins call too."""
        self._origins.update(origin.lower().encode() for origin in origins)

    def check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Return if the request may come from where it says; raises `AccessDenied`."""
        host = headers.get(b"host")
        if not self._any_host:
            if host not in self._known_hosts and host is not None:
                self._check_host(host)
            if len(headers) != len(scope["headers"]):  # some header is there twice
                for name, value in scope["headers"]:
                    if name == b"host":
                        self._check_host(value)
        if b"sec-fetch-site" in headers or b"origin" in headers:
            self._check_page(host, headers.get(b"origin"), headers.get(b"sec-fetch-site"))

    def _check_host(self, host: bytes) -> None:
        if without_port(host.decode("latin-1").lower()) not in self._hosts:
            raise AccessDenied(
                403,
                f"the host {_shown(host)} is not this machine's: without keys only localhost, 127.0.0.1 and [::1] are "
                "answered, and what allowed_hosts names (SCORER_ALLOWED_HOSTS)",
            )
        if len(self._known_hosts) < MAX_KNOWN_HOSTS:
            self._known_hosts.add(host)

    def _check_page(self, host: bytes | None, origin: bytes | None, site: bytes | None) -> None:
        named = None if origin is None else origin.lower()
        if named in self._origins:
            return
        # A page that hides its origin says null, and for a page of ours the browser adds that it is the same.
        own = named is None or (named == b"null" and site == b"same-origin") or is_origin_of(named, host)
        if own and site != b"cross-site":
            return
        message = "a page of another site called" if origin is None else f"a page of {_shown(origin)} called"
        raise AccessDenied(403, f"{message}, and without keys only the service's own may; {PAGES_ALLOWED}")


def without_port(host: str) -> str:
    """The name or address of a `Host` header.

    >>> without_port("localhost:3000"), without_port("[::1]:3000"), without_port("[::1]"), without_port("a:b:1")
    ('localhost', '[::1]', '[::1]', 'a:b:1')
    """
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() and name and (":" not in name or name.endswith("]")) else host


def is_origin_of(origin: bytes, host: bytes | None) -> bool:
    """Whether an origin is that of the host that was asked; the scheme may differ where a proxy ends TLS.

    >>> is_origin_of(b"http://localhost:3000", b"localhost:3000"), is_origin_of(b"http://localhost:8000", b"localhost")
    (True, False)
    """
    scheme, separator, place = origin.partition(b"://")
    return host is not None and scheme in (b"http", b"https") and bool(separator) and place == host.lower()


def _shown(value: bytes) -> str:
    return repr(value[:MAX_SHOWN].decode("latin-1"))
