"""The target of a request, the second word of its first line, in the forms of RFC 9112: which have a path to route by.

Owns the absolute form (`http://host/path`), whose path may be missing and whose host goes before the header, and the
refusal of what is no form for a server, such as that of CONNECT. Leaves finding a route to the ASGI application.
"""

import re

import httptools

from models.errors import Rejected

_AFTER_AUTHORITY = re.compile(rb"[/?#]")


def with_path(url: bytes) -> bytes:
    """The absolute form of a target with its path, which uvicorn needs; raises `Rejected` for what is no such form.

    >>> with_path(b"http://scorer.bank?a=1"), with_path(b"http://scorer.bank/predict")
    (b'http://scorer.bank/?a=1', b'http://scorer.bank/predict')
    """
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        parsed = None
    if parsed is None or not parsed.schema:
        raise Rejected(400, "the target of a request must be a path or a URL")
    if parsed.path:
        return url
    place, mark, query = url.partition(b"?")
    return place + b"/" + mark + query


def host_in(url: bytes) -> bytes:
    """The host, and the port if there is one, in the absolute form of a target.

    >>> host_in(b"http://scorer.bank:80/predict?a=1"), host_in(b"http://user@[::1]?a")
    (b'scorer.bank:80', b'[::1]')
    """
    authority = _AFTER_AUTHORITY.split(url.partition(b"://")[2], maxsplit=1)[0]
    return authority.rpartition(b"@")[2]
