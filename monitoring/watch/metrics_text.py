"""What a look found, in the text format of Prometheus.

Owns: names and labels of these metrics. Leaves to others: the numbers, and the file (files). Gauges all: each look
writes them anew, and a series that is not written any more ends.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from monitoring.actions.ledger import Account
from monitoring.findings.finding import CODES, Finding
from monitoring.findings.log_state import LogState

Samples = Iterable[tuple[Mapping[str, str], float | None]]


def look_metrics(now: datetime, seconds: float) -> str:
    """When the watch looked, and how long it took."""
    about = "When the watch looked last, seconds since 1970"
    return gauge("scorer_watch_timestamp_seconds", about, [({}, now.timestamp())]) + gauge(
        "scorer_watch_duration_seconds", "How long the last look took", [({}, seconds)]
    )


def finding_metrics(findings: Iterable[Finding]) -> str:
    """What is wrong now: each finding, and how many there are of each code, 0 included."""
    found = list(findings)
    counts = Counter(one.code for one in found)
    return gauge(
        "scorer_finding",
        "Something that is wrong now",
        [({"code": code, "subject": subject}, 1) for code, subject in dict.fromkeys(one.identity for one in found)],
    ) + gauge("scorer_findings", "How many there are of a code", [({"code": code}, counts[code]) for code in CODES])


def record_metrics(state: LogState, free_bytes: int, now: datetime) -> str:
    """How far the records are."""
    lag_s = (now - state.oldest_pending).total_seconds() if state.oldest_pending else 0.0
    newest = state.newest.timestamp() if state.newest else None
    return "".join(
        gauge(name, about, [({}, value)])
        for name, about, value in (
            ("scorer_pending_rows", "Rows that are logged and not profiled", float(state.pending)),
            ("scorer_profile_lag_seconds", "Age of the oldest pending row", max(lag_s, 0.0)),
            ("scorer_lost_rows", "Rows that were answered and cannot be read back", float(state.lost)),
            ("scorer_newest_row_timestamp_seconds", "When the newest row was logged, or the log opened", newest),
            ("scorer_records_free_bytes", "Free space where the records are", float(free_bytes)),
        )
    )


def action_metrics(accounts: Mapping[str, Account]) -> str:
    """What destinations were sent: what arrived and what did not, ever, and how often the last one has failed."""
    counts = (
        ("scorer_actions_delivered", "Messages that arrived, ever", "delivered"),
        ("scorer_actions_failed", "Attempts that did not arrive, ever", "failed"),
        ("scorer_actions_failing", "Attempts since the last that arrived", "attempts"),
    )
    return "".join(
        gauge(name, about, [({"destination": to}, getattr(account, field)) for to, account in accounts.items()])
        for name, about, field in counts
    )


def gauge(name: str, about: str, samples: Samples) -> str:
    r"""One metric; samples without a finite value are left out, and a metric without samples is.

    >>> print(gauge("scorer_x", "Example", [({"column": 'a "b"'}, 0.25), ({"column": "c"}, None)]), end="")
    # HELP scorer_x Example
    # TYPE scorer_x gauge
    scorer_x{column="a \"b\""} 0.25
    >>> gauge("scorer_x", "Example", [])
    ''
    """
    lines = [f"{name}{_labels(labels)} {value!r}" for labels, value in samples if value is not None and _finite(value)]
    return "\n".join([f"# HELP {name} {about}", f"# TYPE {name} gauge", *lines, ""]) if lines else ""


def _finite(value: float) -> bool:
    return math.isfinite(value)


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
