"""An explanation of a wide model: bounded work, a stated error, and still adding up."""

import math

import msgspec
import numpy as np
import pytest

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from models.background import Background, log_odds
from models.explanation import MAX_INPUTS, MAX_VALUES, Explainer
from models.schema import Schema

REFERENCE = 64


class Wide:
    """A model of `inputs` numbers that act in pairs, its reference, and an applicant; counts the values given to it."""

    def __init__(self, inputs):
        features = tuple(Feature(name=f"c{i}", type="number") for i in range(inputs))
        costs, target = Costs(missed_event=1, false_alarm=1), Target(column="target", event="yes")
        self.schema = Schema(
            Dataset(name="wide", source=Source(path="none"), target=target, costs=costs, features=features)
        )
        rng = np.random.default_rng(inputs)
        self.slopes = rng.normal(size=inputs) / math.sqrt(inputs)
        drawn = rng.normal(size=(REFERENCE, inputs)).tolist()
        applicants = tuple(dict(zip((f.name for f in features), values, strict=True)) for values in drawn)
        self.background = Background(base_rate=0.3, applicants=applicants)
        values = dict(zip((f.name for f in features), rng.normal(size=inputs).tolist(), strict=True))
        self.row = msgspec.convert(values | {"application_id": "1"}, self.schema.row)
        self.values = 0

    def probabilities(self, feed):
        table = np.concatenate(list(feed.values()), axis=1).astype(np.float64)
        self.values += table.size
        odds = table @ self.slopes - 0.5 + 0.2 * table[:, 0] * table[:, 1]
        return 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize(
    ("inputs", "whole"), [(20, True), (176, True), (177, False), (400, False), (MAX_INPUTS, False)]
)
def test_the_work_is_bounded_and_what_was_left_out_is_stated(inputs, whole):
    wide = Wide(inputs)
    explainer = Explainer(wide.schema, wide.probabilities, wide.background, "wide:1")
    wide.values = 0
    found = explainer.explain(wide.row)
    assert wide.values <= MAX_VALUES
    total = sum(one.log_odds for one in found.contributions)
    assert total == pytest.approx(found.log_odds - found.base_log_odds, abs=1e-9)
    assert (found.base_rate, found.base_log_odds) == (pytest.approx(0.3), pytest.approx(math.log(0.3 / 0.7)))
    assert (found.standard_error is None) == whole
    assert (b"standard_error" not in msgspec.json.encode(found)) == whole
    assert found == explainer.explain(wide.row)


def test_the_error_that_is_stated_is_about_the_one_made(monkeypatch):
    wide = Wide(200)
    partial = Explainer(wide.schema, wide.probabilities, wide.background, "wide:1").explain(wide.row)
    monkeypatch.setattr("models.explanation.MAX_VALUES", 10 * MAX_VALUES)
    whole = Explainer(wide.schema, wide.probabilities, wide.background, "wide:1").explain(wide.row)
    assert whole.standard_error is None
    apart = [a.log_odds - b.log_odds for a, b in zip(partial.contributions, whole.contributions, strict=True)]
    assert 0 < max(map(abs, apart)) < 4 * partial.standard_error
    assert partial.standard_error < 0.5 * max(abs(one.log_odds) for one in whole.contributions)


def test_a_model_without_any_odds_around_the_base_rate_is_explained_all_the_same():
    wide = Wide(MAX_INPUTS)
    far = Background(base_rate=0.999999, applicants=wide.background.applicants)
    explainer = Explainer(wide.schema, wide.probabilities, far, "wide:1")
    found = explainer.explain(wide.row)
    assert sum(one.log_odds for one in found.contributions) == pytest.approx(found.log_odds - found.base_log_odds)
    assert found.log_odds == pytest.approx(float(log_odds(np.array([found.probability]))[0]))
