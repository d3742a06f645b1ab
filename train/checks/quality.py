"""The data report: checks and exploration of a table, and drift against the champion's training rows.

Owns drift against the champion's reference, and the verdicts. Leaves the checks to `train.checks.expectations`, the
formulas to `monitoring.drift.statistics`, and pages to `train.checks.data_report`. `Report.as_dict` depends only on
table, dataset file and checks file; `Report.drift` also depends on the reference.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.checks import Checks
from configs.dataset import Dataset
from configs.gates import Gates
from train.checks.expectations import CHECKS, CHECKS_FILE, Finding, examine
from train.checks.exploration import Exploration, explore
from train.checks.population import VINTAGES, Before, Rate, examine_rate, examine_vintages, rates_by_vintage
from train.errors import TableError
from train.evaluation.results import format_figure
from train.gating import leaks
from train.tables.table import Table

MAX_LINES = 1000  # line numbers per finding in the report
DIGITS = 6  # decimals in the report; further ones differ between machines


@dataclass(frozen=True)
class DriftReport:
    """Every column against the reference.

    Attributes:
        rows: of the reference.
        columns: one dict per column: PSI and KS, the bounds above which they warn and stop, and a verdict.
        findings: the columns that warn or stop.
    """

    rows: int
    columns: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers are rounded."""
        return {"reference_rows": self.rows, "columns": _rounded(self.columns), "findings": _listed(self.findings)}


@dataclass(frozen=True)
class Report:
    """The report on a table; `drift` is None if there is no champion to compare with."""

    path: Path
    dataset: Dataset
    rows: int
    events: int
    findings: tuple[Finding, ...]
    features: tuple[Exploration, ...]
    drift: DriftReport | None
    vintages: tuple[Rate, ...] = ()

    def stop_if_refused(self) -> None:
        """Raise a `TableError` that lists every finding that stops the pipeline, if there is one."""
        every = [*self.findings, *(self.drift.findings if self.drift else ())]
        if faults := [finding.message for finding in every if finding.stops]:
            raise TableError(self.path, faults)

    def verdicts(self) -> dict[str, str]:
        """The verdict of each check except drift: `passed`, `warned` or `stopped`."""
        worst = {finding.check: "warned" for finding in self.findings}
        worst |= {finding.check: "stopped" for finding in self.findings if finding.stops}
        return {check: worst.get(check, "passed") for check in (*CHECKS, *([VINTAGES] if self.vintages else []))}

    def as_dict(self) -> dict[str, Any]:
        """For JSON; independent of the reference, with rounded numbers."""
        return {
            "dataset": self.dataset.name,
            "description": self.dataset.description,
            "rows": self.rows,
            "target": self.dataset.target.column,
            "event": self.dataset.target.event,
            "events": self.events,
            "checks": self.verdicts(),
            "findings": _listed(self.findings),
            "features": _rounded([asdict(feature) for feature in self.features]),
        } | ({"vintages": _rounded([asdict(rate) for rate in self.vintages])} if self.vintages else {})


def assess(
    dataset: Dataset,
    table: Table,
    checks: Checks,
    reference: bytes | None,
    gates: Gates,
    base_rate: float | None = None,
) -> Report:
    """Check and explore a table; raises nothing, so that the report can be written before `Report.stop_if_refused`.

    Args:
        dataset: the dataset file.
        table: as read by `train.check`.
        checks: the bounds.
        reference: the champion's `reference_profile.bin`, a whylogs profile of its training rows; None without one.
        gates: the bounds on what a single column may tell of the outcome.
        base_rate: the share of the event among the champion's training rows; None where it does not say.
    """
    findings = tuple(examine(dataset, table, checks))
    sound = not any(finding.stops and finding.check in CHECKS[:3] for finding in findings)
    features = explore(dataset, table, checks.bins) if sound else ()
    findings += tuple(leak_findings(dataset, gates, features))
    vintages = rates_by_vintage(table)
    findings += tuple(examine_vintages(dataset, table, checks, vintages))
    return Report(
        path=Path(dataset.source.path),
        dataset=dataset,
        rows=len(table.target),
        events=int(table.target.sum()),
        findings=findings,
        features=features,
        drift=compare(dataset, table, checks, reference, base_rate) if sound and reference is not None else None,
        vintages=vintages,
    )


