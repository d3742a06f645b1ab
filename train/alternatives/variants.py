"""The models that a search looks at: the one that it starts from, and what differs from it in one respect.

Owns the list. Protected features are an input of none. What differs is a seed, the shape of the network, how strongly
it is regularised, or that it does without columns that tell of a group.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from configs.model import ModelConfig

SEEDS = 3  # further ones: what they change is chance
DROPPED = 8  # columns that tell most of a group, each left out by itself
TOGETHER = (2, 4)  # of them left out at once


class Variant(NamedTuple):
    """A model: what differs, its model file, and the features that are no inputs."""

    what: str
    config: ModelConfig
    dropped: tuple[str, ...] = ()


def variants(base: ModelConfig, proxies: Sequence[str]) -> list[Variant]:
    """The models, the one of `base` first; none is there twice.

    Args:
        base: the model file that the search starts from.
        proxies: columns, those that tell most of a group first; leaves one input at least to every model.
    """
    found = [Variant("as it is", base)]
    for one in (*_seeds(base), *_shapes(base), *_regularised(base), *_without(base, proxies)):
        if all((one.config, one.dropped) != (other.config, other.dropped) for other in found):
            found.append(one)
    return found


def _seeds(base: ModelConfig) -> Iterator[Variant]:
    for further in range(1, SEEDS + 1):
        seed = base.training.seed + further
        yield Variant(f"seed {seed}", _with(base, "training", seed=seed))


def _shapes(base: ModelConfig) -> Iterator[Variant]:
    layers = base.network.layers
    shapes = {
        "no hidden layer": (),
        "half as many units": tuple(max(1, units // 2) for units in layers),
        "twice as many units": tuple(2 * units for units in layers),
        "one more layer": (*layers, layers[-1]) if layers else (32,),
    }
    for what, shape in shapes.items():
        yield Variant(what, _with(base, "network", layers=shape))
    other = "standard" if base.encoding.numbers == "piecewise_linear" else "piecewise_linear"
    yield Variant(f"numbers {other.replace('_', ' ')}", _with(base, "encoding", numbers=other))


def _regularised(base: ModelConfig) -> Iterator[Variant]:
    training, network = base.training, base.network
    decay = max(10 * training.weight_decay, 0.01)
    yield Variant(f"weight decay {decay:g}", _with(base, "training", weight_decay=decay))
    yield Variant("half as many steps", _with(base, "training", steps=max(1, training.steps // 2)))
    if network.layers:
        for share in (network.dropout / 2, min(0.8, network.dropout + 0.2)):
            yield Variant(f"dropout {share:g}", _with(base, "network", dropout=share))
        share = min(0.5, network.column_dropout + 0.2)
        yield Variant(f"column dropout {share:g}", _with(base, "network", column_dropout=share))


def _without(base: ModelConfig, proxies: Sequence[str]) -> Iterator[Variant]:
    for name in proxies[:DROPPED]:
        yield Variant(f"without {name}", base, (name,))
    for count in TOGETHER:
        names = tuple(proxies[:count])
        yield Variant(f"without {', '.join(names)}", base, names) if names else Variant("as it is", base)


def _with(base: ModelConfig, part: str, **changes: Any) -> ModelConfig:
    changed: ModelConfig = msgspec.structs.replace(
        base, **{part: msgspec.structs.replace(getattr(base, part), **changes)}
    )
    return changed
