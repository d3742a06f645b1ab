"""Findings about how well the model does: by outcomes, before they arrive, and whether outcomes follow as they did.

Owns: words and remedies. Leaves to others: figures, bounds and what is a breach (performance).
"""

from datetime import UTC, datetime

from configs.monitoring import Monitoring
from monitoring.findings.finding import Finding
from monitoring.findings.part import Part
from monitoring.performance.looking import look
from monitoring.performance.results import Breach, Performance
from monitoring.records.log_keys import LogKeys

CONCEPT = "concept"
SAID = {
    "realised_roc_auc": ("by outcomes the model ranks worse than when it was made", "train on newer outcomes"),
    "estimated_roc_auc": (
        "by its own probabilities the model ranks these applicants worse than those it was made on",
        "see which columns moved (`python -m monitoring drift`), and whether outcomes agree",
    ),
}


def performance_part(
    settings: Monitoring,
    keys: LogKeys,
    now: datetime,  # noqa: ARG001 - as the other parts
    grouped: bool = True,
) -> Part:
    """Look at the performance of the model that decided last; it is None where nothing was decided."""
    found = look(settings, keys, grouped=grouped)
    return Part(performance_findings(found) if found else [], performance=found)


def performance_findings(found: Performance) -> list[Finding]:
    """The breaches, in words."""
    return [_concept(one, found) if one.code == CONCEPT else _ranking(one, found) for one in found.breaches]


def _ranking(breach: Breach, found: Performance) -> Finding:
    said, remedy = SAID.get(breach.code, (f"{breach.code} is worse than it may be", "look at the figures"))
    return Finding(
        code="performance",
        subject=breach.code,
        value=breach.value,
        bound=breach.bound,
        since=_time(breach.since),
        message=f"{said}: ROC AUC {breach.value:.3f} of {found.rows:,} decisions, at least {breach.bound:.3f} expected",
        remedy=f"{remedy}; `python -m monitoring performance` has the figures",
    )


def _concept(breach: Breach, found: Performance) -> Finding:
    seen = found.concept
    rates = ""
    if seen and seen.observed is not None and seen.predicted is not None:
        rates = f": {seen.observed:.1%} events where {seen.predicted:.1%} were expected"
    return Finding(
        code=CONCEPT,
        subject=found.model,
        value=breach.value,
        bound=breach.bound,
        since=_time(breach.since),
        message=f"outcomes follow from the inputs in another way than in training{rates}",
        remedy="train on newer outcomes; until then raise the costs or refer more, as the probabilities are off",
    )


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
