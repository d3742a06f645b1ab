"""Findings about columns: drift, missing values, unknown values.

Owns: which windows are "now", and what of a breach is told. Leaves to others: statistics and bounds (drift).

Hours show a change fast where there is much traffic, days where there is little. Each may spend half of
`most_false_alarms_per_year`. A window that still fills is looked at, and the one before it as long as it is no breach,
so a finding does not end at the turn of the hour.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from msgspec.structs import replace

from configs.monitoring import Monitoring
from monitoring.drift.looking import ColumnDrift, inspect
from monitoring.findings.finding import Finding
from monitoring.findings.part import Part, blind
from monitoring.records.log_keys import LogKeys

WINDOWS: dict[Literal["hour", "day"], timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
ANSWERS = ("probability", "decision")  # the columns that the model makes
LEAST_SHIFT = 0.05  # of the chance that a number is above one of the reference, below which nothing went up or down
SEE = "see /monitor or `python -m monitoring drift` for what moved"


def drift_part(settings: Monitoring, keys: LogKeys, now: datetime) -> Part:
    """Look at the columns of the last two hours and days."""
    half = replace(settings, most_false_alarms_per_year=settings.most_false_alarms_per_year / len(WINDOWS))
    findings: dict[tuple[str, str], Finding] = {}
    days: list[ColumnDrift] = []
    for kind, length in WINDOWS.items():
        seen = inspect(half, keys, now - length, None, kind)
        windows = current(seen.drift, now)
        for one in drift_findings(windows):
            findings.setdefault(one.identity, one)
        for what, why in [*seen.gone.items(), *((str(path), why) for path, why in seen.unread.items())]:
            not_seen = blind(f"drift of {what}", "drift", why, now)
            findings.setdefault(not_seen.identity, not_seen)
        days = windows if kind == "day" else days
    return Part(list(findings.values()), days)


def current(drift: Iterable[ColumnDrift], now: datetime) -> list[ColumnDrift]:
    """Of each model and column the window that counts now: the newest, or the one before while that one fills."""
    found = []
    for _, windows in groupby(sorted(drift, key=_by_column), key=lambda one: (one.model, one.column)):
        *before, newest = windows
        fills = newest.until > now and not newest.breach
        found.append(before[-1] if fills and before and before[-1].breach else newest)
    return found


def _by_column(one: ColumnDrift) -> tuple[str, str, datetime]:
    return one.model, one.column, one.start


def drift_findings(windows: Iterable[ColumnDrift]) -> list[Finding]:
    """What is wrong with these windows, one per model and column.

    Where more values than before are missing or unknown, that is told, and not also that the distribution moved.
    """
    breaches = [one for one in windows if one.breach]
    models = {one.model for one in breaches}
    return [finding for one in breaches for finding in _of(one, several=len(models) > 1)]


def _of(one: ColumnDrift, *, several: bool) -> list[Finding]:
    subject = f"{one.column} of {one.model}" if several else one.column
    span = f"in {one.rows:,} rows since {one.start:%Y-%m-%dT%H:%MZ}"

    def finding(code: str, value: float, bound: float, what: str, remedy: str) -> Finding:
        message = f"{one.column} {what} {span} (bound {bound:.3g})"
        return Finding(
            code=code, subject=subject, value=value, bound=bound, since=one.start, message=message, remedy=remedy
        )

    found = []
    source = "look at what fills this field: a changed form, unit, code or join"
    if one.nulls > one.nulls_bound:
        what = f"is missing in {one.nulls:.1%} instead of {one.nulls_reference:.1%}"
        found.append(finding("missing_values", one.nulls, one.nulls_bound, what, source))
    if one.unknown > one.unknown_bound:
        what = f"is unknown to the model in {one.unknown:.1%} instead of {one.unknown_reference:.1%}"
        found.append(finding("unknown_values", one.unknown, one.unknown_bound, what, source))
    remedy = f"{SEE}, then at the columns that moved with it" if one.column in ANSWERS else f"{SEE}; {source}"
    if one.ks is not None and one.ks_bound is not None and one.ks > one.ks_bound and not one.psi > one.psi_bound:
        found.append(finding("drift", one.ks, one.ks_bound, f"{_moved(one)}: KS {one.ks:.3g}", remedy))
    elif not found:
        found.append(finding("drift", one.psi, one.psi_bound, f"{_moved(one)}: PSI {one.psi:.3g}", remedy))
    return found


def _moved(one: ColumnDrift) -> str:
    """Which way numbers went, where they did: a distribution may as well have become wider."""
    if one.higher is None or abs(one.higher - 0.5) < LEAST_SHIFT:
        return "moved"
    return "moved up" if one.higher > 0.5 else "moved down"
