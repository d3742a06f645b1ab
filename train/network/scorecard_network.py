"""A scorecard as a network without hidden layers: the same log-odds for every value that a request may have.

A bin of a number is a step, and a step is a ramp from one single-precision number to the next: numbers reach the graph
in single precision, so none lies in between, and the graph has the very cuts of the points table. So a scorecard is
exported, served and explained as every other model.
"""

import numpy as np
import torch

from configs.model import Network
from models.schema import Schema
from train.errors import PipelineError
from train.network.credit_network import CreditNetwork
from train.network.layout import Layout, Ramp
from train.rounding import to_bits, to_step
from train.scorecard.learning import Card


def network_of(card: Card, schema: Schema) -> CreditNetwork:
    """The network of a card, ready for scoring."""
    indicators: list[tuple[int, int]] = []
    by_category: list[float] = []
    ramps: list[Ramp] = []
    by_step: list[float] = []
    missing: list[int] = []
    by_missing: list[float] = []
    base = card.base
    for column in card.columns:
        if column.feature.type == "categorical":
            place = schema.categorical.index(column.feature)
            indicators += [(place, code) for code in sorted(column.categories)]
            by_category += [float(column.log_odds[column.categories[code]]) for code in sorted(column.categories)]
            continue
        place = schema.numeric.index(column.feature)
        base += float(column.log_odds[0])
        ramps += [_step(place, cut) for cut in column.cuts]
        by_step += np.diff(column.log_odds).tolist()
        if column.missing is not None:  # a missing number counts as 0, and this input makes up for it
            missing.append(place)
            at_zero = int(np.searchsorted(column.cuts, 0.0, side="right"))
            by_missing.append(column.missing - float(column.log_odds[at_zero]))
    if not indicators and not ramps:
        raise PipelineError("no column tells the outcomes apart in bins of enough rows; add rows, or lower least_share")
    places = [*missing, *(ramp.column for ramp in ramps)]
    groups = [place for place, _ in indicators] + [len(schema.categorical) + place for place in places]
    directions = [0] * (len(indicators) + len(missing)) + [schema.numeric[ramp.column].direction for ramp in ramps]
    layout = Layout(
        indicators,
        np.zeros(len(indicators)),
        missing,
        np.zeros(len(schema.numeric)),
        ramps,
        np.array(directions, dtype=np.int64),
        np.array(groups, dtype=np.int64),
    )
    network = CreditNetwork(layout, Network(), base_rate=0.5)
    weights = to_step(np.array([*by_category, *by_missing, *by_step]))
    with torch.no_grad():
        network.out_weight.copy_(torch.from_numpy(weights)[None, :, None])
        network.out_bias.fill_(float(to_step(np.array(base))))
    network.calibration.copy_(torch.tensor([to_bits(card.slope), float(to_step(np.array(card.intercept)))]))
    return network.eval()


def _step(place: int, cut: float) -> Ramp:
    """0 below the cut, 1 from it: between the two there is no single-precision number."""
    before = float(np.nextafter(np.float32(cut), np.float32(-np.inf)))
    return Ramp(place, before, cut - before)
