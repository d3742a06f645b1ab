"""Fitting: the same weights for the same table, nothing seen that was to be held out, and honest calibration."""

import json
import subprocess
import sys

import msgspec
import numpy as np
import pytest
import torch

from configs.dataset import read_dataset
from configs.model import Encoding, ModelConfig, Network, Training
from models.encoding import Encoder
from models.schema import Schema
from tests.conftest import environment
from tests.models.tables import hand_made, write_hand_made
from tests.train.small import OLDEST_KERNELS
from train.check import check
from train.errors import PipelineError
from train.fit import LOOKS, fit, held_out_rows, rate
from train.network import inputs
from train.network.inputs import Inputs
from train.network.onnx_graph import build_graphs
from train.network.weights import save
from train.tables.table import Table


@pytest.fixture(scope="module")
def schema_and_table(tmp_path_factory):
    """The table made by hand."""
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    return Schema(dataset), check(dataset, 20)


def config(members=2, **training):
    return ModelConfig(
        encoding=Encoding(numbers="piecewise_linear", bins=4),
        network=Network(layers=(6,), members=members, dropout=0.2, column_dropout=0.1),
        training=Training(**({"steps": 6, "growth": 0, "folds": 2, "learning_rate": 0.01} | training)),
    )


def fit_with_curves(*arguments):
    """Learning curves are made where somebody wants them."""
    return fit(*arguments, report=lambda _: None)


def weights(fitted):
    return {name: value.clone() for name, value in fitted.network.state_dict().items()}


def test_the_same_table_and_config_give_the_same_weights_and_curves(schema_and_table):
    first = fit_with_curves(*schema_and_table, config())
    torch.manual_seed(123)  # neither the state of the generator
    np.random.default_rng(5).random()
    second = fit_with_curves(*schema_and_table, config())
    other = fit_with_curves(*schema_and_table, config(seed=1))
    assert first.looks == second.looks
    assert all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())
    assert first.looks != other.looks


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(numbers="piecewise_linear", bins=4)], ids=["std", "pieces"])
def test_a_table_too_large_to_be_kept_encoded_gives_the_same_weights_and_curves(
    schema_and_table, encoding, monkeypatch
):
    settings = msgspec.structs.replace(config(patience=2), encoding=encoding)
    kept = fit(*schema_and_table, settings)
    monkeypatch.setattr(inputs, "KEPT_BYTES", 0)
    anew = fit(*schema_and_table, settings)
    assert kept.looks == anew.looks
    assert all(torch.equal(value, weights(anew)[name]) for name, value in weights(kept).items())


@pytest.mark.parametrize("kept_bytes", [0, 1 << 30])
def test_rows_scored_in_chunks_give_the_curves_and_calibration_of_rows_scored_together(
    schema_and_table, kept_bytes, monkeypatch
):
    together = fit_with_curves(*schema_and_table, config())
    monkeypatch.setattr(inputs, "KEPT_BYTES", kept_bytes)
    monkeypatch.setattr(inputs, "CHUNK_ROWS", 50)
    chunked = fit_with_curves(*schema_and_table, config())
    for one, other in zip(together.looks, chunked.looks, strict=True):
        assert vars(one) == pytest.approx(vars(other), rel=1e-5)
    for name, value in weights(together).items():
        if name != "calibration":
            assert torch.equal(value, weights(chunked)[name])
    assert torch.allclose(together.network.calibration, chunked.network.calibration, rtol=1e-3)


def make(folder):
    """Fit the table made by hand that lies in `folder`; the bytes of the weights and of both graphs, in hexadecimal."""
    dataset = read_dataset(folder / "hand_made.yaml")
    dataset = msgspec.structs.replace(
        dataset, source=msgspec.structs.replace(dataset.source, path=str(folder / dataset.source.path))
    )
    schema = Schema(dataset)
    network = fit(schema, check(dataset, 20), config(patience=1)).network
    save(network, folder / "network.npz")
    graphs = [graph.SerializeToString(deterministic=True) for graph in build_graphs(schema, network)]
    return [content.hex() for content in ((folder / "network.npz").read_bytes(), *graphs)]


@pytest.mark.slow
def test_other_kernels_give_the_same_bytes(tmp_path):
    write_hand_made(tmp_path)
    command = "import json, pathlib; from tests.train.test_fit import make; print(json.dumps(make(pathlib.Path())))"
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        env=environment(tmp_path) | OLDEST_KERNELS,
        capture_output=True,
        text=True,
        check=True,
    )
    for name, here, there in zip(
        ("network.npz", "model.onnx", "encoded.onnx"), make(tmp_path), json.loads(done.stdout), strict=True
    ):
        assert here == there, name


