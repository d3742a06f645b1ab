"""The search space: which keys of a model file a search varies, and over which values.

Owns the choices, their reasons, and the conversion from a trial to a model file. Leaves the order of trials to
`train.tuning.search`. All other keys keep their values.
"""

from typing import Any

from msgspec import Struct, structs

from configs.model import ModelConfig

SECTIONS = {
    "numbers": "encoding",
    "bins": "encoding",
    "layers": "network",
    "dropout": "network",
    "column_dropout": "network",
    "learning_rate": "training",
    "weight_decay": "training",
    "steps": "training",
    "batch_size": "training",
}


class Space(Struct, frozen=True, kw_only=True):
    """Ascending choices for each key: a few round values, because folds cannot distinguish those in between.

    The number of members is not searched: more are better, and take proportionally longer. Neither is how steps and
    layers grow with the table: a search has one table, on which that is the same as more steps and wider layers.
    """

    numbers: tuple[str, ...] = ("piecewise_linear", "standard")  # steps, or straight lines
    bins: tuple[int, ...] = (4, 6, 8, 12, 16)  # fewer miss steps, more hold few rows each
    layers: tuple[tuple[int, ...], ...] = (
        (),
        (32,),
        (64,),
        (64, 32),
        (128,),
        (256,),
    )  # none, or small; the wider ones for tables of many rows
    dropout: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # beyond one half a small layer has few units left
    column_dropout: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3)  # tables have few columns to spare
    learning_rate: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02)  # from AdamW's usual 0.001: runs are short
    weight_decay: tuple[float, ...] = (0.0, 0.001, 0.01, 0.1, 1.0)  # multiplied by the rate and a few hundred steps
    steps: tuple[int, ...] = (60, 120, 180, 240, 360, 480, 960)  # a quarter to four times the 240 of the defaults
    batch_size: tuple[int, ...] = (64, 128, 256)  # rows per step; half the rows take nearly twice the time


def around(base: ModelConfig) -> Space:
    """The default space plus the values of `base`, so that `base` itself can be a trial.

    >>> from configs.model import Network
    >>> around(ModelConfig()).layers, around(ModelConfig(network=Network(layers=(8,)))).layers
    (((), (32,), (64,), (64, 32), (128,), (256,)), ((), (8,), (32,), (64,), (64, 32), (128,), (256,)))
    """
    present = values_of(base)
    return Space(**{name: _with(getattr(Space(), name), present[name]) for name in SECTIONS})


def _with(choices: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return tuple(sorted({*choices, value}, key=lambda one: (sum(one), one) if isinstance(one, tuple) else one))


def values_of(config: ModelConfig) -> dict[str, Any]:
    """The value of each key of the space in a model file."""
    return {name: getattr(getattr(config, section), name) for name, section in SECTIONS.items()}


def positions(space: Space, config: ModelConfig) -> dict[str, int]:
    """The positions of the values of `config` in `space`."""
    return {name: getattr(space, name).index(value) for name, value in values_of(config).items()}


def config_at(space: Space, chosen: dict[str, int], base: ModelConfig) -> ModelConfig:
    """`base` with the values at the positions `chosen`; keys without effect keep their values.

    >>> base = ModelConfig()
    >>> config_at(around(base), positions(around(base), base) | {"layers": 1, "bins": 0}, base).network.layers
    (32,)
    """
    values = {name: getattr(space, name)[position] for name, position in chosen.items()}
    if not values["layers"]:
        values["dropout"] = base.network.dropout
    if values["numbers"] == "standard":
        values["bins"] = base.encoding.bins
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        sections.setdefault(SECTIONS[name], {})[name] = value
    return structs.replace(
        base, **{section: structs.replace(getattr(base, section), **new) for section, new in sections.items()}
    )
