"""The principal reasons for a decline: which features are told, and in which words.

Owns the choice, and the types of a contribution and a reason. Leaves the contributions to `models.explanation`, the
words to the dataset file, and which values count as high to `models.background`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from configs.feature import Feature

MAX_REASONS = 4  # Regulation B, official commentary on 12 CFR 1002.9(b)(2): more are not likely to help the applicant


class Contribution(Struct, frozen=True, gc=False, omit_defaults=True):
    """The contribution of one feature."""

    feature: str
    value: Annotated[Any, Meta(description="as sent; null where it is missing")]
    log_odds: Annotated[float, Meta(description="above 0 where it raises the probability of the event")]
    points: Annotated[
        int | None, Meta(description="that it adds to the score, rounded so that all of them add up to it")
    ] = None


class Reason(Struct, frozen=True, gc=False):
    """One principal reason for a decline."""

    feature: str
    text: Annotated[str, Meta(description="the feature in plain words, from the dataset file")]
    value: Annotated[Any, Meta(description="as sent; null where it is missing")]
    log_odds: float


def principal_reasons(
    contributions: list[Contribution], features: tuple[Feature, ...], higher_from: Mapping[str, float]
) -> list[Reason]:
    """At most four reasons, the strongest first: the features that favour the event, or else the closest one.

    A text that several features share is told once, of the strongest of them. `higher_from` is from the reference.

    >>> shares = [Contribution("term", 48, 0.5), Contribution("savings", "none", -0.1)]
    >>> term = Feature(name="term", type="integer", reason="the term of the credit")
    >>> principal_reasons(shares, (term, Feature(name="savings", type="categorical")), {})
    [Reason(feature='term', text='the term of the credit', value=48, log_odds=0.5)]
    """
    by_name = {feature.name: feature for feature in features}
    ordered = sorted(contributions, key=lambda contribution: -contribution.log_odds)
    reasons: dict[str, Reason] = {}
    for one in [contribution for contribution in ordered if contribution.log_odds > 0] or ordered[:1]:
        limit = higher_from.get(one.feature)
        higher = None if limit is None or one.value is None else bool(one.value >= limit)
        text = by_name[one.feature].reason_text(higher=higher)
        reasons.setdefault(text, Reason(one.feature, text, one.value, one.log_odds))
    return list(reasons.values())[:MAX_REASONS]
