"""The search for alternatives: which models it looks at, and what it says of them."""

import msgspec
import numpy as np
import pytest

from configs.gates import read_gates
from configs.model import ModelConfig, Network, Training
from models.schema import Schema
from tests.conftest import PRODUCTION, ROOT
from tests.models.tables import write_hand_made
from tests.train.small import SMALL
from train.alternatives.frontier import frontier, judged, resampled_ratios
from train.alternatives.page import markdown, plot
from train.alternatives.proxies import association
from train.alternatives.results import Search
from train.alternatives.search import FILE, costs_by_fold, proxies, search
from train.alternatives.variants import variants
from train.check import check
from train.console import Console
from train.errors import PipelineError
from train.evaluation.cross_validation import Folds, folds_of
from train.evaluation.fairness import audit_groups, fairness
from train.tables.table import Table
from train.workspace import Workspace

BASE = ModelConfig(network=Network(layers=(8,), dropout=0.2, members=2), training=Training(steps=12, folds=2))
DRAWN = np.random.default_rng(0)
MEMBER = np.array(["f", "m"] * 150, dtype=object)


def test_every_model_differs_in_one_respect_and_none_is_there_twice():
    found = variants(BASE, ["housing", "job"])
    assert (found[0].what, found[0].config, found[0].dropped) == ("as it is", BASE, ())
    assert len({(msgspec.json.encode(one.config), one.dropped) for one in found}) == len(found)
    assert len({one.what for one in found}) == len(found)
    for one in found[1:]:
        parts = [
            part for part in ("encoding", "network", "training") if getattr(one.config, part) != getattr(BASE, part)
        ]
        assert len(parts) + bool(one.dropped) == 1, one.what
    assert [one.dropped for one in found if one.dropped] == [("housing",), ("job",), ("housing", "job")]
    assert {one.config.training.seed for one in found} == {0, 1, 2, 3}


def test_a_linear_model_without_proxies_has_alternatives_too():
    what = [one.what for one in variants(ModelConfig(), [])]
    assert "one more layer" in what
    assert not [one for one in what if one.startswith(("without", "dropout", "half as many units"))]


def test_a_proxy_is_what_tells_of_the_group_beyond_chance():
    same, none = np.where(MEMBER == "f", 1.0, 2.0), DRAWN.random(300)
    assert association(MEMBER, same) == 1
    assert association(MEMBER, MEMBER) == 1
    assert association(MEMBER, none) < 0.1
    assert association(MEMBER, np.array([f"{i}" for i in range(300)], dtype=object)) < 0.3  # as many categories as rows
    assert association(MEMBER, np.full(300, np.nan)) == association(np.full(300, "f", dtype=object), none) == 0
    missing = np.where(MEMBER == "f", none, np.nan)
    assert association(MEMBER, missing) > 0.9


def test_protected_features_are_no_proxies_and_one_input_is_left(tmp_path):
    schema = Schema(Workspace(write_hand_made(tmp_path), tmp_path, tmp_path).dataset)
    table = check(
        msgspec.structs.replace(
            schema.dataset,
            source=msgspec.structs.replace(schema.dataset.source, path=str(tmp_path / schema.dataset.source.path)),
        ),
        20,
    )
    found = proxies(schema, table, {"alter": audit_groups(schema.dataset.audit[0], table.columns["alter"])})
    assert len(found) == len(schema.inputs) - 1
    assert "alter" not in found


def test_ratios_are_those_of_the_fairness_checks_and_changes_use_the_same_rows():
    approved = np.array([DRAWN.random(300) < np.where(MEMBER == "f", 0.4, 0.8)] * 2)
    values, drawn = resampled_ratios(MEMBER, approved, 30, 1000)
    from configs.dataset import Audit

    audit = Audit(column="sex", groups={"f": ("f",), "m": ("m",)})
    checked = fairness(audit, MEMBER, np.tile([0, 1], 150), ~approved[0], 30, 0.9, 1000).approval_ratio
    assert values == pytest.approx(checked.value)
    assert np.quantile(drawn[:, 0], [0.05, 0.95]) == pytest.approx([checked.low, checked.high], abs=0.02)
    assert (drawn[:, 0] == drawn[:, 1]).all()


