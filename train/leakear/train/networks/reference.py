"""The reference notebook's network, for comparison with ours."""

from typing import Any, Literal

from leakear.edge.spec import SpectrogramSpec
from leakear.train.data.augmentation import NOTEBOOK
from leakear.train.networks.preset import Preset

PARAMETERS = 216_492_801
"""Of this network on the notebook's spectrogram, (2049, 431)."""


def reference(shape: tuple[int, int], output: Literal["logit", "sigmoid"] = "logit") -> Any:
    """Build the notebook's network, layer for layer; the last activation is left out unless `output` is "sigmoid".

    On (2049, 431) it has 216,492,801 parameters, nearly all of them between Flatten and Dense.
    """
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((*shape, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(128, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid" if output == "sigmoid" else None),
        ],
        name="reference",
    )
    if shape == SpectrogramSpec().shape and model.count_params() != PARAMETERS:
        raise AssertionError(f"the reference network has {model.count_params()} parameters, not {PARAMETERS}")
    return model


PRESET = Preset(
    name="reference",
    help="the reference notebook's network: 216.5 million parameters, 10.3 GiB of memory at a batch of 8",
    spec=SpectrogramSpec(),
    build=reference,
    augmentations=NOTEBOOK,
)
