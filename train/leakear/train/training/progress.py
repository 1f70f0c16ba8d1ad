"""Progress of a training: losses of each epoch and the best weights, in memory and on disk."""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakear.edge import files
from leakear.train.training import checkpoint

BEST = "best.npz"
"""File of the best weights until the run is finished; written when `patience` is above 0."""


@dataclass
class Progress:
    """Losses so far."""

    history: list[dict[str, float]] = field(default_factory=list)
    """One entry an epoch."""
    best_epoch: int = -1
    best_loss: float = math.inf

    def stale(self, patience: int) -> bool:
        """Whether validation has not become better for `patience` epochs."""
        return patience > 0 and self.best_epoch >= 0 and len(self.history) - 1 - self.best_epoch >= patience


@dataclass(frozen=True)
class Trained:
    """The outcome of a training."""

    model: Any
    """keras.Model with the weights of `epoch`."""
    history: list[dict[str, float]]
    epoch: int
    """Epoch whose weights are kept, from 0: the last one, or with `patience` the one with the best validation loss."""


class Best:
    """Keeps the weights of the epoch with the lowest validation loss when `patience` is above 0."""

    def __init__(self, patience: int, folder: Path | None) -> None:
        self._patience = patience
        self._file = folder / BEST if folder else None
        self._weights: list[Any] = []

    def update(self, model: Any, progress: Progress) -> None:
        """Compare the epoch that has just ended with the best one."""
        loss = progress.history[-1].get("val_loss", math.inf)
        if loss >= progress.best_loss:
            return
        progress.best_epoch, progress.best_loss = len(progress.history) - 1, loss
        if self._patience:
            self._weights = model.get_weights()
            if self._file:
                checkpoint.write(self._file, self._weights)

    def finish(self, model: Any, progress: Progress) -> Trained:
        """Restore the best weights and return the outcome."""
        if not self._patience or progress.best_epoch < 0:
            return Trained(model, progress.history, len(progress.history) - 1)
        if self._weights:
            model.set_weights(self._weights)
        elif self._file:  # resumed, and no epoch since was better
            model.set_weights(checkpoint.read(self._file))
        return Trained(model, progress.history, progress.best_epoch)


def write_history(folder: Path, history: list[dict[str, float]]) -> None:
    """Write history.csv, one line an epoch."""
    with files.replacing(folder / "history.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["epoch", *history[0]])
        writer.writeheader()
        writer.writerows({"epoch": epoch, **entry} for epoch, entry in enumerate(history, 1))
