"""The report of the data checks as a self-contained HTML page, and as JSON.

Owns the layout. Leaves findings to `train.checks.quality` and markup to `train.checks.html`. It holds no times and no
paths: the same table gives the same bytes. Drift has its own page, because it also depends on the champion.
"""

from html import escape
from typing import Any

import msgspec

from train.checks.html import NOTHING, bar, document, interval, table, verdict
from train.checks.quality import DriftReport, Report

SMALL_BIN = 0.01  # share of rows below which an interval may exceed the common scale
FULL_BAR = 0.5  # smallest information value that fills the bar
RATES = """\
The dot is the share of events in a bin, the line its 95% interval (Wilson), dashes the share in the whole table.
Weight of evidence is above 0 where events are rarer."""
VALUES = (
    "A feature under 0.02 is not predictive; one above 0.5 may give the outcome away. Chance: what 5% of unrelated \
features reach. ROC AUC: of this feature alone, each row scored by the event rates of other rows; 0.5 tells nothing."
)
VINTAGE_NOTE = (
    "When applicants applied. A rate that falls in the last vintages may mean outcomes that are not mature yet."
)
BOUNDS = "A bound is never below what chance alone reaches with this many rows."


def as_json(content: dict[str, Any]) -> bytes:
    r"""`Report.as_dict()` or `DriftReport.as_dict()` as the content of a file.

    >>> as_json({"rows": 2})
    b'{\n  "rows": 2\n}\n'
    """
    return msgspec.json.format(msgspec.json.encode(content)) + b"\n"


def page(report: Report) -> str:
    """The report on the table: checks, then each column with its distribution and event rate."""
    about = report.as_dict()
    share = about["events"] / about["rows"] if about["rows"] else 0.0
    size = f"{about['rows']:,} rows, {len(report.dataset.features)} features"
    event = escape(f"{about['target']} = {about['event']}")
    body = [
        f"<h1>Data report: {escape(about['dataset'])}</h1>",
        f"<p>{escape(about['description'])}</p>" if about["description"] else "",
        f"<p>{size}; {event} in {about['events']:,} of them ({share:.1%}).</p>",
        "<h2>Checks</h2>",
        _checks(about),
    ]
    if report.vintages:
        body += ["<h2>Vintages</h2>", _vintages(about["vintages"], share)]
    if about["features"]:
        top = _scale(about)
        body += ["<h2>Features by information value</h2>", _overview(about["features"])]
        body += ["<h2>Distributions</h2>", f"<p class='quiet'>{RATES}</p>"]
        body += [_feature(place, feature, share, top) for place, feature in enumerate(about["features"])]
    else:
        body.append("<p>There are no distributions, because some cells are invalid.</p>")
    return document(f"Data report: {about['dataset']}", body)


def drift_page(name: str, drift: DriftReport) -> str:
    """The report on drift: every column against the champion's training rows."""
    about = drift.as_dict()
    keys = [f"{statistic}{what}" for statistic in ("psi", "ks") for what in ("", "_warns_above", "_stops_above")]
    numbers = [(key.replace("_", " ").replace("psi", "PSI").replace("ks", "KS"), "number") for key in keys]
    rows = [
        (
            escape(column["column"]),
            verdict(column["verdict"]),
            *(NOTHING if column.get(key) is None else f"{column[key]:.3f}" for key in keys),
        )
        for column in about["columns"]
    ]
    found = "".join(f"<li>{escape(finding['message'])}</li>" for finding in about["findings"])
    body = [
        f"<h1>Drift report: {escape(name)}</h1>",
        f"<p>Compared with the {about['reference_rows']:,} training rows of the champion.</p>",
        f"<ul>{found}</ul>" if found else "<p>No column has drifted.</p>",
        table([("feature", ""), ("verdict", "verdict"), *numbers], rows, BOUNDS),
    ]
    return document(f"Drift report: {name}", body)


def _checks(about: dict[str, Any]) -> str:
    rows = []
    for check, word in about["checks"].items():
        found = [f"<li>{escape(finding['message'])}</li>" for finding in about["findings"] if finding["check"] == check]
        rows.append((check, verdict(word), f"<ul>{''.join(found)}</ul>" if found else NOTHING))
    return table([("check", ""), ("verdict", "verdict"), ("found", "")], rows)


