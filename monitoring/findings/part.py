"""What one part of the monitoring gives to the findings, and what stands there if it could not look."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from monitoring.drift.looking import ColumnDrift
from monitoring.findings.finding import Finding
from monitoring.performance.results import Performance


class Part(NamedTuple):
    """The findings, and the figures behind them for whoever shows them.

    Attributes:
        findings: what is wrong.
        drift: of each model and column the day that counts now.
        performance: of the model that decided last.
    """

    findings: list[Finding]
    drift: Sequence[ColumnDrift] = ()
    performance: Performance | None = None

    def joined(self, other: "Part") -> "Part":
        """Both together."""
        findings, drift = [*self.findings, *other.findings], [*self.drift, *other.drift]
        return Part(findings, drift, self.performance or other.performance)


def blind(subject: str, command: str, why: str, now: datetime) -> Finding:
    """The finding that something could not be looked at, so that its silence is not taken for health."""
    return Finding(
        code="not_watched",
        subject=subject,
        value=None,
        bound=None,
        since=now,
        message=f"{subject} could not be looked at: {why}",
        remedy=f"mend what the message names, then run `python -m monitoring {command}`",
    )
