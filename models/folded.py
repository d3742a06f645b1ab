"""The network as it is served: the same function of codes and numbers, in fewer and larger steps.

Owns that rewriting; `train.export` proves the result equal to the network. What all members see alike is most of the
encoding, is multiplied once from one copy instead of being copied for each; biases, the mean over members and the
calibration are part of the products. Shapes as in `models.network`: B batch, M members, H units.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from models.network import ACTIVATIONS, CreditNetwork


class FoldedNetwork(nn.Module):
    """A fitted network in double precision, for export.

    Args:
        network: stays as it is.
    """

    def __init__(self, network: CreditNetwork) -> None:
        super().__init__()
        self.network = deepcopy(network).double().eval()
        self.activation = ACTIVATIONS[network.shape.activation]
        slope, intercept = self.network.calibration
        weights = [weight.detach() for weight in self.network.weights]
        biases = [bias.detach() for bias in self.network.biases]
        # The last product gives each member's share of the calibrated logit.
        weights.append(self.network.out_weight.detach() * slope / network.shape.members)
        biases.append(self.network.out_bias.detach() * slope / network.shape.members)
        biases[-1] = biases[-1] + intercept / network.shape.members
        pieces = len(self.network.bin_columns)
        shared = weights[0].shape[1] - pieces
        self.shared_weight = nn.Parameter(torch.cat([weights[0][:, :shared], biases[0]], dim=1))  # M S+1 H
        self.pieces_weight = nn.Parameter(weights[0][:, shared:].contiguous())  # M P H
        self.bin_scale = nn.Parameter(1 / self.network.bin_width)
        self.weights = nn.ParameterList(nn.Parameter(weight) for weight in weights[1:])
        self.biases = nn.ParameterList(nn.Parameter(bias) for bias in biases[1:])

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The calibrated probability of the event, `[B]`, float32."""
        shared, linear = self.network.shared(codes, numbers)
        ones = torch.ones_like(numbers[:, :1] if numbers.shape[1] else codes[:, :1], dtype=torch.float64)
        hidden = torch.matmul(torch.cat([*shared, ones], dim=1), self.shared_weight)  # M B H
        if linear is not None and len(self.network.bin_columns):
            position = (linear[:, self.network.bin_columns] - self.network.bin_lower) * self.bin_scale  # M B P
            hidden = hidden + torch.matmul(position.clamp(0.0, 1.0), self.pieces_weight)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = torch.matmul(self.activation(hidden), weight) + bias
        return torch.sigmoid(hidden.sum(dim=0)[:, 0]).to(torch.float32)
