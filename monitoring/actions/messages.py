"""What each destination is sent, and how a message is signed.

Owns: bodies and headers. Leaves to others: when (ledger), over what (delivery).

A webhook gets a message of Standard Webhooks 1.0 (https://www.standardwebhooks.com), for which there are libraries that
verify it: `webhook-id` is the same however often the message is sent, `webhook-signature` is HMAC-SHA256 of id, time
and body.
"""

import base64
import hashlib
import hmac
import platform
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from monitoring.actions.destinations import Destination, GitHub, Slack
from monitoring.actions.ledger import Due
from monitoring.findings.finding import Finding

MOST = 20  # findings in a message to Slack or GitHub, which have limits of 40,000 characters and 64 KB
TYPE = "scorer_findings"
RESOLVED_TYPE = "scorer_findings_resolved"  # where nothing has begun, so that a workflow need not start


class Message(Struct, frozen=True):
    """One POST."""

    url: str
    headers: dict[str, str]
    body: bytes


def message(destination: Destination, due: Due, directory: str, now: datetime) -> Message:
    """What this destination is sent.

    Args:
        destination: which.
        due: what it is to be told.
        directory: of the records, by which somebody with several services knows them apart.
        now: of this attempt.
    """
    kind = TYPE if due.firing else RESOLVED_TYPE
    source = {"host": platform.node(), "directory": directory}
    if isinstance(destination, Slack):
        return _post(destination.url, {"text": _text(due, source)})
    if isinstance(destination, GitHub):
        payload = source | {"id": due.id, "firing": due.firing[:MOST], "resolved": due.resolved[:MOST]}
        headers = {
            "Authorization": f"Bearer {destination.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return _post(destination.url, {"event_type": kind, "client_payload": payload}, headers)
    data = source | {"firing": due.firing, "resolved": due.resolved}
    sent = _post(destination.url, {"type": kind, "timestamp": now, "data": data})
    second = int(now.timestamp())
    headers = sent.headers | {"webhook-id": due.id, "webhook-timestamp": str(second)}
    if destination.secret:
        headers["webhook-signature"] = signature(destination.secret, due.id, second, sent.body)
    return Message(sent.url, headers, sent.body)


def signature(secret: bytes, message_id: str, second: int, body: bytes) -> str:
    """The header `webhook-signature` of Standard Webhooks."""
    signed = b"%b.%d.%b" % (message_id.encode(), second, body)
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def _post(url: str, document: object, headers: dict[str, str] | None = None) -> Message:
    common = {"Content-Type": "application/json", "User-Agent": "credit-scorer"}
    return Message(url, common | (headers or {}), msgspec.json.encode(document))


def _text(due: Due, source: dict[str, str]) -> str:
    """A message for people, in Slack's markup."""
    lines = [f"*credit-scorer* on {_plain(source['host'])}, records in {_plain(source['directory'])}"]
    for sign, part in ((":red_circle:", due.firing), (":large_green_circle: over:", due.resolved)):
        lines += [f"{sign} {_line(one, remedy=part is due.firing)}" for one in part[:MOST]]
        lines += _rest(part)
    return "\n".join(lines)


def _line(one: Finding, *, remedy: bool) -> str:
    said = f"*{_plain(one.code)}* {_plain(one.subject)}: {_plain(one.message)}"
    return f"{said}. _{_plain(one.remedy)}_" if remedy else said


def _rest(part: Sequence[Finding]) -> list[str]:
    return [f"and {len(part) - MOST} more"] if len(part) > MOST else []


def _plain(text: str) -> str:
    """Text in which Slack sees no markup of ours: the three characters that it wants escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
