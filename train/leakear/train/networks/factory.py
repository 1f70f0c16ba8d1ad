"""The factory network with its float weights, from which `fit` starts.

`leakear-train factory --weights` writes them.
"""

from pathlib import Path
from typing import Any

import numpy as np

from leakear.edge import files
from leakear.edge.errors import InputDataError
from leakear.train.arrays import DAMAGED, reason
from leakear.train.networks import presets

WEIGHTS = Path(__file__).parent / "factory.npz"
"""Weights of the network that the shipped factory.tflite was converted from."""
PRESET = "compact"


def load(weights: Path = WEIGHTS) -> Any:
    """Return the keras.Model. Raises InputDataError when the weights are missing or of another network."""
    model = presets.find(PRESET).network()
    try:
        with np.load(weights) as kept:
            model.set_weights([kept[name] for name in kept.files])
    except DAMAGED as error:
        raise InputDataError(
            f"{weights} does not hold the factory network ({reason(error)}): run `make model`, or give --from scratch"
        ) from error
    return model


def save(model: Any, weights: Path) -> None:
    """Write a network's weights."""
    with files.replacing(weights) as part, part.open("wb") as file:
        np.savez(file, *model.get_weights())
