"""The replies that the pages show, taken from a running service: `python -m benchmarks.readme http://127.0.0.1:3000`.

A page shows a reply as a `json` block that follows a `sh` block with curl. This reads both, sends the request, and puts
the values of the present model into the reply, without a change of its layout: a number keeps its decimals, and a list
that is shown in part stays so. The first request of the README is sent before all others, so that its `application_id`
is in the decision log. tests/docs/ uses the same functions to compare.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

ROOT = Path(__file__).parents[1]
URL = "http://127.0.0.1:3000"  # of the pages
FEW_DECIMALS = 6  # a number with more is shown as the service sends it
TOLERANCE = 1e-3  # within which a figure of a page is right; below what a person reads from it

MARK = re.compile(r"<!-- not run: (.+) -->")
FENCE = re.compile(r"^```([a-z]*)$")
VALUE = re.compile(
    r'"(?:[^"\\]|\\.)*"(?!\s*:)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|(?P<key>"(?:[^"\\]|\\.)*")'
)


class Block(Struct, frozen=True):
    """A fenced block of a page.

    Attributes:
        line: of its fence, from 1.
        language: after the fence.
        text: what is inside, with the last line feed.
        why_not_run: the reason in the comment above it, or empty.
    """

    line: int
    language: str
    text: str
    why_not_run: str


def pages() -> list[Path]:
    """The README and every other page of the repository, in a fixed order."""
    others = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", ROOT / "data/README.md"]
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *others]


def blocks(page: str) -> list[Block]:
    r"""The fenced blocks of a page, in order.

    >>> blocks("<!-- not run: a server -->\n```sh\nmake serve\n```\n")
    [Block(line=2, language='sh', text='make serve\n', why_not_run='a server')]
    """
    found, lines = [], page.splitlines()
    opened: tuple[int, str] | None = None
    for index, line in enumerate(lines):
        if opened is None and (fence := FENCE.match(line)):
            opened = index, fence[1]
        elif opened is not None and line == "```":
            start, language = opened
            mark = MARK.fullmatch(lines[start - 1]) if start else None
            text = "".join(f"{inside}\n" for inside in lines[start + 1 : index])
            found.append(Block(start + 1, language, text, mark[1] if mark else ""))
            opened = None
    return found


def request_of(command: str) -> tuple[str, bytes] | None:
    """Path and body of a block that is one curl with `-d`; None for any other.

    >>> request_of("curl -s http://127.0.0.1:3000/predict -d '{}'")
    ('/predict', b'{}')
    """
    found = re.fullmatch(rf"curl [^']*?{re.escape(URL)}(/\S+) .*?-d '(.*?)'\s*", command, re.DOTALL)
    return (found[1], found[2].encode()) if found else None


def values(shown: Any, sent: Any) -> Iterator[tuple[Any, Any]]:
    """Each value that is shown, in order, with the one that was sent in its place; a shown list may be the first part.

    Raises:
        ValueError: what was sent has another shape.
    """
    if isinstance(shown, dict) and isinstance(sent, dict) and list(shown) == list(sent):
        for key, value in shown.items():
            yield from values(value, sent[key])
    elif isinstance(shown, list) and isinstance(sent, list) and 0 < len(shown) <= len(sent):
        for one, other in zip(shown, sent, strict=False):
            yield from values(one, other)
    elif isinstance(shown, dict | list) or isinstance(sent, dict | list):
        raise ValueError(f"{json.dumps(shown)[:60]} is shown where the service sends {json.dumps(sent)[:60]}")
    else:
        yield shown, sent


def agrees(shown: Any, sent: Any) -> bool:
    """Whether a value of a page is the service's: a figure within `TOLERANCE`, anything else exactly.

    >>> agrees(0.6767, 0.6767296), agrees(0.68, 0.6767296), agrees("decline", "decline"), agrees(2, 3)
    (True, False, True, False)
    """
    if isinstance(shown, float) and isinstance(sent, float):
        return abs(shown - sent) <= TOLERANCE
    return bool(shown == sent)


def refreshed(text: str, sent: Any) -> str:
    """The text of a shown reply with the values that were sent.

    >>> refreshed('[{"model": "m:1", "share": 0.25}]', [{"model": "m:2", "share": 0.31415}])
    '[{"model": "m:2", "share": 0.31}]'
    """
    new = [value for _, value in values(json.loads(text), sent)]

    def put(found: re.Match[str]) -> str:
        if found["key"]:
            return found[0]
        value = new.pop(0)
        decimals = len(found[0].partition(".")[2])
        return f"{value:.{decimals}f}" if isinstance(value, float) and decimals <= FEW_DECIMALS else json.dumps(value)

    return VALUE.sub(put, text)


def ask(url: str, path: str, body: bytes) -> Any:
    """What the service replies, errors included."""
    request = urllib.request.Request(url + path, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        return json.load(error)


def refresh(page: str, url: str) -> str:
    """A page with the replies of the service at `url`."""
    command: Block | None = None
    for block in blocks(page):
        request = request_of(command.text) if command else None
        if block.language == "json" and request:
            page = page.replace(block.text, refreshed(block.text, ask(url, *request)))
        command = block if block.language == "sh" else None
    return page


def first_request() -> tuple[str, bytes]:
    """The request of the README that scores its applicant."""
    found = (request_of(block.text) for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")))
    return next(request for request in found if request)


def main() -> None:
    """Rewrite the pages whose replies have changed."""
    url = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else URL
    ask(url, *first_request())
    for path in pages():
        before = path.read_text(encoding="utf-8")
        if (after := refresh(before, url)) != before:
            path.write_text(after, encoding="utf-8")
            print(f"rewrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
