"""Stage fit: encodes the rows, trains all members at once, and calibrates on held-out rows.

Each member holds out one fold of the training rows. A row's held-out logit is the mean over the members that did not
see it, at no extra training: early stopping uses the loss on these logits, and `train.calibration` fits the calibration
to them. The test part is not used here.
"""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from configs.model import ModelConfig, Training
from models.encoding import Encoder
from models.schema import Schema
from train.calibration import of_mean
from train.customers import folds_by_customer
from train.errors import PipelineError
from train.network import budget
from train.network.adamw import AdamW
from train.network.credit_network import CreditNetwork
from train.network.inputs import Inputs
from train.network.layout import learn_encoding
from train.network.look import Look
from train.network.monotone import RISING
from train.network.scorecard_network import network_of
from train.population import Weights, event_share, logit_shift, row_weights
from train.rounding import to_bits, to_step
from train.scorecard.learning import learn
from train.tables.table import Table

NO_GROUPS = np.zeros(0, dtype=np.int64)
LOOKS = 30  # points of the learning curves, and moments at which patience may end the training
MIN_GAIN = 1e-9  # nats: losses closer than that are equal, and would be ordered differently on another processor


@dataclass(frozen=True)
class Fitted:
    """A trained network with its learning curves, if they were asked for."""

    network: CreditNetwork
    looks: list[Look]


def fit(schema: Schema, table: Table, config: ModelConfig, report: Callable[[Look], None] | None = None) -> Fitted:
    """Train on `table`; the same table and config give the same weights, on any x86-64 processor.

    Args:
        schema: the compiled dataset.
        table: the training part.
        config: the model file.
        report: called at each look. Without it there are no learning curves, unless early stopping needs them.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the number of cores; the networks are small
    rng = np.random.default_rng(config.training.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        return _fit(schema, table, config, rng, report)


def _fit(
    schema: Schema, table: Table, config: ModelConfig, rng: np.random.Generator, report: Callable[[Look], None] | None
) -> Fitted:
    training, members = config.training, config.network.members
    if config.scorecard:
        return Fitted(network_of(learn(schema, table, config, config.scorecard), schema), [])
    codes, numbers = Encoder(schema).columns(table.arrays)
    layout = learn_encoding(schema, codes, numbers, config.encoding)
    if not layout.groups.size:
        raise PipelineError("every column has a single value, so there is nothing to learn from")
    if layout.directions.any() and config.network.activation not in RISING:
        raise PipelineError(
            f"network.activation is {config.network.activation}, which falls in places, and the dataset file has "
            f"monotone features; set it to {' or '.join(RISING)}"
        )
    events = int(table.target.sum())
    rarer = min(events, len(table.target) - events)
    network = CreditNetwork(layout, budget.shape(config.network, rarer), event_share(table.target, table.weight))
    inputs = Inputs(network, codes, numbers)
    target = torch.from_numpy(table.target).double()
    held_out = held_out_rows(table.target, members, training.folds, rng, table.group)  # M B
    weight = row_weights(table.target, table.weight, None)
    steps = budget.steps(training, rarer)
    looks = _train_loop(network, inputs, target, weight, held_out, training, steps, rng, report)
    network.center()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.from_numpy(to_step(parameter.numpy())))
    logits = np.concatenate([each for _, each in inputs.logits()], axis=1)  # M B
    if not np.isfinite(logits).all():
        raise PipelineError("the weights diverged in the last step; lower training.learning_rate")
    slope, intercept = of_mean(logits, held_out, table.target, weight)
    intercept += logit_shift(table.target, table.weight, schema.dataset.prior)
    network.calibration.copy_(torch.tensor([to_bits(slope), float(to_step(np.array(intercept)))]))
    return Fitted(network, looks)


def _train_loop(
    network: CreditNetwork,
    inputs: Inputs,
    target: torch.Tensor,
    weight: Weights,
    held_out: NDArray[np.bool_],
    training: Training,
    steps: int,
    rng: np.random.Generator,
    report: Callable[[Look], None] | None,
) -> list[Look]:
    """The training loop; leaves the network at its last step, or at its best look with early stopping."""
    decayed, others = [*network.weights, network.out_weight], [*network.biases, network.out_bias]
    counts = None if weight is None else torch.from_numpy(weight)
    optimizer = AdamW([(decayed, training.weight_decay), (others, 0.0)])
    best, waited = (math.inf, deepcopy(network.state_dict())), 0
    looks: list[Look] = []
    due = look_steps(steps)
    for step, batch in zip(range(1, steps + 1), _batches(held_out, training.batch_size, rng), strict=False):
        network.train()
        logits = network.member_logits(inputs.batch(batch))
        losses = functional.binary_cross_entropy_with_logits(logits, target[batch], reduction="none")
        loss = (losses if counts is None else losses * counts[batch]).mean(1).sum()
        if not torch.isfinite(loss):
            raise PipelineError(f"the loss became {loss.item()} in step {step}; lower training.learning_rate")
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step(training.learning_rate * rate(step - 1, steps, training))
        network.project()
        if step not in due or not (report or training.patience):
            continue
        looks.append(_look(step, inputs, target.numpy(), held_out, weight))
        if report:
            report(looks[-1])
        if not training.patience:
            continue
        if looks[-1].validation_loss < best[0] - MIN_GAIN:
            best, waited = (looks[-1].validation_loss, deepcopy(network.state_dict())), 0
        elif (waited := waited + 1) >= training.patience:
            break
    if training.patience:
        network.load_state_dict(best[1])
    network.eval()
    return looks


def look_steps(steps: int) -> frozenset[int]:
    """After which of `steps` the learning curves have a point: `LOOKS` of them, evenly spread, the last one included.

    >>> sorted(look_steps(3)), sorted(look_steps(300))[:2], len(look_steps(1000))
    ([1, 2, 3], [10, 20], 30)
    """
    return frozenset(math.ceil(steps * look / LOOKS) for look in range(1, LOOKS + 1))


def _batches(held_out: NDArray[np.bool_], size: int, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """Rows to step on, `[M, b]`, without an end: each member's own rows, pass after pass, in an order of its own."""
    count = int((~held_out).sum(axis=1).min())  # members step together, so all see equally many rows
    rows = torch.from_numpy(np.stack([rng.permutation(np.flatnonzero(~out))[:count] for out in held_out]))  # M count
    while True:
        order = torch.stack([own[torch.rand(count).argsort()] for own in rows])  # M count
        for start in range(0, count, size):
            yield order[:, start : start + size]


