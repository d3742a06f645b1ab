"""Drawings as SVG without letters, stretched to their box: words and numbers stand around them as HTML.

Owns marks and scales. Leaves colours to `report.css`, and what is drawn to sections. Every drawing says in a sentence
what it shows, for readers who do not see it, and each bar names its value when it is pointed at. Coordinates are shares
of the box in per mille: 0 to 1000 from left to right, and from the top down.
"""

from collections.abc import Sequence
from html import escape

WHOLE = 1000.0
GAP = 0.12  # of the width of a bar, beside it
Point = tuple[float, float]  # shares of the box, from the left and from the bottom


def svg(inside: str, about: str, kind: str = "plot") -> str:
    """A drawing that says what it shows."""
    box = 'viewBox="0 0 1000 1000" preserveAspectRatio="none"'
    return f'<svg class="{kind}" {box} role="img" aria-label="{escape(about)}">{inside}</svg>'


def stacked(columns: Sequence[Sequence[tuple[str, float]]], titles: Sequence[str], about: str) -> str:
    """Bars side by side, each of parts on top of each other.

    Args:
        columns: class and height of the parts of each bar, from the bottom up.
        titles: of the bars.
        about: what the drawing shows.

    >>> stacked([[("approve", 3.0), ("decline", 1.0)]], ["noon: 4"], "rows").count("<rect")
    2
    """
    top = max((sum(height for _, height in parts) for parts in columns), default=0.0) or 1.0
    width = WHOLE / max(1, len(columns))
    bars = []
    for place, (parts, title) in enumerate(zip(columns, titles, strict=True)):
        at, rects = WHOLE, ""
        for kind, height in parts:
            tall = WHOLE * height / top
            at -= tall
            rects += _rect(kind, place * width + width * GAP / 2, at, width * (1 - GAP), tall) if height else ""
        bars.append(f"<g><title>{escape(title)}</title>{rects}</g>" if rects else "")
    return svg(_ground() + "".join(bars), about)


def histogram(before: Sequence[float], now: Sequence[float], titles: Sequence[str], about: str) -> str:
    """Bars of the rows of late, and the outline of the reference in front of them; both are shares by bin."""
    top = max([*before, *now], default=0.0) or 1.0
    width = WHOLE / max(1, len(now))
    bars = "".join(
        f"<g><title>{escape(title)}</title>"
        + _rect(
            "now", place * width + width * GAP / 2, WHOLE * (1 - share / top), width * (1 - GAP), WHOLE * share / top
        )
        + "</g>"
        for place, (share, title) in enumerate(zip(now, titles, strict=True))
    )
    steps = "".join(
        f"V{_round(WHOLE * (1 - share / top))}H{_round((place + 1) * width)}" for place, share in enumerate(before)
    )
    outline = f'<path class="before" d="M0 1000{steps}V1000"/>' if before else ""
    return svg(_ground() + bars + outline, about)


def pair(before: float | None, now: float, top: float) -> str:
    """Two bars under each other, of the reference and of late; the numbers stand beside it, so it says nothing."""
    upper = _rect("fill-before", 0, 90, WHOLE * min(1, (before or 0.0) / top), 820)
    lower = _rect("now", 0, 280, WHOLE * min(1, now / top), 440)
    return f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{upper}{lower}</svg>'


def share(value: float, kind: str) -> str:
    """One bar of this share of the width; the number stands beside it."""
    bar = _rect("track", 0, 200, WHOLE, 600) + _rect(kind, 0, 200, WHOLE * min(1.0, value), 600)
    return f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>'


def trend(values: Sequence[float], bound: float, about: str) -> str:
    """A line over the windows, and the bound that a breach is above, dashed."""
    top = 1.15 * max([*values, bound], default=1.0) or 1.0
    places = [place / max(1, len(values) - 1) for place in range(len(values))]
    points = " ".join(f"{_x(at)},{_y(value / top)}" for at, value in zip(places, values, strict=True))
    limit = f'<path class="limit" d="M0 {_y(bound / top)}H1000"/>'
    return svg(f'{_ground()}{limit}<polyline class="line" points="{points}"/>', about, "plot trend")


def over_time(
    line: Sequence[Point],
    band: Sequence[tuple[float, float, float]],
    dots: Sequence[tuple[float, float, float, float]],
    about: str,
) -> str:
    """A line with its band, and dots with whiskers.

    Args:
        line: the points of the line.
        band: for each of them from the left, low and high.
        dots: from the left, low, middle and high.
        about: what the drawing shows.
    """
    there = [(_x(at), _y(low), _y(high)) for at, low, high in band]
    forth = " ".join(f"{at},{high}" for at, _, high in there)
    back = " ".join(f"{at},{low}" for at, low, _ in reversed(there))
    parts = [_ground(), f'<polygon class="band" points="{forth} {back}"/>' if there else ""]
    if line:
        parts.append(f'<polyline class="line" points="{" ".join(f"{_x(at)},{_y(height)}" for at, height in line)}"/>')
    for at, low, middle, high in dots:
        parts.append(f'<path class="whisker" d="M{_x(at)} {_y(low)}V{_y(high)}"/>')
        parts.append(f'<path class="dot" d="M{_x(at)} {_y(middle)}h.01"/>')
    return svg("".join(parts), about)


def _ground() -> str:
    return '<path class="base" d="M0 1000H1000"/>'


def _rect(kind: str, left: float, top: float, width: float, height: float) -> str:
    x, y, w, h = map(_round, (left, top, width, height))
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{h}"/>'


def _x(value: float) -> str:
    return _round(WHOLE * min(max(value, 0.0), 1.0))


def _y(value: float) -> str:
    return _round(WHOLE * (1 - min(max(value, 0.0), 1.0)))


def _round(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
