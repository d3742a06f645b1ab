"""Contributions: they add up, are Shapley values, and depend on the applicant alone."""

import itertools
import json
import math

import msgspec
import numpy as np
import pytest

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import DirectedReason, Feature
from models.artifact import Artifact
from models.background import Background, log_odds
from models.explanation import Explainer
from models.reasons import MAX_REASONS, Contribution, principal_reasons
from models.request import RequestDecoder
from models.schema import Schema

NUMBERS = ("a", "b", "c", "d")
KINDS = ("x", "y", "z")


@pytest.fixture(scope="module")
def small():
    """Four numbers and a category of which the last number is often missing, and one protected column."""
    features = [Feature(name=name, type="number", nullable=name == "d") for name in NUMBERS]
    features.append(Feature(name="kind", type="categorical", categories=KINDS, reason="what kind it is"))
    features.append(Feature(name="secret", type="number", protected=True))
    return Schema(
        Dataset(
            name="small",
            source=Source(path="none"),
            target=Target(column="target", event="yes"),
            costs=Costs(missed_event=1, false_alarm=1),
            features=tuple(features),
        )
    )


@pytest.fixture(scope="module")
def background():
    """Twelve applicants, drawn at random."""
    rng = np.random.default_rng(3)
    applicants = tuple(
        {name: float(rng.integers(0, 4)) for name in NUMBERS}
        | {"kind": KINDS[rng.integers(3)]}
        | ({"d": None} if rng.random() < 0.3 else {})
        for _ in range(12)
    )
    return Background(base_rate=0.4, applicants=applicants)


def sizes(feed):
    """The columns of a feed as `[batch]` numbers; missing is 0."""
    kinds = np.array([KINDS.index(text) for text in feed["kind"][:, 0]], dtype=np.float64)
    return {name: np.nan_to_num(feed[name][:, 0]).astype(np.float64) for name in NUMBERS} | {"kind": kinds}


def two_together(feed):
    """A model in which two features act together at most, and `c` not at all."""
    v = sizes(feed)
    return sigmoid(0.4 * v["a"] - 0.3 * v["b"] ** 2 + 0.5 * v["a"] * v["kind"] - 0.2 * v["d"] * v["b"] - 0.5)


def all_together(feed):
    """A model in which four features act together."""
    v = sizes(feed)
    return sigmoid(0.1 * v["a"] * v["b"] * v["kind"] * v["d"] + 0.3 * v["c"] - 1)


def twins(feed):
    """A model to which `a` and `b` are the same."""
    v = sizes(feed)
    return sigmoid(0.3 * (v["a"] + v["b"]) + 0.2 * v["a"] * v["b"] - 0.4 * v["kind"] - 1)


def sigmoid(odds):
    return 1 / (1 + np.exp(-odds))


def applicant(schema, **values):
    return msgspec.convert({"a": 3, "b": 1, "c": 2, "d": None, "kind": "y", "application_id": "1"} | values, schema.row)


def shapley(schema, model, background, row, weights):
    """Shapley values by their definition: the mean over every order, of every applicant of the reference."""
    names = [feature.name for feature in schema.inputs]
    feed = schema.feed([row])
    found = np.zeros(len(names))
    for weight, reference in zip(weights, background.applicants, strict=True):
        start = schema.feed_columns({name: [reference[name]] for name in names})
        value = {}
        for size in range(len(names) + 1):
            for chosen in itertools.combinations(range(len(names)), size):
                mixed = {name: (feed if i in chosen else start)[name] for i, name in enumerate(names)}
                value[chosen] = log_odds(model(mixed))[0]
        for chosen, i in itertools.product(value, range(len(names))):
            if i not in chosen:
                share = math.factorial(len(chosen)) * math.factorial(len(names) - len(chosen) - 1)
                gain = value[tuple(sorted((*chosen, i)))] - value[chosen]
                found[i] += weight * gain * share / math.factorial(len(names))
    return dict(zip(names, found, strict=True))


def shares(explanation):
    return {contribution.feature: contribution.log_odds for contribution in explanation.contributions}


