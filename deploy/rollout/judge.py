"""Judges a canary beside the stable instance: availability, latency, decisions, fairness.

Owns: which figure breaks which objective, and the words for it. Leaves to others: counting (counts), the statistics
(proportions), what follows (canary). Pure: the same counts give the same verdict.

Shares are compared by intervals whose whole must lie beyond the bound, at a confidence that allows for a hundred looks.
"""

from collections.abc import Iterator

from configs.rollout import Objectives
from deploy.rollout.counts import Counts
from deploy.rollout.errors import Breach
from deploy.rollout.proportions import LogRatio, Proportion, difference, log_ratio
from deploy.rollout.state import Totals

LEAST_FAILURES = 3  # fewer failing requests are a mishap


def judge(objectives: Objectives, new: Counts, stable: Counts, spent: Totals, stalled_s: float) -> Breach | None:
    """The first objective that the canary has broken; None as long as it keeps them.

    Args:
        objectives: its bounds.
        new: counts of this step, of the canary.
        stable: of the stable instance.
        spent: requests of both since the canary began, and failures of the canary among them.
        stalled_s: how long the canary has had requests and answered none.
    """
    return next(_breaches(objectives, new, stable, spent, stalled_s), None)


def error_budget(objectives: Objectives, requests: int) -> float:
    """How many of so many requests the canary may fail: the share that the objective leaves, or the least budget."""
    return max(objectives.least_budget, (1 - objectives.availability) * requests)


def _breaches(objectives: Objectives, new: Counts, stable: Counts, spent: Totals, stalled_s: float) -> Iterator[Breach]:
    if not new.is_up:
        yield Breach("health", "its health check fails")
    if stalled_s >= objectives.stalled_s and new.in_flight >= LEAST_FAILURES:  # one may be a slow upload
        yield Breach("stalled", f"{new.in_flight} requests wait, and none was answered for {stalled_s:.1f} s")
    failed = difference(new.failed, stable.failed, objectives.confidence)
    if new.failed.hits >= LEAST_FAILURES and failed.low > objectives.failing_gap:
        yield Breach("errors", f"{_of(new.failed)} requests failed, of the stable one {_of(stable.failed)}")
    if spent.failures > (budget := error_budget(objectives, spent.requests)):
        yield Breach("error budget", f"{spent.failures} requests failed, and the budget is {budget:.0f}")
    refused = difference(new.refusals, stable.refusals, objectives.confidence)
    if new.refusals.hits >= LEAST_FAILURES and refused.low > objectives.refused_gap:
        yield Breach("refusals", f"{_of(new.refusals)} requests were refused, by the stable one {_of(stable.refusals)}")
    yield from _latency(objectives, new, stable)
    yield from _decisions(objectives, new, stable)
    yield from _fairness(objectives, new, stable)


def _latency(objectives: Objectives, new: Counts, stable: Counts) -> Iterator[Breach]:
    if new.http_ended < objectives.least_latency_requests:
        return
    if new.response_ms > objectives.latency_ms:
        yield Breach("latency", f"{new.response_ms} ms on average, and {objectives.latency_ms:g} ms are allowed")
    slower = new.response_ms > objectives.latency_ratio * stable.response_ms
    if slower and new.response_ms - stable.response_ms > objectives.latency_gap_ms:
        yield Breach("latency", f"{new.response_ms} ms on average, the stable one {stable.response_ms} ms")


def _decisions(objectives: Objectives, new: Counts, stable: Counts) -> Iterator[Breach]:
    one, other = new.independent(new.approved), stable.independent(stable.approved)
    if min(one.of, other.of) < objectives.least_rows:
        return
    gap = difference(one, other, objectives.confidence)
    if gap.low > objectives.decision_gap or gap.high < -objectives.decision_gap:
        yield Breach("decisions", f"{_of(new.approved)} applicants approved, by the stable one {_of(stable.approved)}")


def _fairness(objectives: Objectives, new: Counts, stable: Counts) -> Iterator[Breach]:
    for column in new.columns:
        found = _approval_ratio(new.groups_of(column), objectives.least_rows)
        if found is None:
            continue
        worst, ratio = found
        if ratio.below(objectives.approval_ratio, objectives.confidence):
            yield Breach("fairness", f"{column}: {worst} is approved {ratio.ratio:.2f} times as often as others")
        known = _approval_ratio(stable.groups_of(column), objectives.least_rows)
        if known and ratio.over(known[1]).below(objectives.approval_ratio_drop, objectives.confidence):
            before = f"by the stable one {known[1].ratio:.2f} times"
            yield Breach(
                "fairness", f"{column}: {worst} is approved {ratio.ratio:.2f} times as often as others, {before}"
            )


def _approval_ratio(groups: dict[str, Proportion], least_rows: int) -> tuple[str, LogRatio] | None:
    """The group with the lowest approval rate, and that rate over the highest; None with fewer than two large groups.

    >>> name, ratio = _approval_ratio({"young": Proportion(30, 99), "old": Proportion(60, 99)}, 30)
    >>> name, round(ratio.ratio, 1)
    ('young', 0.5)
    """
    large = {name: proportion for name, proportion in groups.items() if proportion.of >= least_rows}
    if len(large) < 2:
        return None
    worst = min(large, key=lambda name: large[name].share)
    best = max(large.keys() - {worst}, key=lambda name: large[name].share)
    return worst, log_ratio(large[worst], large[best])


def _of(proportion: Proportion) -> str:
    """A proportion in words.

    >>> _of(Proportion(1, 8))
    '1 of 8 (12.5%)'
    """
    return f"{proportion.hits:,} of {proportion.of:,} ({proportion.share:.1%})"
