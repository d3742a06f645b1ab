"""Effects, interactions and errors of functions whose answers are known."""

import msgspec
import numpy as np
import pytest

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from models.schema import Schema
from train.evaluation.results import Importance
from train.evaluation.substitution import Applicants
from train.tables.column import NumberColumn
from train.tables.table import Table
from train.validation.behaviour import behaviour
from train.validation.effects import effect
from train.validation.interactions import interactions
from train.validation.sensitivity import sensitivity

FEATURES = (
    Feature(name="income", type="number", minimum=0, nullable=True, unit="EUR"),
    Feature(name="children", type="integer", minimum=0, maximum=9),
    Feature(name="housing", type="categorical", categories=("own", "rent", "parents")),
)
INCOME, CHILDREN, HOUSING = FEATURES
SCHEMA = Schema(
    Dataset(
        name="known",
        source=Source(path="-"),
        target=Target(column="outcome", event="1"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=FEATURES,
    )
)
DRAWN = np.random.default_rng(0)
TABLE = Table(
    {
        "income": NumberColumn(DRAWN.uniform(0, 100, 200)),
        "children": NumberColumn(DRAWN.integers(0, 4, 200).astype(float)),
        "housing": np.array(["own"] * 120 + ["rent"] * 80, dtype=object),
    },
    np.tile([0, 1], 100),
)


def sigmoid(log_odds):
    return 1 / (1 + np.exp(-log_odds))


def parts(feed):
    income = np.where(np.isnan(feed["income"][:, 0]), 200, feed["income"][:, 0]).astype(np.float64)
    return income / 50, feed["children"][:, 0].astype(np.float64), (feed["housing"][:, 0] == "rent").astype(np.float64)


def adding(feed):
    income, children, rent = parts(feed)
    return sigmoid(children - income + rent)


def multiplying(feed):
    income, children, rent = parts(feed)
    return sigmoid(income * children + rent)


def applicants(probabilities, rows=60):
    return Applicants(SCHEMA.feed_columns(TABLE.rows(np.arange(rows) * 3 % 200).columns), probabilities)


def test_the_partial_dependence_is_the_mean_of_the_curves_at_every_value():
    some = applicants(adding, 30)
    found = effect(CHILDREN, TABLE.arrays["children"], some)
    assert found.values == found.places == [0, 1, 2, 3]
    assert found.density == pytest.approx([(TABLE.arrays["children"] == count).mean() for count in range(4)])
    assert np.array(found.curves).shape == (30, 4)
    assert found.mean == pytest.approx(np.array(found.curves).mean(axis=0))
    income, _, rent = parts(some.feed)
    assert found.mean[2] == pytest.approx(sigmoid(2 - income + rent).mean())


def test_a_number_is_walked_between_its_outer_percentiles_and_missing_is_apart():
    found = effect(INCOME, TABLE.arrays["income"], applicants(adding))
    assert 0 < found.values[0] < 3
    assert 97 < found.values[-1] < 100
    assert len(found.places) == len(found.density) == 24
    assert 0.95 < sum(found.density) <= 1
    assert found.unit == "EUR"
    _, children, rent = parts(applicants(adding).feed)
    assert found.missing == pytest.approx(sigmoid(children - 4 + rent).mean())


def test_categories_are_those_that_rows_have_the_most_frequent_first():
    found = effect(HOUSING, TABLE.arrays["housing"], applicants(adding))
    assert (found.values, found.density) == (["own", "rent"], [0.6, 0.4])
    assert found.mean[0] < found.mean[1]
    assert found.missing is None


def test_a_column_that_is_always_missing_has_no_effect_to_show():
    assert effect(INCOME, np.full(5, np.nan), applicants(adding)) is None
    assert sensitivity(INCOME, np.full(5, np.nan), applicants(adding), 0.5) is None


def test_log_odds_that_add_up_have_no_interaction():
    for found in interactions(["income", "children", "housing"], applicants(adding)):
        assert found.h == pytest.approx(0, abs=1e-6)
        assert found.strength == pytest.approx(0, abs=1e-6)


def test_a_product_interacts_as_the_statistic_of_friedman_and_popescu_says():
    some = applicants(multiplying)
    found = {one.features: one for one in interactions(["income", "children", "housing"], some)}
    income, children, _ = parts(some.feed)
    # F_jk = x y; F_j = x mean(y); F_k = y mean(x), each centred.
    joint = income * children - (income * children).mean()
    added = (income - income.mean()) * children.mean() + (children - children.mean()) * income.mean()
    h = np.sqrt(((joint - added) ** 2).sum() / (joint**2).sum())
    (pair,) = [one for names, one in found.items() if set(names) == {"income", "children"}]
    assert pair.h == pytest.approx(h, rel=1e-4)
    assert pair.strength == pytest.approx(np.sqrt(((joint - added) ** 2).mean()), rel=1e-4)
    assert found[("income",)].strength == pytest.approx(found[("children",)].strength, rel=1e-4)
    assert found[("housing",)].h == pytest.approx(0, abs=1e-4)


def test_an_error_in_a_number_is_made_up_and_down_within_the_range():
    some = applicants(lambda feed: feed["children"][:, 0] / 10)
    found = sensitivity(CHILDREN, TABLE.arrays["children"], some, 0.15)
    children = some.feed["children"][:, 0]
    assert found.error == "± 1"  # a tenth of the standard deviation is no whole number
    assert found.flips == pytest.approx(0.5 * np.isin(children, (1, 2)).mean())  # at 2 down, at 1 up
    assert found.mean == pytest.approx(0.1 * (1 - 0.5 * (children == 0).mean()))  # below 0 there is none
    assert found.largest == pytest.approx(0.1)
    assert found.lost is None


def test_a_category_is_mistaken_for_the_others_as_often_as_they_occur():
    worth = {"own": 0.1, "rent": 0.2, "parents": 0.9}
    column = np.array(["own"] * 5 + ["rent"] * 3 + ["parents"] * 2, dtype=object)
    some = Applicants(
        {"housing": column[:, None]}, lambda feed: np.array([worth[text] for text in feed["housing"][:, 0]])
    )
    found = sensitivity(HOUSING, column, some, 0.5)
    # own: parents 2 of 5; rent: parents 2 of 7; parents: always
    assert found.flips == pytest.approx((5 * 2 / 5 + 3 * 2 / 7 + 2) / 10)
    assert found.largest == pytest.approx(0.8)


def test_a_value_that_is_lost_flips_decisions_where_it_may_be_missing():
    found = sensitivity(
        INCOME, TABLE.arrays["income"], applicants(lambda feed: np.isnan(feed["income"][:, 0]) * 1.0), 0.5
    )
    assert (found.flips, found.lost) == (0, 1)
    assert found.error.endswith(" EUR")


def test_the_columns_looked_at_are_the_most_important_ones_and_what_is_found_can_be_written_and_read():
    importance = [Importance("children", 0.2, 0.1), Importance("housing", 0.1, 0.1)]
    found = behaviour(SCHEMA, adding, TABLE, importance)
    assert [one.feature for one in found.effects] == ["children", "housing"]
    assert {one.feature for one in found.sensitivities} == {"children", "housing"}
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