def leak_findings(dataset: Dataset, gates: Gates, features: Sequence[Exploration]) -> list[Finding]:
    """What the gates on single columns have to say, before anything is trained on them."""
    found = []
    for verdict in leaks.judge(dataset, gates, [asdict(feature) for feature in features]):
        kind, _, column = verdict.gate.partition(", ")
        figure = f"{kind} {format_figure(verdict, '')}"
        if verdict.status == "fail":
            message = f"column {column!r}: {figure}, {verdict.bound} is allowed; {verdict.remedy}"
            found.append(Finding("leaks", True, message, column))
        elif verdict.status == "waived":
            found.append(Finding("leaks", False, f"column {column!r}: {figure}, waived: {verdict.waiver}", column))
    return found


def compare(
    dataset: Dataset, table: Table, checks: Checks, reference: bytes, base_rate: float | None = None
) -> DriftReport:
    """Each column of the table against the reference, and the share of the event against `base_rate`.

    A column stops the pipeline if PSI or KS exceeds both its bound and what chance reaches in any of the columns with
    probability `checks.significance` (divided among the tests, after Bonferroni).
    """
    from monitoring.drift.distributions import drift_of
    from monitoring.profiles import whylogs_compat as why
    from monitoring.profiles.profile import profile_columns

    before = why.DatasetProfileView.deserialize(reference)
    after = profile_columns(table.columns, "table", datetime.fromtimestamp(0, UTC))
    tests = sum(1 if feature.type == "categorical" else 2 for feature in dataset.features)
    columns: list[dict[str, Any]] = []
    findings = []
    for feature in dataset.features:
        drift = drift_of(feature, before, after, checks.bins, checks.significance / tests)
        if drift is None:
            message = f"column {feature.name!r} is not in the reference, so it cannot be compared"
            findings.append(Finding("drift", False, message, feature.name))
            continue
        bounds = {
            "psi_warns_above": max(checks.psi_warn, drift.psi_by_chance),
            "psi_stops_above": max(checks.psi_stop, drift.psi_by_chance),
        }
        if drift.ks is not None:
            bounds["ks_warns_above"] = max(checks.ks_warn, drift.ks_by_chance or 0)
            bounds["ks_stops_above"] = max(checks.ks_stop, drift.ks_by_chance or 0)
        verdict = _verdict({"psi": drift.psi, "ks": drift.ks or 0.0}, bounds)
        columns.append(asdict(drift) | bounds | {"verdict": verdict})
        if verdict != "passed":
            findings.append(_drifted(columns[-1]))
    rows = max((column["reference_rows"] for column in columns), default=0)
    if base_rate is not None and rows:
        findings += examine_rate(dataset, table, checks, Before(base_rate, rows))
    return DriftReport(rows, tuple(columns), tuple(sorted(findings, key=lambda finding: not finding.stops)))


def _verdict(values: dict[str, float], bounds: dict[str, float]) -> str:
    for level, word in (("stops", "stopped"), ("warns", "warned")):
        if any(value > bounds.get(f"{name}_{level}_above", value) for name, value in values.items()):
            return word
    return "passed"


def _drifted(column: dict[str, Any]) -> Finding:
    stops = column["verdict"] == "stopped"
    level = "stops" if stops else "warns"
    exceeded = [
        f"{name.upper()} {column[name]:.3f}, above {column[f'{name}_{level}_above']:.3f}"
        for name in ("psi", "ks")
        if f"{name}_{level}_above" in column and column[name] > column[f"{name}_{level}_above"]
    ]
    remedy = f"look for a change of unit, coding or source, or raise psi_stop and ks_stop in {CHECKS_FILE}"
    message = f"column {column['column']!r} has drifted from the champion's training rows: {'; '.join(exceeded)}"
    return Finding("drift", stops, f"{message}; {remedy}" if stops else message, column["column"])


def _listed(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [asdict(f) | {"lines": list(f.lines[:MAX_LINES]), "rows": len(f.lines)} for f in findings]


def _rounded(value: Any) -> Any:
    """`value` with every float rounded, also inside lists and dicts."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value
