"""How long a network is trained, how wide it is and how much it leaves out, by the size of its training part.

Owns the rule, so that one model file fits a table of a thousand rows and one of a million. An epoch is no measure of
training: with a batch of 128, thirty epochs are 210 steps on 900 rows and 2,100 on 9,000, where a network of the same
size has long begun to memorise. What there is to learn grows with the rarer outcome more than with the rows.
"""

from msgspec import structs

from configs.model import Network, Training

REFERENCE = 250  # rows of the rarer outcome for which steps, units and dropout of a model file are meant as they stand
UNITS = 8  # layers widen by so many at a time


def steps(training: Training, rarer: int) -> int:
    """The most steps for a training part with `rarer` rows of the rarer outcome.

    >>> steps(Training(steps=200, growth=0.5), 250), steps(Training(steps=200, growth=0.5), 25_000)
    (200, 2000)
    """
    factor: float = (rarer / REFERENCE) ** training.growth
    return max(1, round(training.steps * factor))


def shape(network: Network, rarer: int) -> Network:
    """The shape of the members: on a larger table layers are wider, and fewer units and columns are left out.

    >>> larger = shape(Network(layers=(64,), dropout=0.3, growth=0.25), 4000)
    >>> larger.layers, larger.dropout, shape(Network(layers=(64,), growth=0.25), 20).layers
    ((128,), 0.15, (64,))
    """
    factor = max(1.0, rarer / REFERENCE) ** network.growth
    return structs.replace(
        network,
        layers=tuple(units + int(units * (factor - 1)) // UNITS * UNITS for units in network.layers),
        dropout=network.dropout / factor,
        column_dropout=network.column_dropout / factor,
    )
