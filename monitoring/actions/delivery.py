"""One attempt to deliver a message over HTTP.

Owns: the request, and telling apart what may go better next time from what will not. Leaves to others: when (ledger).

A redirect is refused, as it would carry a token or a signed message elsewhere. No address is logged, as it may be a
secret: its host is. Proxies of the environment are used.
"""

import http.client
import urllib.error
import urllib.request
from email.message import Message as Headers
from typing import IO, NamedTuple
from urllib.parse import urlsplit

from monitoring.actions.messages import Message

TRANSIENT = (408, 425, 429)  # and 5xx: the same message may be taken later
REFUSED_S = 3600.0  # seconds until the next attempt at what will hardly be taken as it is
LONGEST_ANSWER = 200  # characters of an error that are told


class Attempt(NamedTuple):
    """How an attempt ended; `problem` is empty if the message arrived, `retry_after_s` None if nobody says when."""

    problem: str = ""
    retry_after_s: float | None = None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Headers, newurl: str
    ) -> None:
        """None: the redirect is the answer."""


def deliver(message: Message, timeout_s: float) -> Attempt:
    """POST a message once."""
    # The settings allow http and https alone.
    request = urllib.request.Request(message.url, message.body, message.headers, method="POST")  # noqa: S310
    host = urlsplit(message.url).hostname
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout_s) as answer:
            answer.read(LONGEST_ANSWER)
            return Attempt()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(LONGEST_ANSWER).decode("utf-8", "replace")
            printable = "".join(mark if mark.isprintable() else " " for mark in said).strip()
            problem = f"{host} answered {error.code} {printable}".strip()
            if error.code in TRANSIENT or error.code >= http.client.INTERNAL_SERVER_ERROR:
                return Attempt(problem, _seconds(error.headers.get("Retry-After")))
            return Attempt(f"{problem}; it does not take such a message", REFUSED_S)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return Attempt(f"{host} cannot be reached ({str(reason) or type(reason).__name__})")


def _seconds(value: str | None) -> float | None:
    """Of a `Retry-After` in seconds; a date is not used.

    >>> _seconds("120"), _seconds("Fri, 27 Nov 2026 12:00:00 GMT"), _seconds(None)
    (120.0, None, None)
    """
    return float(value) if value and value.isascii() and value.isdecimal() else None
