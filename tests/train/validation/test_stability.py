"""A recipe trained with several seeds, and which of that the card of a model takes."""

import msgspec
import numpy as np
import pytest

from configs.model import Encoding, ModelConfig, Network, Training
from models.artifact import sha256
from models.schema import Schema
from tests.conftest import PRODUCTION, ROOT
from tests.models.tables import hand_made, write_hand_made
from tests.train.small import SMALL
from tests.train.validation.figures_of_a_model import STABILITY
from train.check import check
from train.console import Console
from train.errors import PipelineError
from train.evaluation.candidates import network
from train.evaluation.cross_validation import folds_of
from train.evaluation.reasons import retrained
from train.tables.table import Table
from train.validation.stability import FIGURE, FILE, by_seed, figures_of, measure, reasons, recorded
from train.version import evidence_settings
from train.workspace import Workspace

CONFIG = ModelConfig(
    encoding=Encoding(numbers="piecewise_linear", bins=4),
    network=Network(layers=(8,), members=2),
    training=Training(steps=24, folds=2, learning_rate=0.02, seed=3),
)


@pytest.fixture(scope="module")
def schema_and_table(tmp_path_factory):
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    return Schema(dataset), check(dataset, 20)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace of the table made by hand, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    dataset = write_hand_made(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "small.yaml").write_text(SMALL.replace("steps: 120", "steps: 12"))
    return Workspace(dataset, tmp_path / "small.yaml", ROOT / "configs/gates.yaml")


def test_each_row_is_held_out_by_every_seed_and_the_first_is_the_models_own(schema_and_table):
    schema, table = schema_and_table
    advanced = []
    found = by_seed(schema, CONFIG, table, 2, folds_of(table.target, 2, 1), lambda: advanced.append(1))
    assert (found.shape, len(advanced)) == ((2, len(table.target)), 4)
    training, test = folds_of(table.target, 2, 1)[0]
    assert found[0, test] == pytest.approx(network(CONFIG, schema, table.rows(training), table.rows(test)))
    assert (found[0] != found[1]).mean() > 0.9


def test_the_figures_of_a_seed_are_those_of_its_decisions(schema_and_table):
    dataset = schema_and_table[0].dataset  # a missed event costs 3, so the threshold is 1/4
    found = figures_of(7, Table({}, np.array([1, 1, 0, 0])), np.array([0.9, 0.2, 0.3, 0.1]), dataset)
    assert (found.seed, found.roc_auc, found.cost, found.approved) == (7, 0.75, (3 + 1) / 4, 0.5)


def test_equal_models_tell_the_same_reasons_and_few_applicants_tell_nothing(schema_and_table):
    schema, table = schema_and_table
    model = retrained(schema, CONFIG, table, 0)
    declined, kept, first = reasons(schema, [model, model], table, table)
    assert declined >= 10
    assert (kept, first) == (1, 1)
    few = table.rows(np.arange(9))
    assert reasons(schema, [model, model], table, few)[1:] == (None, None)


def test_what_was_measured_is_taken_for_the_same_model_and_settings_alone(workspace):
    assert recorded(workspace) is None
    workspace.write("model.onnx", b"graph")
    settings = evidence_settings(workspace.dataset, workspace.config, workspace.baseline, workspace.gates)
    kept = msgspec.structs.replace(STABILITY, model_sha256=sha256(b"graph"), settings=settings)
    workspace.write_json(FILE, kept)
    assert recorded(workspace) == kept
    workspace.write("model.onnx", b"another")
    assert recorded(workspace) is None
    workspace.write("model.onnx", b"graph")
    other = Workspace(workspace.dataset_path, ROOT / PRODUCTION, workspace.gates_path)
    other.write("model.onnx", b"graph")
    other.write_json(FILE, kept)
    assert recorded(other) is None
    workspace.write(FILE, b"{")
    assert recorded(workspace) is None


def test_measuring_writes_figures_of_every_seed_and_what_differs_between_them(workspace):
    table = check(workspace.dataset, 20)
    workspace.write_table(table)
    workspace.write_array("split.npy", np.arange(len(table.target)) % 5 == 0)
    workspace.write("model.onnx", b"graph")
    with pytest.raises(PipelineError, match="at least 2"):
        measure(workspace, 1, Console())
    found = measure(workspace, 2, Console())
    assert recorded(workspace).seeds == workspace.read_json(FILE, type(found)).seeds
    assert [one.seed for one in found.seeds] == [0, 1]
    assert found.flips == found.undecided  # of two
    assert 0 < found.deviation < 0.5
    assert workspace.path(FIGURE).read_bytes().startswith(b"\x89PNG")
