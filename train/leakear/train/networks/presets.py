"""The networks that can be trained, by name.

A preset says everything a run needs beside the recordings: which spectrogram, which network, which copies, how long.
Every network takes float32 (n, rows, frames, 1) in [0, 1] and gives one logit; positive means Leak.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leakear.edge.errors import InputDataError
from leakear.edge.spec import SpectrogramSpec
from leakear.train.data.augmentation import NOTEBOOK

REFERENCE_PARAMETERS = 216_492_801
"""Of the reference notebook's network on its spectrogram."""


@dataclass(frozen=True)
class Preset:
    """One recipe for a detector."""

    name: str
    help: str
    """One line for people."""
    spec: SpectrogramSpec
    build: Callable[[tuple[int, int]], Any]
    """(rows, frames) → uncompiled keras.Model with a logit output."""
    augmentations: tuple[str, ...]
    copies: int = 4
    """Changed copies of each training window."""
    windows: Literal["all", "first"] = "all"
    epochs: int = 75
    batch_size: int = 32
    learning_rate: float = 1e-3
    patience: int = 0
    """Epochs without a better validation loss before training ends; 0 never ends early."""
    cosine: bool = False
    """Let the learning rate fall to nothing over the epochs."""
    mixup: float = 0.0
    """α of the Beta distribution with which windows of a batch are blended; 0 leaves them alone."""
    balance: bool = False
    """Weigh the classes so that both count alike."""


def reference(shape: tuple[int, int], output: Literal["logit", "sigmoid"] = "logit") -> Any:
    """Build the notebook's network, layer for layer; only the sigmoid is left to the caller unless asked for.

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
    if shape == SpectrogramSpec().shape and model.count_params() != REFERENCE_PARAMETERS:
        raise AssertionError(f"the reference network has {model.count_params()} parameters, not {REFERENCE_PARAMETERS}")
    return model


REFERENCE = Preset(
    name="reference",
    help="the reference notebook's network: 216.5 million parameters, 10.3 GiB of memory at a batch of 8",
    spec=SpectrogramSpec(),
    build=reference,
    augmentations=NOTEBOOK,
)


def presets() -> Mapping[str, Preset]:
    """Return every preset by name."""
    from leakear.train.networks import compact

    return {preset.name: preset for preset in (REFERENCE, *compact.PRESETS)}


def preset(name: str) -> Preset:
    """Look up a preset; InputDataError names those there are."""
    known = presets()
    if name not in known:
        raise InputDataError(f"no preset is called {name}: choose from {', '.join(known)}")
    return known[name]


def build(chosen: Preset, spec: SpectrogramSpec | None = None) -> Any:
    """Build a preset's network for its spectrogram, or for another."""
    return chosen.build((spec or chosen.spec).shape)
