"""The network in PyTorch: encodings, members and calibration in one module.

All members are trained and run at once: their weights are stacked, so a layer of all of them is one batched
product. Shapes trail the lines that make them: B batch, M members, F encoded columns, H units.
Leaves fitting to `train.fit` and the front that reads text to `models.graph`.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from configs.model import Encoding, Network

ACTIVATIONS = {"relu": torch.relu, "silu": functional.silu, "gelu": functional.gelu, "tanh": torch.tanh}


@dataclass(frozen=True)
class Layout:
    """The constants of the encoding, all learnt from the training part.

    Attributes:
        indicators: `(column, code)` of each 0/1 input that a category gives; code 0 is an unknown category.
        levels: `(column, value)` of each 0/1 input that a value of a whole-number column gives.
        missing: numeric columns with a 0/1 input for a missing value.
        linear: numeric columns that enter as numbers.
        mean: mean of each of `linear`, also what a missing value is replaced by.
        scale: standard deviation of each of `linear`.
        edges: `[members, linear, bins + 1]`, rising; empty without a piecewise-linear encoding.
        groups: `[F]`, the raw column that each encoded column comes from.
    """

    indicators: list[tuple[int, int]]
    levels: list[tuple[int, float]]
    missing: list[int]
    linear: list[int]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    edges: NDArray[np.float64]
    groups: NDArray[np.int64]


def lay_out(
    codes: NDArray[np.int64],
    numbers: NDArray[np.float32],
    sizes: list[int],
    whole: list[bool],
    encoding: Encoding,
    members: int,
    rng: np.random.Generator,
) -> Layout:
    """Learn the encoding from the training part.

    What the training part does not show gets no input: its weights would keep the random values that they start from.

    Args:
        codes: `[B, categorical]`, 0 for unknown.
        numbers: `[B, numeric]`, NaN for missing.
        sizes: the number of codes of each categorical column, without the unknown.
        whole: whether each numeric column holds whole numbers.
        encoding: how numbers are encoded.
        members: members of the ensemble, each with edges of its own.
        rng: draws the edges.
    """
    seen = [set(codes[:, column].tolist()) for column in range(codes.shape[1])]
    indicators = [
        (column, code) for column, size in enumerate(sizes) for code in range(1, size + 1) if code in seen[column]
    ]
    levels: list[tuple[int, float]] = []
    linear: list[int] = []
    for column in range(numbers.shape[1]):
        values = np.unique(numbers[~np.isnan(numbers[:, column]), column])
        if whole[column] and 0 < len(values) <= encoding.levels_up_to:
            levels += [(column, float(value)) for value in values]
        elif len(values) > 1:
            linear.append(column)
    missing = np.flatnonzero(np.isnan(numbers).any(axis=0)).tolist()
    known = [numbers[~np.isnan(numbers[:, column]), column].astype(np.float64) for column in linear]
    mean = np.array([values.mean() for values in known])
    scale = np.array([values.std() for values in known])
    bins = encoding.bins if encoding.numbers == "piecewise_linear" else 0
    edges = np.zeros((members, len(linear), bins + 1 if bins else 0))
    for member in range(members if bins else 0):
        for index, values in enumerate(known):
            edges[member, index] = _random_edges(values, bins, rng)
    first_number = codes.shape[1]
    groups = (
        [column for column, _ in indicators]
        + [first_number + column for column, _ in levels]
        + [first_number + column for column in missing]
        + [first_number + column for column in linear]
        + [first_number + column for column in linear for _ in range(bins)]
    )
    return Layout(indicators, levels, missing, linear, mean, scale, edges, np.array(groups, dtype=np.int64))


def _random_edges(values: NDArray[np.float64], bins: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """`bins + 1` rising edges at random quantiles, so that members disagree about thresholds as trees do."""
    shares = np.concatenate([[0.0], np.sort(rng.uniform(0.02, 0.98, bins - 1)), [1.0]])
    edges: NDArray[np.float64] = np.quantile(values, shares)
    least_step = 1e-3 * np.ptp(values)
    for index in range(1, bins + 1):
        edges[index] = max(edges[index], edges[index - 1] + least_step)
    return edges


class CreditNetwork(nn.Module):
    """From codes and numbers to the calibrated probability of the event.

    Args:
        layout: the constants of the encoding.
        network: the shape of the members.
        base_rate: the event's share of the training part, where the output layer starts.
    """

    indicator_columns: Tensor
    indicator_codes: Tensor
    level_columns: Tensor
    level_values: Tensor
    missing_columns: Tensor
    linear_columns: Tensor
    mean: Tensor
    scale: Tensor
    bin_columns: Tensor
    bin_lower: Tensor
    bin_width: Tensor
    groups: Tensor
    calibration: Tensor  # slope and intercept

    def __init__(self, layout: Layout, network: Network, base_rate: float) -> None:
        super().__init__()
        self.shape = network
        self.columns = int(layout.groups.max()) + 1
        # The encoding is in doubles even while the weights are not: large values that lie close together have edges
        # that single precision cannot tell apart.
        whole, real = torch.int64, torch.float64
        self.register_buffer("indicator_columns", torch.tensor([c for c, _ in layout.indicators], dtype=whole))
        self.register_buffer("indicator_codes", torch.tensor([code for _, code in layout.indicators], dtype=whole))
        self.register_buffer("level_columns", torch.tensor([c for c, _ in layout.levels], dtype=whole))
        self.register_buffer("level_values", torch.tensor([value for _, value in layout.levels], dtype=real))
        self.register_buffer("missing_columns", torch.tensor(layout.missing, dtype=whole))
        self.register_buffer("linear_columns", torch.tensor(layout.linear, dtype=whole))
        self.register_buffer("mean", torch.tensor(layout.mean, dtype=real))
        self.register_buffer("scale", torch.tensor(layout.scale, dtype=real))
        bins = max(layout.edges.shape[2] - 1, 0)
        edges = torch.tensor(layout.edges, dtype=real)
        members, linear = network.members, len(layout.linear)
        self.register_buffer("bin_columns", torch.arange(linear).repeat_interleave(bins))
        self.register_buffer("bin_lower", edges[:, :, :-1].reshape(members, 1, linear * bins))  # M 1 linear*bins
        self.register_buffer("bin_width", edges.diff(dim=2).reshape(members, 1, linear * bins))
        self.register_buffer("groups", torch.tensor(layout.groups))
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        sizes = [len(layout.groups), *network.layers]
        # A row has about one input a column that is not zero, so that is the fan-in of the first layer.
        fan_in = [self.columns, *network.layers[:-1]]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(members, size, units) * math.sqrt(2 / fan))
            for size, units, fan in zip(sizes[:-1], sizes[1:], fan_in, strict=False)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, units)) for units in sizes[1:])
        spread = 0.3 / math.sqrt(sizes[-1]) if network.layers else 0.0
        self.out_weight = nn.Parameter(torch.randn(members, sizes[-1], 1) * spread)
        self.out_bias = nn.Parameter(torch.full((members, 1, 1), math.log(base_rate / (1 - base_rate))))

    def encode(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Codes `[B, categorical]` int64 and numbers `[B, numeric]` to `[M, B, F]`; unknown and missing give zeros.

        Where each member has rows of its own, both come with `M` in front.
        """
        shared, linear = self.shared(codes, numbers)
        common = torch.cat(shared, dim=codes.dim() - 1).expand(self.shape.members, -1, -1)  # M B F
        if linear is None or not len(self.bin_columns):
            return common.to(self.out_weight.dtype)
        position = (_taken(linear, self.bin_columns) - self.bin_lower) / self.bin_width  # M B linear*bins
        return torch.cat([common, position.clamp(0.0, 1.0)], dim=2).to(self.out_weight.dtype)

    def shared(self, codes: Tensor, numbers: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """What all members see alike, in doubles, and the linear columns with the mean where missing."""
        numbers = numbers.to(self.mean.dtype)
        shared = []
        if len(self.indicator_columns):
            shared.append((_taken(codes, self.indicator_columns) == self.indicator_codes).to(numbers.dtype))
        if len(self.level_columns):
            shared.append((_taken(numbers, self.level_columns) == self.level_values).to(numbers.dtype))
        if len(self.missing_columns):
            shared.append(torch.isnan(_taken(numbers, self.missing_columns)).to(numbers.dtype))
        if not len(self.linear_columns):
            return shared, None
        linear = _taken(numbers, self.linear_columns)  # B linear
        linear = torch.where(torch.isnan(linear), self.mean, linear)
        return [*shared, (linear - self.mean) / self.scale], linear

    def member_logits(self, encoded: Tensor) -> Tensor:
        """`[M, B, F]` to the uncalibrated logits of each member, `[M, B]`."""
        hidden = encoded
        if self.training and self.shape.column_dropout:
            kept = torch.ones(*encoded.shape[:2], self.columns, dtype=encoded.dtype)
            hidden = hidden * functional.dropout(kept, self.shape.column_dropout)[:, :, self.groups]
        activation = ACTIVATIONS[self.shape.activation]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = activation(torch.baddbmm(bias, hidden, weight))  # M B H
            hidden = functional.dropout(hidden, self.shape.dropout, self.training)
        return torch.baddbmm(self.out_bias, hidden, self.out_weight)[:, :, 0]

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The calibrated probability of the event, `[B]`, float32."""
        logits = self.member_logits(self.encode(codes, numbers)).mean(dim=0)
        return torch.sigmoid(self.calibration[0] * logits + self.calibration[1]).to(torch.float32)


def _taken(values: Tensor, columns: Tensor) -> Tensor:
    """Those columns of `[B, C]` or of `[M, B, C]`."""
    return values[:, columns] if values.dim() == 2 else values[:, :, columns]
