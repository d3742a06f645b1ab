"""The network in PyTorch: encodings, members and calibration in one module.

All members are trained and run at once: their weights are stacked, so one layer of all members is one batched product.
Comments give the shapes: B batch, M members, F encoded columns, H units. Leaves fitting to `train.fit`, and the part of
the graph that reads text to `train.network.onnx_graph`.

Everything is in doubles and random numbers come from scalar code, so that processors differ by some 1e-16, which
`train.rounding` removes: docs/decisions/0013-the-same-bytes-on-every-processor.md.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from configs.model import Network
from train.network import monotone
from train.network.layout import Layout

FIRST_START = 0.5  # of He's initial weights in the first layer: a seed moves a logit by 0.08 instead of 0.11
ACTIVATIONS = {"relu": torch.relu, "silu": functional.silu, "tanh": torch.tanh}


class CreditNetwork(nn.Module):
    """From codes and numbers to the calibrated probability of the event.

    Args:
        layout: the constants of the encoding.
        network: the shape of the members.
        base_rate: share of the event in the training part, the initial output.
    """

    indicator_columns: Tensor
    indicator_codes: Tensor
    shares: Tensor
    missing_columns: Tensor
    fill: Tensor
    ramp_columns: Tensor
    ramp_start: Tensor
    ramp_width: Tensor
    ramp_lowest: Tensor
    ramp_highest: Tensor
    directions: Tensor
    groups: Tensor
    calibration: Tensor  # slope and intercept

    def __init__(self, layout: Layout, network: Network, base_rate: float) -> None:
        super().__init__()
        self.shape = network
        self.columns = int(layout.groups.max()) + 1
        whole, real = torch.int64, torch.float64
        self.register_buffer("indicator_columns", torch.tensor([c for c, _ in layout.indicators], dtype=whole))
        self.register_buffer("indicator_codes", torch.tensor([code for _, code in layout.indicators], dtype=whole))
        self.register_buffer("shares", torch.tensor(layout.shares, dtype=real))
        self.register_buffer("missing_columns", torch.tensor(layout.missing, dtype=whole))
        self.register_buffer("fill", torch.tensor(layout.fill, dtype=real))
        self.register_buffer("ramp_columns", torch.tensor([ramp.column for ramp in layout.ramps], dtype=whole))
        for name in ("start", "width", "lowest", "highest"):
            constants = [getattr(ramp, name) for ramp in layout.ramps]
            self.register_buffer(f"ramp_{name}", torch.tensor(constants, dtype=real))
        self.register_buffer("directions", torch.tensor(layout.directions))
        self.register_buffer("groups", torch.tensor(layout.groups))
        self.register_buffer("calibration", torch.tensor([1.0, 0.0], dtype=real))
        members = network.members
        sizes = [len(layout.groups), *network.layers]
        # A row has about one nonzero input per column, so that is the fan-in of the first layer.
        fan_in = [self.columns, *network.layers[:-1]]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(members, size, units, dtype=real) * math.sqrt(2 / fan))
            for size, units, fan in zip(sizes[:-1], sizes[1:], fan_in, strict=False)
        )
        with torch.no_grad():
            for first in self.weights[:1]:
                first.mul_(FIRST_START)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, units, dtype=real)) for units in sizes[1:])
        spread = 0.3 / math.sqrt(sizes[-1]) if network.layers else 0.0
        self.out_weight = nn.Parameter(torch.randn(members, sizes[-1], 1, dtype=real) * spread)
        start = math.log(base_rate / (1 - base_rate))
        self.out_bias = nn.Parameter(torch.full((members, 1, 1), start, dtype=real))
        self._signs = monotone.weight_signs(self.directions, network.layers)
        monotone.start(self._signed, self._signs)

    @property
    def _signed(self) -> list[Tensor]:
        """The weights that `_signs` is about: all, or none if no feature is monotone."""
        return [*self.weights, self.out_weight] if self._signs else []

    def project(self) -> None:
        """Set weights to zero under which the probability would not be monotone where it must be."""
        monotone.project(self._signed, self._signs)

    @property
    def is_monotone(self) -> bool:
        """Whether the probability is monotone in every feature that is declared so."""
        return self.calibration[0].item() >= 0 and not monotone.violations(self._signed, self._signs)

    def encode(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Codes `[B, categorical]` int64 and numbers `[B, numeric]` to `[B, F]`; an unknown category gives zeros."""
        numbers = numbers.to(self.fill.dtype)
        missing = torch.isnan(numbers)
        parts = []
        if len(self.indicator_columns):
            parts.append((codes[:, self.indicator_columns] == self.indicator_codes).to(numbers.dtype))
        if len(self.missing_columns):
            parts.append(missing[:, self.missing_columns].to(numbers.dtype))
        if len(self.ramp_columns):
            known = torch.where(missing, self.fill, numbers)
            position = (known[:, self.ramp_columns] - self.ramp_start) / self.ramp_width
            parts.append(torch.maximum(torch.minimum(position, self.ramp_highest), self.ramp_lowest))
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def center(self) -> None:
        """Move what the categories of a column have in common into the bias; it changes the code of no seen category.

        An unknown category has no input, so it then counts as the average applicant of the training part, instead of as
        something that lies beyond all categories.
        """
        weight, bias = (self.weights[0], self.biases[0]) if self.weights else (self.out_weight, self.out_bias)
        for column in sorted(set(self.indicator_columns.tolist())):
            places = torch.nonzero(self.indicator_columns == column).flatten()
            common = (self.shares[places, None] * weight[:, places]).sum(dim=1, keepdim=True)  # M 1 H
            weight[:, places] -= common
            bias += common

    def member_logits(self, encoded: Tensor) -> Tensor:
        """From `[M, B, F]`, separate rows for each member, to the uncalibrated logits `[M, B]`."""
        hidden = encoded
        if self.training and self.shape.column_dropout:
            kept = torch.ones(*encoded.shape[:2], self.columns, dtype=encoded.dtype)
            hidden = hidden * _dropout(kept, self.shape.column_dropout)[:, :, self.groups]
        activation = ACTIVATIONS[self.shape.activation]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = activation(torch.baddbmm(bias, hidden, weight))  # M B H
            if self.training and self.shape.dropout:
                hidden = _dropout(hidden, self.shape.dropout)
        return torch.baddbmm(self.out_bias, hidden, self.out_weight)[:, :, 0]

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The calibrated probability of the event, `[B]`, float32."""
        encoded = self.encode(codes, numbers).expand(self.shape.members, -1, -1)
        logits = self.member_logits(encoded).mean(dim=0)
        return torch.sigmoid(self.calibration[0] * logits + self.calibration[1]).to(torch.float32)


def _dropout(values: Tensor, share: float) -> Tensor:
    """`values` with a `share` of them set to zero and the others raised to make up for it; same shape.

    As `functional.dropout` does, which takes its random numbers from MKL on Intel's processors, and elsewhere not.
    """
    kept = torch.rand(values.shape) >= share
    return values * kept.to(values.dtype).div_(1 - share)