def test_fitting_leaves_the_generator_of_others_alone(schema_and_table):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(*schema_and_table, config(steps=1))
    assert torch.equal(torch.rand(3), expected)


def test_without_curves_the_weights_are_the_same(schema_and_table):
    with_curves, without = fit_with_curves(*schema_and_table, config()), fit(*schema_and_table, config())
    assert len(with_curves.looks) == 6
    assert without.looks == []
    assert all(torch.equal(value, weights(without)[name]) for name, value in weights(with_curves).items())


def test_each_look_is_reported_once_and_training_helps(schema_and_table):
    reported = []
    fitted = fit(*schema_and_table, config(steps=60), reported.append)
    assert reported == fitted.looks
    assert [look.step for look in reported] == list(range(2, 61, 2))
    assert reported[-1].training_loss < reported[0].training_loss
    assert 0 <= reported[-1].validation_accuracy <= 1


@pytest.mark.parametrize(("members", "folds"), [(1, 8), (2, 2), (8, 8), (10, 4)])
def test_each_member_leaves_one_stratified_fold_out(members, folds):
    target = (np.random.default_rng(0).random(400) < 0.3).astype(np.int64)
    held_out = held_out_rows(target, members, folds, np.random.default_rng(0))
    assert held_out.shape == (members, 400)
    for row in held_out:
        assert abs(row.sum() - 400 / folds) <= 2
        assert abs(target[row].sum() - target.sum() / folds) <= 1
    for first in range(0, members - members % folds, folds):
        assert (held_out[first : first + folds].sum(axis=0) == 1).all()  # a round of folds holds every row out once
    if members > folds:
        assert not (held_out[0] == held_out[folds]).all()


def test_what_a_member_holds_out_does_not_move_its_weights(schema_and_table):
    schema, table = schema_and_table
    settings = msgspec.structs.replace(config(), encoding=Encoding())  # standardising draws nothing before the folds
    held_out = held_out_rows(table.target, 2, 2, np.random.default_rng(settings.training.seed))
    code = schema.categorical[0].name
    columns = dict(table.columns)
    columns[code] = np.where(held_out[0], "1", columns[code])
    before, after = fit(schema, table, settings).network, fit(schema, Table(columns, table.target), settings).network
    encoded = Inputs(before, *Encoder(schema).columns(table.arrays)).batch(
        torch.arange(len(table.target)).expand(2, -1)
    )
    with torch.no_grad():
        away = (before.member_logits(encoded) - after.member_logits(encoded)).abs().amax(dim=1)
    assert away[0] < 1e-3  # what is moved into the bias depends on the shares of all rows, and is rounded
    assert away[1] > 0.01


def test_early_stopping_gives_the_weights_of_the_best_look(schema_and_table):
    patient = config(steps=90, patience=3, learning_rate=0.1, schedule="constant", warmup=0.0)
    stopped = fit(*schema_and_table, patient)
    losses = [look.validation_loss for look in stopped.looks]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < LOOKS
    steps = stopped.looks[best].step
    to_the_best = fit(*schema_and_table, config(steps=steps, learning_rate=0.1, schedule="constant", warmup=0.0))
    assert all(torch.equal(value, weights(to_the_best)[name]) for name, value in weights(stopped).items())


def test_a_loss_that_is_no_number_stops_with_a_remedy(schema_and_table):
    with pytest.raises(PipelineError, match=r"lower training\.learning_rate"):
        fit(*schema_and_table, config(learning_rate=1e300))


def test_weights_that_blow_up_in_the_very_last_step_stop_with_a_remedy(schema_and_table):
    with pytest.raises(PipelineError, match=r"lower training\.learning_rate"):
        fit(*schema_and_table, config(learning_rate=1e200, steps=1, batch_size=10_000, warmup=0.0))


def test_the_rate_rises_and_then_falls_to_nothing():
    training = Training(warmup=0.1, schedule="cosine")
    rates = [rate(step, 100, training) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) > 0.95
    assert rates[-1] < 0.001


def test_labels_that_mean_nothing_turn_no_model_around(schema_and_table):
    schema, table = schema_and_table
    drawn = np.random.default_rng(0)
    slopes = []
    for _ in range(4):
        permuted = Table(table.columns, drawn.permutation(table.target))
        network = fit(schema, permuted, config(steps=12)).network
        slopes.append(network.calibration[0].item())
    assert min(slopes) == 0  # where held-out rows rank the wrong way, everyone has the base rate
