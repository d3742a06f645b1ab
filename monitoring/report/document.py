"""A self-contained page: style and script in the text, and a policy that lets in nothing else.

Owns the frame of a page and its Content-Security-Policy, which names the hash of each style and script, so that markup
from a value that somebody forgot to escape runs nothing and loads nothing. Leaves content to whoever makes the page.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%232f7bd6' "
    "d='M1 10h3v5H1zM6 6h3v9H6zM11 1h3v14h-3z'/%3E%3C/svg%3E"
)
BASE = Path(__file__).with_name("base.css")  # of every page
REPORT = (BASE, Path(__file__).with_name("report.css")), (Path(__file__).with_name("report.js"),)


@cache
def asset(path: Path) -> str:
    """The text of a style or script that lies beside the code; read once."""
    return path.read_text(encoding="utf-8")


def policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with these styles and scripts.

    >>> policy(["p {}"], [])[:41]
    "default-src 'none'; style-src 'sha256-SNJ"
    """
    rules = {
        "default-src": "'none'",
        "style-src": " ".join(map(_hash, styles)) or "'none'",
        "script-src": " ".join(map(_hash, scripts)) or "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def document(title: str, body: str, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """A whole page.

    Args:
        title: as text.
        body: as HTML.
        styles: of CSS.
        scripts: of JavaScript, run when the body is there.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="content-security-policy" content="{escape(policy(styles, scripts))}">',
            f'<title>{escape(title)}</title><link rel="icon" href="{ICON}">',
            *(f"<style>{style}</style>" for style in styles),
            f"</head>\n<body>\n{body}",
            *(f"<script>{script}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )


def served(rules: str = "base-uri 'none'; form-action 'none'") -> str:
    """A policy as a header, which can forbid frames too; a page itself cannot.

    The file of the report may be of another version than who serves it, so its own policy alone names its hashes.
    """
    return f"{rules}; frame-ancestors 'none'"


def report(title: str, body: str) -> str:
    """A page with the style and script of the report."""
    return document(title, body, *map(_texts, REPORT))


def report_policy() -> str:
    """The policy of such a page."""
    return served(policy(*map(_texts, REPORT)))


def _texts(paths: Sequence[Path]) -> list[str]:
    return [asset(path) for path in paths]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
