"""`look`: the performance of the model that decides now.

Owns which rows count, what is compared with the reference, and what is a breach. Leaves figures (sample, concept),
groups (grouping) and reading (decisions) to others.

A decision counts when it is old enough for its outcome to be known whatever it is (`target.mature_after_days`): bad
news comes early, and rows with early news alone would be worse than all are. Outcomes that the service itself keeps
from happening, as those of declined applicants, are missing not by chance. So outcomes are compared with what was
expected of the same rows, and with the reference only where declined applicants have outcomes as well.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np

from configs.dataset import Dataset
from configs.monitoring import Monitoring
from models.artifact import METRICS, Artifact
from monitoring.performance.concept import change, detect
from monitoring.performance.decisions import DecisionReader, Decisions
from monitoring.performance.grouping import columns_of, groups
from monitoring.performance.joining import events_of
from monitoring.performance.measures import Doubles, roc_auc_error
from monitoring.performance.results import Breach, Check, Concept, Figures, Performance
from monitoring.performance.sample import APPROVED, DECLINED, REFERRED, Sample, estimated, realised
from monitoring.performance.timeline import timeline, written
from monitoring.records.log_keys import LogKeys
from monitoring.records.models_archive import VersionGone, find_model
from monitoring.records.outcomes import OutcomeStore

CHECKED = ("roc_auc", "brier", "cost", "event_rate")
# Of the share of approved rows with an outcome, that of declined ones: enough to compare them all with a reference.
COVERED = 0.5
DAY_S = 86_400


class PerformanceLooker:
    """Looks again and again, and reads what is new alone; for one thread.

    Args:
        settings: where records are, and the bounds.
        keys: of the decision log.
    """

    def __init__(self, settings: Monitoring, keys: LogKeys) -> None:
        self._settings, self._keys = settings, keys
        self._artifacts: dict[str, Artifact | None] = {}
        names_of = OutcomeStore(settings, keys).names
        self._reader = DecisionReader(Path(settings.directory), keys, self._columns, names_of)

    def look(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        model: str | None = None,
        grouped: bool = True,
    ) -> Performance | None:
        """Return the performance of a model; None if it has decided nothing in that time.

        Args:
            since: of the first decisions; None for no bound.
            until: before which they are; likewise.
            model: name and version; by default the one that made the newest decision.
            grouped: whether groups are looked at too, which takes longer than all the rest and decides no breach.

        Raises:
            KeyMissing: the log is encrypted with another key.
            OutcomesUnavailable: the database of outcomes cannot be used.
        """
        every = self._reader.read(since, until)
        if model is not None:
            every = {tag: decisions for tag, decisions in every.items() if tag == model}
        if not every:
            return None
        tag = max(every, key=lambda one: float(every[one].rows.time_s.max()))
        decisions = every[tag]
        by_risk = np.argsort(decisions.rows.probability, kind="stable")  # once, as most figures need that order
        decisions = decisions._replace(rows=decisions.rows.take(by_risk))
        with OutcomeStore(self._settings, self._keys) as store:
            events = events_of(decisions, *store.named_events())
        now = datetime.now(UTC)
        return _performance(self._settings, tag, self._artifact(tag), decisions, events, now, grouped)

    def _artifact(self, tag: str) -> Artifact | None:
        if tag not in self._artifacts:
            try:
                self._artifacts[tag] = find_model(self._settings, os.environ, tag)
            except VersionGone:  # the probabilities still tell most
                self._artifacts[tag] = None
        return self._artifacts[tag]

    def _columns(self, tag: str) -> Sequence[str]:
        artifact = self._artifact(tag)
        return columns_of(artifact.schema.dataset) if artifact else ()


def look(
    settings: Monitoring,
    keys: LogKeys,
    since: datetime | None = None,
    until: datetime | None = None,
    model: str | None = None,
    grouped: bool = True,
) -> Performance | None:
    """Look, as `PerformanceLooker.look` does; a process that looks again and again reads what is new alone."""
    return _looker(settings, keys).look(since, until, model, grouped)


@lru_cache(maxsize=1)
def _looker(settings: Monitoring, keys: LogKeys) -> PerformanceLooker:
    return PerformanceLooker(settings, keys)


def _performance(
    settings: Monitoring,
    tag: str,
    artifact: Artifact | None,
    decisions: Decisions,
    events: Doubles,
    now: datetime,
    grouped: bool,
) -> Performance:
    dataset = artifact.schema.dataset if artifact else None
    least, confidence = settings.performance_least_outcomes, settings.performance_confidence
    time_s = decisions.rows.time_s
    young = np.zeros(len(time_s), dtype=np.bool_)
    if dataset:
        young = time_s > now.timestamp() - dataset.target.mature_after_days * DAY_S
    immature = int((young & ~np.isnan(events)).sum())
    sample = sample_of(decisions, np.where(young, np.nan, events), dataset)
    by_outcome, by_probability = realised(sample, least, confidence), estimated(sample, least, confidence)
    reference = msgspec.json.decode((artifact.folder / METRICS).read_bytes()) if artifact else {}
    concept = _concept(sample, time_s, least, settings.performance_false_alarms_per_year)
    breaches = []
    if concept and concept.breach and concept.since:
        breaches.append(Breach("concept", concept.p_value, concept.bound, concept.since))
    bound = _least_roc_auc(artifact, reference, settings)
    judged = {"estimated": by_probability, "realised": by_outcome if _covers_declined(sample) else {}}
    for kind, figures in judged.items():
        high = figures["roc_auc"].high if "roc_auc" in figures else None
        if high is not None and bound is not None and high < bound:
            breaches.append(Breach(f"{kind}_roc_auc", figures["roc_auc"].value or 0.0, bound, written(time_s.min())))
    return Performance(
        model=tag,
        since=written(time_s.min()),
        until=written(time_s.max()),
        rows=len(sample),
        with_outcome=int(sample.known.sum()),
        immature=immature,
        realised=by_outcome,
        estimated=by_probability,
        reference={name: value for name, value in reference.items() if isinstance(value, int | float)},
        check=_check(sample, by_outcome, least, confidence),
        concept=concept,
        groups=groups(dataset, sample, decisions, least, confidence) if dataset and grouped else [],
        windows=timeline(sample, time_s, least, confidence),
        breaches=breaches,
        breach=bool(breaches),
    )


def sample_of(decisions: Decisions, events: Doubles, dataset: Dataset | None) -> Sample:
    """The decisions with what each mistake costs; without a dataset file, by the decisions alone, as 1 and 1."""
    probability, decision = decisions.rows.probability, decisions.rows.decision
    missed, alarm = np.ones_like(probability), np.ones_like(probability)
    if dataset:

        def numbers(name: str) -> Doubles:
            values, codes = decisions.coded(name)
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64)[codes]

        missed, alarm = (np.broadcast_to(amount, probability.shape) for amount in dataset.costs.amounts(numbers))
        unknown = np.isnan(missed) | np.isnan(alarm)  # of erased rows
        missed, alarm = (np.where(unknown, 0.0, amount) for amount in (missed, alarm))
    declined = decision == DECLINED
    if (referred := decision == REFERRED).any():
        declined = np.where(referred, probability * missed >= (1 - probability) * alarm, declined)
    return Sample(probability, decision, declined, missed, alarm, events)


def _least_roc_auc(artifact: Artifact | None, reference: dict[str, Any], settings: Monitoring) -> float | None:
    """The ROC AUC below which an interval is a breach; None without a reference.

    That of the reference was measured on the few rows of the test part, so its own error is allowed for.
    """
    area, rows = reference.get("roc_auc"), reference.get("rows")
    if artifact is None or area is None or not rows:
        return None
    events = max(1.0, rows * artifact.background.base_rate)
    error = roc_auc_error(area, events, max(1.0, rows - events))
    z = NormalDist().inv_cdf(0.5 + settings.performance_confidence / 2)
    return float(area - z * error - settings.performance_most_auc_loss)


def _covers_declined(sample: Sample) -> bool:
    """Whether outcomes of declined applicants are known about as often as those of approved ones."""
    approved = sample.decision == APPROVED
    if approved.all() or not approved.any():
        return True
    return bool(sample.known[~approved].mean() >= COVERED * sample.known[approved].mean())


def _check(sample: Sample, by_outcome: Figures, least: int, confidence: float) -> dict[str, Check]:
    """The figures of the rows with an outcome, beside what was expected of the same rows."""
    expected = estimated(sample.rows(sample.known), least, confidence)
    found = {}
    for name in CHECKED:
        ours, theirs = by_outcome.get(name), expected.get(name)
        if ours is None or theirs is None or ours.value is None or theirs.value is None:
            continue
        low, high = theirs.low or 0.0, theirs.high or 0.0
        found[name] = Check(ours.value, theirs.value, low, high, low <= ours.value <= high)
    return found


def _concept(sample: Sample, time_s: Doubles, least: int, false_alarms_per_year: float) -> Concept | None:
    known = np.flatnonzero(sample.known)
    if len(known) < least:
        return None
    known = known[np.argsort(time_s[known], kind="stable")]
    probability, event = sample.probability[known], sample.event[known]
    found = detect(probability, event, time_s[known])
    if found.first is None:
        return Concept(found.p_value, false_alarms_per_year, breach=False)
    seen = change(probability[found.first :], event[found.first :])
    breach = found.p_value < false_alarms_per_year and seen.matters
    since = written(time_s[known[found.first]])
    told = seen.observed, seen.predicted, seen.auc_loss, seen.slope
    return Concept(found.p_value, false_alarms_per_year, breach, since, *told)
