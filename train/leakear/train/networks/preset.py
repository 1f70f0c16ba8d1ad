"""`Preset`: everything that a training run needs besides the recordings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from leakear.edge.spec import SpectrogramSpec


@dataclass(frozen=True)
class Preset:
    """A spectrogram, a network and how to train it.

    Every network takes float32 (n, rows, frames, 1) in [0, 1] and returns one logit, shape (n, 1); positive is Leak.
    """

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
    """Let the learning rate fall to zero over the epochs."""
    mixup: float = 0.0
    """α of the Beta distribution with which windows of a batch are blended; 0 does not blend."""
    balance: bool = False
    """Weight the classes so that both count equally."""

    def network(self) -> Any:
        """Build the uncompiled keras.Model for this preset's spectrogram."""
        return self.build(self.spec.shape)