@pytest.mark.parametrize("model", [two_together, all_together, twins])
def test_contributions_add_up_to_the_difference_from_the_base_rate(small, background, model):
    explainer = Explainer(small, model, background, "small:1")
    for a, kind in itertools.product((0, 1, 3), KINDS):
        explained = explainer.explain(applicant(small, a=a, kind=kind))
        assert explained.base_rate == pytest.approx(0.4, abs=1e-12)
        assert explained.base_log_odds == pytest.approx(math.log(0.4 / 0.6), abs=1e-12)
        assert explained.log_odds == pytest.approx(log_odds(np.array([explained.probability]))[0], abs=1e-12)
        total = sum(shares(explained).values())
        assert total == pytest.approx(explained.log_odds - explained.base_log_odds, abs=1e-9)


@pytest.mark.parametrize("model", [two_together, twins])
def test_where_two_features_act_together_at_most_they_are_shapley_values(small, background, model):
    explainer = Explainer(small, model, background, "small:1")
    row = applicant(small)
    expected = shapley(small, model, background, row, explainer._weights)
    assert shares(explainer.explain(row)) == pytest.approx(expected, abs=1e-9)


def test_where_four_act_together_they_are_close(small, background):
    explainer = Explainer(small, all_together, background, "small:1")
    row = applicant(small, d=3)
    expected = shapley(small, all_together, background, row, explainer._weights)
    found = shares(explainer.explain(row))
    spread = max(expected.values()) - min(expected.values())
    assert found == pytest.approx(expected, abs=0.1 * spread)
    assert found != pytest.approx(expected, abs=1e-9)  # else this model would try nothing


def test_features_that_are_the_same_to_the_model_get_the_same(small, background):
    mirrored = tuple(one | {"a": one["b"], "b": one["a"]} for one in background.applicants)
    both = Background(base_rate=background.base_rate, applicants=background.applicants + mirrored)
    found = shares(Explainer(small, twins, both, "small:1").explain(applicant(small, a=2, b=2)))
    assert found["a"] == pytest.approx(found["b"], abs=1e-9)
    assert abs(found["a"]) > 0.01


def test_a_feature_that_the_model_ignores_gets_exactly_nothing(small, background):
    explainer = Explainer(small, two_together, background, "small:1")
    assert {shares(explainer.explain(applicant(small, c=c)))["c"] for c in (0, 1, 2)} == {0.0}


def test_an_applicant_of_the_reference_differs_from_nothing(small, background):
    alone = Background(base_rate=0.4, applicants=background.applicants[:1])
    explained = Explainer(small, two_together, alone, "small:1").explain(applicant(small, **background.applicants[0]))
    assert set(shares(explained).values()) == {0.0}
    assert explained.base_log_odds == explained.log_odds  # one applicant cannot be weighted to hit another base rate


def test_certain_probabilities_have_finite_log_odds(small, background):
    certain = Explainer(small, lambda feed: np.round(two_together(feed)).astype(np.float32), background, "small:1")
    explained = certain.explain(applicant(small))
    assert all(math.isfinite(share) for share in shares(explained).values())
    assert sum(shares(explained).values()) == pytest.approx(explained.log_odds - explained.base_log_odds, abs=1e-9)


def test_protected_columns_are_no_part_of_it(small, background):
    explainer = Explainer(small, two_together, background, "small:1")
    first, second = (explainer.explain(applicant(small, secret=secret)) for secret in (1, 1000))
    assert first == second
    assert "secret" not in msgspec.json.encode(first).decode()


def test_a_decline_has_its_strongest_reasons_in_plain_words_and_an_approval_none(small, background):
    explainer = Explainer(small, two_together, background, "small:1")
    declined, approved = explainer.explain(applicant(small, b=0, kind="z")), explainer.explain(applicant(small, b=3))
    assert (declined.decision, approved.decision) == ("decline", "approve")
    assert approved.reasons == []
    ordered = sorted(((share, name) for name, share in shares(declined).items() if share > 0), reverse=True)
    assert [(reason.log_odds, reason.feature) for reason in declined.reasons] == ordered[:4]
    (kind,) = [reason for reason in declined.reasons if reason.feature == "kind"]
    assert (kind.text, kind.value) == ("what kind it is", "z")


