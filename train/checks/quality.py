"""Data checks of a whole table: what a look at single cells cannot tell, and the exploration that goes with it.

Owns: drift against the champion's reference, the verdict. Leaves to others: the expectations (expectations), the
formulas (`monitoring.drift.statistics`), pages (report). `Report.as_dict` depends on table, dataset file and checks
file alone; what depends on the reference stands apart in `Report.drift`.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.checks import Checks
from configs.dataset import Dataset
from train.checks.expectations import CHECKS, HOME, Finding, examine
from train.checks.exploration import Exploration, explore
from train.errors import TableError
from train.tables.table import Table

LISTED = 1000  # lines of one finding that the report keeps
DIGITS = 6  # of a number in the report: the last ones differ between machines


@dataclass(frozen=True)
class DriftReport:
    """Every column against the reference.

    Attributes:
        rows: of the reference.
        columns: one dict a column: PSI and KS, the bounds from which they warn and stop, and a verdict.
        findings: of these, the ones to tell of.
    """

    rows: int
    columns: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers are rounded."""
        return {"reference_rows": self.rows, "columns": _rounded(self.columns), "findings": _listed(self.findings)}


@dataclass(frozen=True)
class Report:
    """What a table is like; `drift` is None where there is no champion to compare with."""

    path: Path
    dataset: Dataset
    rows: int
    events: int
    findings: tuple[Finding, ...]
    features: tuple[Exploration, ...]
    drift: DriftReport | None

    def stop_if_refused(self) -> None:
        """Raise a `TableError` that names every fault, if there is one."""
        every = [*self.findings, *(self.drift.findings if self.drift else ())]
        if faults := [finding.message for finding in every if finding.stops]:
            raise TableError(self.path, faults)

    def verdicts(self) -> dict[str, str]:
        """Each check but drift: `passed`, `warned` or `stopped`."""
        worst = {finding.check: "warned" for finding in self.findings}
        worst |= {finding.check: "stopped" for finding in self.findings if finding.stops}
        return {check: worst.get(check, "passed") for check in CHECKS}

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the same table always gives the same, whatever the reference; numbers are rounded."""
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
        }


def assess(dataset: Dataset, table: Table, checks: Checks, reference: bytes | None) -> Report:
    """Check and explore a table; raises nothing, so that a report can be written before `Report.stop_if_refused`.

    Args:
        dataset: the dataset file.
        table: as `train.check` has read it.
        checks: the bounds.
        reference: the champion's `reference_profile.bin`, a whylogs profile of its training rows; None without one.
    """
    findings = tuple(examine(dataset, table, checks))
    sound = not any(finding.stops and finding.check in CHECKS[:3] for finding in findings)
    return Report(
        path=Path(dataset.source.path),
        dataset=dataset,
        rows=len(table.target),
        events=int(table.target.sum()),
        findings=findings,
        features=explore(dataset, table, checks.bins) if sound else (),
        drift=compare(dataset, table, checks, reference) if sound and reference is not None else None,
    )


def compare(dataset: Dataset, table: Table, checks: Checks, reference: bytes) -> DriftReport:
    """Each column of the table against the reference.

    A column stops the pipeline where PSI or KS is above its bound and also above what chance would do in any of the
    columns with a probability of `checks.significance` (shared out among the tests, after Bonferroni).
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
            message = f"column {feature.name!r} is not in the reference; there is nothing to compare it with"
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
    return DriftReport(rows, tuple(columns), tuple(sorted(findings, key=lambda finding: not finding.stops)))


def _verdict(values: dict[str, float], bounds: dict[str, float]) -> str:
    for level, word in (("stops", "stopped"), ("warns", "warned")):
        if any(value > bounds.get(f"{name}_{level}_above", value) for name, value in values.items()):
            return word
    return "passed"


def _drifted(column: dict[str, Any]) -> Finding:
    stops = column["verdict"] == "stopped"
    level = "stops" if stops else "warns"
    said = [
        f"{name.upper()} {column[name]:.3f}, above {column[f'{name}_{level}_above']:.3f}"
        for name in ("psi", "ks")
        if f"{name}_{level}_above" in column and column[name] > column[f"{name}_{level}_above"]
    ]
    remedy = f"look for a change of unit, coding or source, or raise psi_stop and ks_stop in {HOME}"
    message = f"column {column['column']!r} has moved against the champion's training rows: {'; '.join(said)}"
    return Finding("drift", stops, f"{message}; {remedy}" if stops else message, column["column"])


def _listed(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [asdict(f) | {"lines": list(f.lines[:LISTED]), "rows": len(f.lines)} for f in findings]


def _rounded(value: Any) -> Any:
    """The same with every fraction rounded, in lists and dicts too."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value
