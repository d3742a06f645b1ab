"""Parts of a page: the document with its style, accessible tables, bars and intervals as SVG.

Owns HTML. Leaves the content of a page to `train.checks.data_report`. Cells are HTML, escaped by the caller; arguments
described as text are escaped here.
"""

from collections.abc import Iterable, Sequence
from html import escape

NOTHING = "&ndash;"
BAR, LINE = 120, 16  # pixels: width of a bar, height of a drawing
STYLE = """
:root { color-scheme: light; font-size: 15px }
body { font: 1rem/1.45 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.7rem; margin: 0 0 .3rem } h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .2rem } p { margin: .2rem 0 .6rem } .quiet { color: #566173 }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums }
caption { text-align: left; color: #566173; padding-bottom: .3rem }
th, td { text-align: left; vertical-align: top; padding: .18rem .9rem .18rem 0; border-bottom: 1px solid #e3e7ee;
  font-weight: normal }
thead th { color: #566173; border-bottom-color: #aab4c3; vertical-align: bottom }
th[scope=row] { width: 22%; min-width: 8rem; overflow-wrap: break-word }
.number { text-align: right; white-space: nowrap }
.drawn { width: 8.6rem } .verdict { width: 5rem } td.verdict { font-weight: 600 }
td ul { margin: 0; padding-left: 1.1rem } a { color: #1c4f8f }
svg { display: block; width: 8.53rem; height: 1.07rem; margin-top: .15rem }
.passed { color: #1d6b3a } .warned { color: #8a5a00 } .stopped { color: #a8201a }
@media screen and (max-width: 46rem) { :root { font-size: 13px } .drawn { display: none } }
@media print { :root { font-size: 11px } body { margin: 0; max-width: none } section.feature, tr { break-inside: avoid }
  h2, h3 { break-after: avoid } th[scope=row] { min-width: 0 }
  a { color: inherit; text-decoration: none } }
"""


def document(title: str, body: Iterable[str]) -> str:
    """A whole page; empty parts of `body` are skipped."""
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    start = f"<!doctype html>\n<html lang='en'><head>{head}\n<style>{STYLE}</style></head>"
    return "\n".join([start, "<body>", *filter(None, body), "</body></html>", ""])


def table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """A table with a header for each column and each row.

    Args:
        heads: text and class of each column, where the class is `number`, `drawn`, `verdict` or nothing.
        rows: cells, as HTML; the first cell of a row is its header.
        caption: text above the table.

    >>> print(table([("bin", ""), ("rows", "number")], [("own &amp; rent", "7")]))
    <table><thead><tr><th scope='col'>bin</th><th scope='col' class='number'>rows</th></tr></thead>
    <tbody>
    <tr><th scope='row'>own &amp; rent</th><td class='number'>7</td></tr>
    </tbody></table>
    """
    kinds = [f" class='{kind}'" if kind else "" for _, kind in heads]
    head = "".join(f"<th scope='col'{kind}>{escape(text)}</th>" for (text, _), kind in zip(heads, kinds, strict=True))
    lines = []
    for row in rows:
        cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))
        lines.append(f"<tr><th scope='row'>{row[0]}</th>{cells}</tr>")
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return "\n".join([f"<table>{title}<thead><tr>{head}</tr></thead>", "<tbody>", *lines, "</tbody></table>"])


def verdict(word: str) -> str:
    """`passed`, `warned` or `stopped` in its colour, which repeats what the word says."""
    return f"<span class='{word}'>{word}</span>"


def bar(share: float) -> str:
    """A bar of this share of the full width; hidden from screen readers, as the number stands beside it."""
    return _drawing(f"<rect x='-4' y='3' width='{_place(share)}' height='10' fill='#8fb1d9'/>")


def interval(low: float, middle: float, high: float, whole: float) -> str:
    """A dot with its interval, and a dashed line at `whole`; all are shares of the full width."""
    return _drawing(
        f"<path d='M{_place(whole)} 0V{LINE}' stroke='#8b95a5' stroke-dasharray='2 2'/>"
        f"<path d='M{_place(low)} 8H{_place(high)}' stroke='#b4552d' stroke-width='2'/>"
        f"<circle cx='{_place(middle)}' cy='8' r='4' fill='#b4552d'/>",
    )


def _place(share: float) -> float:
    return round(BAR * min(max(share, 0.0), 1.0), 1)


def _drawing(inside: str) -> str:
    size = f"width='{BAR + 8}' height='{LINE}' viewBox='-4 0 {BAR + 8} {LINE}'"
    return f"<svg {size} aria-hidden='true'>{inside}</svg>"