def test_a_decline_below_the_base_rate_still_has_a_reason(small, background):
    """Nothing speaks for the event, but the threshold is lower yet."""

    def falling(feed):
        return sigmoid(0.5 - 0.1 * sum(sizes(feed).values()))

    cheap = Schema(msgspec.structs.replace(small.dataset, costs=Costs(missed_event=99, false_alarm=1)))
    explained = Explainer(cheap, falling, background, "small:1").explain(applicant(cheap, a=9, b=9, c=9, d=9, kind="z"))
    assert explained.decision == "decline"
    assert max(shares(explained).values()) < 0
    (reason,) = explained.reasons
    assert reason.log_odds == max(shares(explained).values())


@pytest.fixture(scope="module")
def served(trained):
    """The trained model: its artifact and its explainer."""
    artifact = Artifact(trained.folder, retrain="make train")
    return artifact, Explainer(artifact.schema, artifact.scorer().probabilities, artifact.background, artifact.tag)


@pytest.fixture(scope="module")
def rows(served, german_applicants):
    named = [applicant | {"application_id": str(number)} for number, applicant in enumerate(german_applicants[:40])]
    return RequestDecoder(served[0].schema, 40).decode(json.dumps({"applicants": named}).encode())


def test_the_trained_model_is_explained_to_the_last_digit(served, rows):
    artifact, explainer = served
    scored = artifact.scorer().score(rows)
    for row, (probability, decision) in zip(rows, scored, strict=True):
        explained = explainer.explain(row)
        assert (explained.probability, explained.decision) == (probability, decision)
        assert [one.feature for one in explained.contributions] == [f.name for f in artifact.schema.inputs]
        total = sum(shares(explained).values())
        assert total == pytest.approx(explained.log_odds - explained.base_log_odds, abs=1e-9)
        assert len(explained.reasons) in ((1, 2, 3, 4) if decision == "decline" else (0,))


def test_the_same_applicant_gets_the_same_bits_whoever_comes_before(served, rows):
    artifact, explainer = served
    first = [msgspec.json.encode(explainer.explain(row)) for row in rows[:6]]
    other = Explainer(artifact.schema, artifact.scorer().probabilities, artifact.background, artifact.tag)
    assert [msgspec.json.encode(other.explain(row)) for row in reversed(rows[:6])] == first[::-1]


def test_the_reference_is_nobody_and_at_the_base_rate(served, german_applicants):
    artifact, explainer = served
    names = [feature.name for feature in artifact.schema.inputs]
    people = {tuple(applicant[name] for name in names) for applicant in german_applicants}
    made_up = [tuple(applicant[name] for name in names) for applicant in artifact.background.applicants]
    assert people.isdisjoint(made_up)
    assert artifact.background.base_rate == pytest.approx(0.3)
    # The weights that hit the base rate exactly hardly differ: the reference is drawn to be there.
    assert explainer._weights.max() < 1.5 / len(made_up)
    assert not {f.name for f in artifact.schema.dataset.features if f.protected} & set(names)


def told(values, features, higher_from=None):
    """The texts told of contributions, the strongest first: 0.9, 0.8, and so on."""
    shares = [Contribution(name, value, 0.9 - 0.1 * place) for place, (name, value) in enumerate(values.items())]
    return [(reason.feature, reason.text) for reason in principal_reasons(shares, features, higher_from or {})]


def test_a_text_that_features_share_is_told_once_and_the_next_reason_takes_its_place():
    features = tuple(Feature(name=f"late_{n}", type="number", reason="late payments") for n in range(3))
    features += tuple(Feature(name=f"other_{n}", type="number") for n in range(4))
    found = told(dict.fromkeys((feature.name for feature in features), 1.0), features)
    assert found == [
        ("late_0", "late payments"),
        ("other_0", "other_0"),
        ("other_1", "other_1"),
        ("other_2", "other_2"),
    ]
    assert len(found) == MAX_REASONS


def test_high_is_not_said_of_a_low_value():
    reason = DirectedReason(higher="the high amount", lower="the low amount", missing="no amount")
    features = (Feature(name="amount", type="number", nullable=True, reason=reason),)
    for value, text in ((1999.0, "the low amount"), (2000.0, "the high amount"), (None, "no amount")):
        assert told({"amount": value}, features, {"amount": 2000.0}) == [("amount", text)]
    assert told({"amount": 1.0}, features) == [("amount", "no amount")]  # a reference that does not know the median
