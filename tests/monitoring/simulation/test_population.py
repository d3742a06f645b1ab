"""Applicants that look like those of a model's reference, made of its artifact alone."""

import msgspec
import numpy as np
import pytest

from models.artifact import REFERENCE, Artifact
from monitoring.drift.distributions import category_counts, number_sketch
from monitoring.profiles.whylogs_compat import DatasetProfileView, sketch_of
from monitoring.simulation.population import population
from monitoring.simulation.scenarios import SchemaBug, Seasonal, scenario
from monitoring.simulation.schedule import NAMES

ROWS = 4000


@pytest.fixture(scope="module")
def model(trained):
    return Artifact(trained.folder, retrain="")


@pytest.fixture(scope="module")
def reference(model):
    return DatasetProfileView.deserialize((model.folder / REFERENCE).read_bytes())


@pytest.fixture(scope="module")
def found(model):
    return population(model, np.random.default_rng(0), ROWS)


def share(found, weights, condition):
    return float(weights[[condition(applicant) for applicant in found.applicants]].sum())


def test_the_schema_takes_every_applicant(model, found):
    for applicant in found.applicants:
        msgspec.convert(applicant, model.schema.row)


def test_every_column_is_distributed_as_in_the_reference(found, reference):
    for feature in found.features:
        column = sketch_of(reference.get_column(feature.name))
        if feature.type == "categorical":
            counts = category_counts(column, feature.categories)
            for category, rows in zip(feature.categories, counts, strict=False):
                ours = share(found, found.weights, lambda one, f=feature, c=category: one.get(f.name) == c)
                assert ours == pytest.approx(rows / counts.sum(), abs=0.01), (feature.name, category)
        else:
            sketch = number_sketch(column)
            middle = sketch.sketch.get_quantiles([0.5])[0]
            ours = share(found, found.weights, lambda one, f=feature, m=middle: one[f.name] < m)
            assert ours == pytest.approx(float(sketch.below(np.array([middle]))[0]), abs=0.03), feature.name


def test_probabilities_and_decisions_are_distributed_as_of_held_out_rows(model, found, reference):
    sketch = number_sketch(sketch_of(reference.get_column("probability")))
    edges = np.quantile(sketch.points, [0.2, 0.5, 0.8])
    ours = [found.weights[found.probabilities < edge].sum() for edge in edges]
    assert np.abs(np.array(ours) - sketch.below(edges)).max() < 0.05
    approved = category_counts(sketch_of(reference.get_column("decision")), ("approve",))
    ours = found.weights[found.probabilities < model.manifest.threshold].sum()
    assert ours == pytest.approx(approved[0] / approved.sum(), abs=0.02)


def test_the_same_seed_gives_the_same_applicants(model, found):
    again = population(model, np.random.default_rng(0), ROWS)
    assert again.applicants == found.applicants
    assert np.array_equal(again.weights, found.weights)


@pytest.mark.parametrize("name", NAMES)
def test_before_it_begins_every_scenario_is_as_usual(model, found, name):
    scene = scenario(name, found, model.encoded_scorer())
    usual = scenario("none", found, model.encoded_scorer())
    drawn = scene.applications(500, 0.0, np.random.default_rng(1))
    assert drawn == usual.applications(500, 0.0, np.random.default_rng(1))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_at_the_height_is_still_what_the_service_takes(model, found, name):
    scene = scenario(name, found, model.encoded_scorer())
    for one in scene.applications(500, 1.0, np.random.default_rng(1)):
        msgspec.convert(one.applicant, model.schema.row)
        assert 0 <= one.risk <= 1


def test_a_recession_and_a_ring_make_more_events_than_the_model_expects(model, found):
    for name, more in (("recession", 0.2), ("fraud_ring", 0.1)):
        drawn = scenario(name, found, model.encoded_scorer()).applications(2000, 1.0, np.random.default_rng(1))
        risk = np.mean([one.risk for one in drawn])
        rows = [msgspec.convert(one.applicant, model.schema.row) for one in drawn]
        probability = np.mean([scored for scored, _ in model.encoded_scorer().score(rows)])
        assert risk > probability + more / 2, name
        assert risk > found.probabilities @ found.weights + more, name


def test_a_bug_and_a_season_change_what_is_sent_and_not_what_comes_true(model, found):
    usual = float(found.probabilities @ found.weights)
    for scene in (SchemaBug(found, model.encoded_scorer()), Seasonal(found)):
        drawn = scene.applications(4000, 1.0, np.random.default_rng(1))
        assert np.mean([one.risk for one in drawn]) == pytest.approx(usual, abs=0.04)
        assert scene.expects.columns
