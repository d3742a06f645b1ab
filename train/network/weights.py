"""Saves a fitted network as named arrays, without pickle; the same weights give the same bytes."""

from pathlib import Path

import numpy as np
import torch
from msgspec import structs

from configs.model import Network
from train.network.credit_network import CreditNetwork
from train.network.layout import Layout, Ramp

RAMP = ("columns", "start", "width", "lowest", "highest")


def save(network: CreditNetwork, path: Path) -> None:
    """Write weights, encoding and calibration."""
    with path.open("wb") as file:
        np.savez(file, **{name: value.numpy() for name, value in network.state_dict().items()})


def load(path: Path, shape: Network) -> CreditNetwork:
    """Read a network of this shape, widened or not, ready for scoring."""
    with np.load(path, allow_pickle=False) as file:
        state = {name: file[name] for name in file.files}
    layout = Layout(
        indicators=list(zip(state["indicator_columns"].tolist(), state["indicator_codes"].tolist(), strict=True)),
        shares=state["shares"],
        missing=state["missing_columns"].tolist(),
        fill=state["fill"],
        ramps=[Ramp(*ramp) for ramp in zip(*(state[f"ramp_{name}"].tolist() for name in RAMP), strict=True)],
        directions=state["directions"],
        groups=state["groups"],
    )
    units = tuple(
        state[f"weights.{layer}"].shape[2] for layer in range(len(shape.layers))
    )  # as the table has widened them
    network = CreditNetwork(layout, structs.replace(shape, layers=units), base_rate=0.5)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network.eval()
