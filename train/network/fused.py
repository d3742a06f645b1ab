"""The network for serving: the same function of codes and numbers, in fewer and larger steps.

Owns this transformation; `train.export` verifies that the result equals the network. All members share the encoding, so
their first layers become one product; the last one also includes the mean over members and the calibration.
Shapes as in `train.network.credit_network`: B batch, M members, F encoded columns, H units.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from train.network.credit_network import ACTIVATIONS, CreditNetwork


class FusedNetwork(nn.Module):
    """A fitted network, for export.

    Weights are multiples of one step (`train.rounding`), so a sum of them is exact in any order, and is taken before
    anything is multiplied.

    Args:
        network: is copied, not changed.
    """

    def __init__(self, network: CreditNetwork) -> None:
        super().__init__()
        self.network = deepcopy(network).eval()
        self.activation = ACTIVATIONS[network.shape.activation]
        slope, intercept = self.network.calibration
        share = slope / network.shape.members  # of each member's logit in the calibrated logit
        weights, biases = list(self.network.weights), list(self.network.biases)
        out_weight = self.network.out_weight  # M H 1
        if weights:
            weights[0] = weights[0].transpose(0, 1).flatten(1)  # F M*H
            biases[0] = biases[0].flatten()
            weights.append(out_weight.flatten(0, 1) * share)  # M*H 1
        else:
            weights.append(out_weight.sum(dim=0) * share)  # F 1
        biases.append(self.network.out_bias.sum(dim=0)[0] * share + intercept)
        self.weights = nn.ParameterList(nn.Parameter(weight.detach().contiguous()) for weight in weights)
        self.biases = nn.ParameterList(nn.Parameter(bias.detach()) for bias in biases)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The calibrated probability of the event, `[B]`, float32."""
        hidden = self.network.encode(codes, numbers)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = self.activation(hidden)
            if weight.dim() == 2:  # the first or the last layer
                hidden = torch.addmm(bias, hidden, weight)
            else:  # a layer in between, separate for each member
                apart = torch.stack(hidden.chunk(len(weight), dim=1))  # M B H
                hidden = torch.cat((torch.matmul(apart, weight) + bias).unbind(), dim=1)
        return torch.sigmoid(hidden).squeeze(1).to(torch.float32)
