"""A finding: one thing that is wrong now, with what to do about it.

Owns: the type, the codes, and how two findings are told apart. Leaves to others: looking (looking), sending (actions).
"""

from datetime import datetime

from msgspec import Struct

CODES = {
    "drift": "a column is no longer distributed as when the model was made",
    "unknown_values": "a column has values that training never saw",
    "missing_values": "a column is empty more often than in training",
    "performance": "the model ranks, decides or costs worse than when it was made, by outcomes or by estimate",
    "concept": "outcomes follow from the inputs in another way than in training",
    "log_lag": "rows were answered that the decision log cannot give back",
    "profile_lag": "logged rows wait to be profiled, so drift is seen late",
    "no_traffic": "nothing has been scored for a while",
    "stale_model": "the served model is old",
    "disk": "the disk of the records is nearly full",
    "not_watched": "a part of the monitoring could not look",
}


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong now.

    Attributes:
        code: one of `CODES`.
        subject: what it is about: a column, a metric, a model or a folder. Code and subject are its identity.
        value: what was measured; None where there is no number.
        bound: what it is compared with, in the unit of `value`; None where there is no number.
        since: when it began, or was first seen where that cannot be known, UTC.
        message: what is wrong, in one sentence.
        remedy: what to do, in one sentence.
    """

    code: str
    subject: str
    value: float | None
    bound: float | None
    since: datetime
    message: str
    remedy: str

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two findings of different times the same."""
        return self.code, self.subject


class Findings(Struct, frozen=True):
    """The document that `python -m monitoring findings --json` prints."""

    findings: list[Finding]
