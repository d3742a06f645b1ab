"""A model file: how numbers are encoded, the shape of the network, and how it is trained.

Each key has its default, unit, range and reason here; a file in `configs/models/` holds only what differs.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from configs.source import ConfigError, read

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class Encoding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From raw columns to the inputs of the first layer."""

    numbers: Literal["piecewise_linear", "standard"] = "standard"  # Gorishniy et al., 2022, arXiv:2203.05556
    bins: Annotated[int, Meta(ge=2, le=64)] = 8  # most pieces per column; edges at quantiles
    levels_up_to: Annotated[int, Meta(ge=0, le=64)] = (
        6  # whole numbers with this many values or fewer are ordered counts, coded cumulatively: an input x >= v per v
    )


class Network(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of one member, and how many there are."""

    layers: tuple[Count, ...] = ()  # units of each hidden layer; without any it is a logistic regression
    growth: Annotated[float, Meta(ge=0, le=1)] = (
        0.0  # power by which more rows of the rarer outcome than 250 widen the layers and divide the dropout
    )
    activation: Literal["relu", "silu", "tanh"] = "relu"
    dropout: Share = 0.0  # share of hidden units left out per step
    column_dropout: Share = 0.0  # share of whole columns left out per step, so that no member relies on one
    members: Annotated[int, Meta(ge=1, le=256)] = 1  # networks averaged in the graph; one alone calibrates on one fold


class Training(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AdamW with warm-up and cosine decay to zero."""

    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 1e-3
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0  # of the weights, not of the biases
    steps: Annotated[int, Meta(ge=1, le=1_000_000)] = 240  # most steps, for 250 rows of the rarer outcome
    growth: Annotated[float, Meta(ge=0, le=1)] = 0.5  # power by which more or fewer of those rows change the steps
    batch_size: Annotated[int, Meta(ge=2)] = 64  # rows per step
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: Share = 0.1  # share of the steps over which the rate rises
    patience: Annotated[int, Meta(ge=0)] = (
        0  # thirtieths of the steps without a better validation loss before it stops; 0 never stops early
    )
    folds: Annotated[int, Meta(ge=2, le=50)] = 8  # each member leaves one fold out, for validation and calibration
    seed: Annotated[int, Meta(ge=0)] = 0


class Scorecard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instead of a network: bins of each column, their weights of evidence, and a logistic regression on these."""

    bins: Annotated[int, Meta(ge=2, le=20)] = 6  # most bins per column; their event rate rises or falls throughout
    classes: Annotated[int, Meta(ge=2, le=100)] = 20  # quantiles of a number, which the bins join
    least_share: Annotated[float, Meta(ge=0, le=0.5)] = 0.05  # of the training rows, in each bin


class Split(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The test rows, which no choice may depend on."""

    test: Annotated[float, Meta(gt=0, le=0.5)] = 0.2  # share of the rows, stratified by the target
    seed: Annotated[int, Meta(ge=0)] = 0


class ModelConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole model file."""

    description: str = ""
    encoding: Encoding = Encoding()
    network: Network = Network()
    training: Training = Training()
    scorecard: Scorecard | None = None  # then folds and seed of `training` are those of its calibration
    split: Split = Split()


def read_model(path: Path) -> ModelConfig:
    """Read and check a model file."""
    config = read(path, ModelConfig)
    if 1 < config.network.members < config.training.folds:
        raise ConfigError(
            path,
            "network.members",
            f"{config.network.members} members hold out only that many of the {config.training.folds} folds",
            "set at least as many members as folds, so that every row is held out",
        )
    if config.scorecard and (config.network != Network() or config.encoding != Encoding()):
        remedy = "remove network and encoding, or remove scorecard"
        raise ConfigError(path, "scorecard", "a scorecard has no network", remedy)
    return config