def test_rows_count_by_weight_and_customers_are_drawn_together():
    approved, weights = (DRAWN.random((1, 300)) < 0.5), np.where(DRAWN.random(300) < 0.5, 1.0, 3.0)
    (value,), drawn = resampled_ratios(MEMBER, approved, 30, 500, weights)
    rates = [np.average(approved[0, name == MEMBER], weights=weights[name == MEMBER]) for name in "fm"]
    assert value == pytest.approx(min(rates) / max(rates))
    _, together = resampled_ratios(MEMBER, approved, 30, 500, weights, np.arange(300) // 20)
    _, alone = resampled_ratios(MEMBER, approved, 30, 500, weights, np.arange(300))
    assert (alone == drawn).all()
    assert (together != drawn).any()


def test_groups_with_few_rows_are_not_compared_and_a_model_that_approves_nobody_has_no_ratio():
    assert [len(judged(MEMBER, rows)) for rows in (150, 151)] == [2, 0]
    values, _ = resampled_ratios(MEMBER, np.zeros((1, 300), dtype=bool), 30, 100)
    assert values == 0


def test_the_frontier_is_near_the_best_in_cost_and_beaten_by_none():
    costs = [1.0, 0.9, 0.92, 0.93, 0.93, 1.3]
    ratios = [[0.5, 0.9], [0.6, 0.7], [0.8, 0.7], [0.7, 0.7], [0.6, 0.8], [0.9, 0.99]]
    assert frontier(costs, ratios, 0.05) == [True, True, True, False, True, False]
    assert frontier([1.0, 1.0], [[0.5], [0.5]], 0.05) == [True, False]  # the same figures once


def test_costs_are_of_the_held_out_rows_of_each_fold_by_the_model_that_did_not_see_them(tmp_path):
    dataset = Workspace(write_hand_made(tmp_path), tmp_path, tmp_path).dataset
    target = np.tile([0, 1], 4)
    folds = folds_of(target, 2, 2)
    table = Table({}, target)
    declining, approving = np.ones(8), np.zeros(8)
    found = costs_by_fold(dataset, Folds([], np.array([declining, approving])), table, folds, 0.5)
    assert found.tolist() == [0.5, 0.5, 1.5, 1.5]  # a false alarm costs 1, a missed event 3


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search on the table made by hand, in a working directory of its own."""
    home = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        (home / "configs").symlink_to(ROOT / "configs")
        (home / "small.yaml").write_text(SMALL.replace("steps: 120", "steps: 12"))
        gates = (ROOT / "configs/gates.yaml").read_text()
        for key, value in (("folds: 5", 2), ("repeats: 2", 1), ("bootstrap: 1000", 100), ("least_rows: 30", 10)):
            gates = gates.replace(f"{key} ", f"{key.split(':')[0]}: {value} ")
        (home / "gates.yaml").write_text(gates)
        assert read_gates(home / "gates.yaml").folds == 2
        workspace = Workspace(write_hand_made(home), home / "small.yaml", home / "gates.yaml")
        table = check(workspace.dataset, 20)
        workspace.write_table(table)
        workspace.write_array("split.npy", np.arange(len(table.target)) % 5 == 0)
        return search(workspace, 0.05, Console()), workspace.read_json(FILE, Search)


def test_a_search_measures_every_model_at_every_threshold_and_chooses_nothing(searched):
    found, written = searched
    assert found.settings == written.settings
    first = found.options[0]
    assert (first.name, first.what, first.threshold) == ("a00", "as it is", 0.25)
    assert (first.change.low, first.change.high) == (0, 0)
    assert all(ratio.change.value == 0 for ratio in first.ratios)
    assert len({option.name for option in found.options}) == len(found.options)
    assert len(found.options) % 5 == 0
    odds = np.array([1 / 1.5, 1 / 1.25, 1, 1.25, 1.5]) / 3
    assert sorted(option.threshold for option in found.options[:5]) == pytest.approx(odds / (1 + odds))
    assert not {"alter"} & {name for option in found.options for name in option.dropped}
    assert found.offered[0] == first
    assert all(option.frontier for option in found.offered[1:])
    assert "chosen" not in Search.__struct_fields__


def test_what_is_offered_is_a_table_and_a_plot(searched):
    found, _ = searched
    said = markdown(found)
    for option in found.offered:
        assert f"| {option.name} | {option.what} |" in said
    assert "ratio, `alter`" in said
    assert "The best of many looks better than it is" in said
    (axes,) = plot(found).axes
    assert (axes.get_xlabel(), axes.get_title()) == ("cost per applicant", "Approval ratio, alter")
    assert {text.get_text() for text in axes.texts} == {option.name for option in found.options if option.frontier}


def test_a_table_without_groups_to_compare_is_told_so_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    workspace = Workspace(write_hand_made(tmp_path), ROOT / PRODUCTION, ROOT / "configs/gates.yaml")
    table = check(workspace.dataset, 20).rows(np.arange(60))  # some six of them under 25
    workspace.write_table(table)
    workspace.write_array("split.npy", np.arange(60) % 5 == 0)
    with pytest.raises(PipelineError, match="no audit has two groups of 30 rows"):
        search(workspace, 0.05, Console())
