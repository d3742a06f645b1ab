"""Drift and performance in the text format of Prometheus.

Owns: names and labels of these metrics. Leaves to others: the figures, the format (metrics_text).
"""

from collections.abc import Sequence

from monitoring.drift.looking import ColumnDrift
from monitoring.performance.results import Figures, Performance
from monitoring.watch.metrics_text import Samples, gauge

STATISTICS = ("psi", "psi_bound", "ks", "ks_bound", "js", "p_value", "nulls", "unknown")
PARTS = ("value", "low", "high")


def drift_metrics(columns: Sequence[ColumnDrift]) -> str:
    """How far each column has moved; `feature` is a column of the applicant, `probability` or `decision`."""
    labelled = [({"model": one.model, "feature": one.column}, one) for one in columns]
    return gauge(
        "scorer_drift",
        "How far a column of the current day is from the reference of the model",
        [(labels | {"statistic": name}, getattr(one, name)) for labels, one in labelled for name in STATISTICS],
    ) + gauge("scorer_drift_rows", "Rows of the current day", [(labels, one.rows) for labels, one in labelled])


def performance_metrics(found: Performance | None) -> str:
    """How well the model does: of all decisions, and of audited groups; `part` is the value or an end of its interval.

    `source` is `realised` by outcomes, `estimated` without them, or the `reference` from training, without an interval.
    """
    if found is None:
        return ""
    model = {"model": found.model}
    sources = {"realised": found.realised, "estimated": found.estimated}
    samples = [one for source, figures in sources.items() for one in _figures(model | {"source": source}, figures)]
    shown = found.realised.keys() | found.estimated.keys()
    labels = model | {"source": "reference", "part": "value"}
    samples += [(labels | {"metric": name}, found.reference[name]) for name in sorted(shown & found.reference.keys())]
    groups = [
        one
        for group in found.groups
        if group.audited
        for source, figures in {"realised": group.realised, "estimated": group.estimated}.items()
        for one in _figures(model | {"column": group.column, "group": group.group, "source": source}, figures)
    ]
    return "".join(
        gauge(name, about, values)
        for name, about, values in (
            ("scorer_performance", "How well the model does", samples),
            ("scorer_group_performance", "How well the model does on an audited group", groups),
            ("scorer_decisions", "Decisions that performance is of", [(model, found.rows)]),
            ("scorer_decisions_with_outcome", "Of these with a mature outcome", [(model, found.with_outcome)]),
            (
                "scorer_concept_p_value",
                "Of the test whether outcomes follow the probabilities",
                [(model, found.concept.p_value if found.concept else None)],
            ),
        )
    )


def _figures(labels: dict[str, str], figures: Figures) -> Samples:
    return [
        (labels | {"metric": name, "part": part}, getattr(figure, part))
        for name, figure in figures.items()
        for part in PARTS
    ]