def _vintages(vintages: list[dict[str, Any]], share: float) -> str:
    """The rows of each vintage and their event rate, the oldest first."""
    most, top = max(rate["rows"] for rate in vintages), max(rate["rate_high"] for rate in vintages) or 1.0
    rows = [
        (
            escape(rate["name"]),
            bar(rate["rows"] / most),
            f"{rate['rows']:,}",
            interval(rate["rate_low"] / top, rate["rate"] / top, rate["rate_high"] / top, share / top),
            f"{rate['rate']:.1%}",
            f"{rate['rate_low']:.1%} to {rate['rate_high']:.1%}",
        )
        for rate in vintages
    ]
    heads = [
        ("vintage", ""),
        ("distribution", "drawn"),
        ("rows", "number"),
        ("event rate", "drawn"),
        ("rate", "number"),
    ]
    return table([*heads, ("95% interval", "number")], rows, VINTAGE_NOTE)


def _overview(features: list[dict[str, Any]]) -> str:
    """The features, the strongest first, each with a link to its section."""
    ranked = sorted(enumerate(features), key=lambda pair: (-pair[1]["information_value"], pair[0]))
    top = max(ranked[0][1]["information_value"], FULL_BAR)
    rows = [
        (
            f"<a href='#feature-{place}'>{escape(feature['name'])}</a>",
            bar(feature["information_value"] / top),
            f"{feature['information_value']:.3f}",
            f"{feature['value_by_chance']:.3f}",
            f"{feature['roc_auc']:.3f}",
            feature["strength"],
            feature["type"] + (", protected" if feature["protected"] else ""),
            f"{feature['distinct']:,}",
            f"{feature['missing'] / feature['rows']:.1%}" if feature["missing"] else "none",
        )
        for place, feature in ranked
    ]
    heads = [
        ("feature", ""),
        ("information value", "drawn"),
        ("value", "number"),
        ("chance", "number"),
        ("ROC AUC", "number"),
    ]
    heads += [("strength", ""), ("type", ""), ("distinct", "number"), ("missing", "number")]
    return table(heads, rows, VALUES)


def _feature(place: int, feature: dict[str, Any], share: float, top: float) -> str:
    summary = ", ".join(f"{name} {value:,.6g}" for name, value in feature["summary"].items())
    about = [feature["description"], f"in {feature['unit']}" if feature["unit"] else "", summary, feature["telling"]]
    most = max(part["rows"] for part in feature["bins"])
    rows = [
        (
            escape(part["label"]),
            bar(part["rows"] / most),
            f"{part['rows']:,}",
            f"{part['rows'] / feature['rows']:.1%}",
            *(_rate(part, share, top) if part["rows"] else [NOTHING] * 4),
        )
        for part in feature["bins"]
    ]
    heads = [("bin", ""), ("distribution", "drawn"), ("rows", "number"), ("share", "number"), ("event rate", "drawn")]
    heads += [("rate", "number"), ("95% interval", "number"), ("weight of evidence", "number")]
    title = escape(feature["name"]) + (" <span class='quiet'>protected</span>" if feature["protected"] else "")
    parts = [
        f"<section class='feature' id='feature-{place}'><h3>{title}</h3>",
        f"<p class='quiet'>{escape('; '.join(filter(None, about)))}</p>",
        table(heads, rows),
        "</section>",
    ]
    return "\n".join(parts)


def _rate(part: dict[str, Any], share: float, top: float) -> list[str]:
    low, rate, high = part["rate_low"], part["rate"], part["rate_high"]
    drawn = interval(low / top, rate / top, high / top, share / top)
    return [drawn, f"{rate:.1%}", f"{low:.1%} to {high:.1%}", f"{part['woe']:+.2f}"]


def _scale(about: dict[str, Any]) -> float:
    """The share of events at the right end of every drawing: a common scale."""
    least = SMALL_BIN * about["rows"]
    parts = [part for feature in about["features"] for part in feature["bins"]]
    return max((part["rate_high"] for part in parts if part["rows"] >= least), default=1.0) or 1.0
