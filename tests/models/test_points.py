"""Points: the scale, whole numbers, and shares of features that add up."""

import math

import msgspec
import numpy as np
import pytest

from configs.dataset import Dataset, Source, Target
from configs.feature import Feature
from configs.policy import Costs, Refer, ScoreScale
from models.background import Background
from models.explanation import Explainer
from models.points import Points
from models.schema import Schema

SCALE = ScoreScale(points=600, odds=50, double=20)


def test_the_odds_have_their_points_and_double_odds_have_more():
    odds = 50 * 2.0 ** np.arange(-10, 6)
    assert Points(SCALE).scores(1 / (1 + odds)) == list(range(400, 720, 20))


def test_a_higher_probability_never_has_more_points_and_the_ends_are_finite():
    probabilities = np.linspace(0, 1, 10_001)
    scores = Points(SCALE).scores(probabilities)
    assert scores == sorted(scores, reverse=True)
    assert all(type(score) is int for score in scores)
    assert Points(SCALE).scores([math.nan]) == Points(SCALE).scores([1.0])


def test_a_score_does_not_depend_on_the_batch():
    probabilities = np.random.default_rng(0).uniform(0, 1, 1000).astype(np.float32).tolist()
    points = Points(SCALE)
    assert points.scores(probabilities) == [points.scores([one])[0] for one in probabilities]


@pytest.mark.parametrize("seed", range(20))
def test_the_points_of_features_add_up_to_the_score_and_none_is_off_by_one(seed):
    rng, points = np.random.default_rng(seed), Points(SCALE)
    shares = rng.normal(0, 0.5, rng.integers(1, 60))
    base = rng.normal(-1, 1)
    score = points.scores([1 / (1 + math.exp(-(base + shares.sum())))])[0]
    start, each = points.shares(base, shares.tolist(), score)
    assert start + sum(each) == score
    exact = [points.offset - points.factor * base, *(-points.factor * shares)]
    assert max(abs(one - whole) for one, whole in zip(exact, [start, *each], strict=True)) < 1


def explained(**policy):
    """An explanation of an applicant by a model of two numbers, and one of an applicant with a lower probability."""
    features = tuple(Feature(name=name, type="number", minimum=0, maximum=9) for name in "ab")
    costs = Costs(missed_event=1, false_alarm=1)
    source, target = Source(path="none"), Target(column="paid", event="no")
    dataset = Dataset(name="loans", source=source, target=target, costs=costs, features=features, **policy)
    schema = Schema(dataset)
    background = Background(base_rate=0.4, applicants=tuple({"a": float(a), "b": float(a % 3)} for a in range(6)))
    explainer = Explainer(
        schema, lambda feed: 1 / (1 + np.exp(1.37 - 0.21 * feed["a"][:, 0] - 0.4 * feed["b"][:, 0])), background, "m:1"
    )
    rows = [{"a": 9, "b": 2, "application_id": "1"}, {"a": 2, "b": 2, "application_id": "2"}]
    return [explainer.explain(msgspec.convert(row, schema.row)) for row in rows]


def test_an_explanation_has_the_points_of_each_feature():
    for one in explained(score=SCALE):
        assert one.score == Points(SCALE).scores([one.probability])[0]
        assert one.base_points + sum(part.points for part in one.contributions) == one.score
        assert {(part.log_odds > 0) <= (part.points <= 0) for part in one.contributions} == {True}


def test_without_a_scale_an_explanation_is_written_as_before():
    written = msgspec.json.decode(msgspec.json.encode(explained()[0]))
    assert set(written["contributions"][0]) == {"feature", "value", "log_odds"}
    assert set(written) == {
        *("application_id", "probability", "decision", "model", "base_rate", "base_log_odds", "log_odds"),
        *("contributions", "reasons"),
    }


def test_a_referral_has_reasons_as_a_person_may_decline():
    declined, approved = explained()
    assert (declined.decision, bool(declined.reasons)) == ("decline", True)
    assert (approved.decision, approved.reasons) == ("approve", [])
    _, referred = explained(refer=Refer(start=0.3, end=0.5))
    assert (referred.decision, bool(referred.reasons)) == ("refer", True)