def rate(step: int, steps: int, training: Training) -> float:
    """The learning rate at `step` of `steps`, as a share of the highest.

    >>> rate(0, 100, Training(warmup=0.1)), rate(99, 100, Training(schedule="constant"))
    (0.1, 1.0)
    """
    rise = min(1.0, (step + 1) / (training.warmup * steps)) if training.warmup else 1.0
    return rise * (0.5 * (1 + math.cos(math.pi * step / steps)) if training.schedule == "cosine" else 1.0)


def held_out_rows(
    target: NDArray[np.int64],
    members: int,
    folds: int,
    rng: np.random.Generator,
    group: NDArray[np.int64] = NO_GROUPS,
) -> NDArray[np.bool_]:
    """`[members, rows]`, true where a member holds the row out: a stratified fold each, drawn again every `folds`.

    Rows of one customer, equal in `group` `[rows]`, are held out together.
    """
    held_out = np.zeros((members, len(target)), dtype=np.bool_)
    for first in range(0, members, folds):
        fold = folds_by_customer(target, group, folds, rng) if len(group) else _stratified(target, folds, rng)
        for member in range(first, min(first + folds, members)):
            held_out[member] = fold == member - first
    return held_out


def _stratified(target: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each row, `[rows]`."""
    fold = np.empty(len(target), dtype=np.int64)
    for outcome in (0, 1):
        rows = rng.permutation(np.flatnonzero(target == outcome))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def _look(step: int, inputs: Inputs, target: NDArray[np.float64], held_out: NDArray[np.bool_], weight: Weights) -> Look:
    sums = np.zeros((2, 2))  # loss and accuracy on training rows, then on held-out rows
    for part, logits in inputs.logits():
        with np.errstate(invalid="ignore"):  # diverged weights raise an error after the last step
            loss = np.logaddexp(0, logits) - target[part] * logits  # M b
        if weight is not None:
            loss = loss * weight[part]
        right = (logits > 0) == (target[part] > 0)
        for side, chosen in enumerate((~held_out[:, part], held_out[:, part])):
            sums[side] += loss[chosen].sum(), right[chosen].sum()
    training, validation = sums / [[np.count_nonzero(~held_out)], [np.count_nonzero(held_out)]]
    return Look(step, *training.tolist(), *validation.tolist())
