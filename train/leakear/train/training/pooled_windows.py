"""Windows averaged over time: the input of the trainable layers of the `statistics` network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.edge.spec import SpectrogramSpec
from leakear.train.data.clips import Codes
from leakear.train.data.simulated_windows import Windows
from leakear.train.networks.compact import STEP

PooledFrames: TypeAlias = npt.NDArray[np.float16]
"""(n, rows, pooled frames) in [0, 1]: the mean of each STEP frames; the input of the trainable layers"""
Inputs: TypeAlias = npt.NDArray[np.float32]
"""(n, rows, pooled frames, 1) in [0, 1]"""


@dataclass(frozen=True)
class PooledWindows:
    """Labelled windows with pooled frames: an eighth of the memory and of the computation."""

    frames: PooledFrames
    targets: npt.NDArray[np.uint8]
    """(n,) 1 = Leak"""
    sites: npt.NDArray[np.int64]
    """(n,)"""

    @classmethod
    def of(cls, windows: Windows) -> "PooledWindows":
        """Pool the frames of windows."""
        return cls(pool(windows.codes), windows.targets, windows.sites)

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: npt.NDArray[np.int64]) -> "PooledWindows":
        """Return the windows of these row numbers."""
        return PooledWindows(self.frames[rows], self.targets[rows], self.sites[rows])


def pool(codes: Codes, batch: int = 256) -> PooledFrames:
    """Average codes (n, rows, frames) over each STEP frames, as POOLING_LAYER does."""
    count, rows, frames = codes.shape
    found = np.empty((count, rows, frames // STEP), np.float16)
    for start in range(0, count, batch):
        part = codes[start : start + batch, :, : frames // STEP * STEP].reshape(-1, rows, frames // STEP, STEP)
        found[start : start + batch] = part.mean(axis=3, dtype=np.float32) / 255
    return found


def site_weights(targets: npt.NDArray[np.uint8], sites: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return weights (n,) that sum to n: both classes have equal weight, and within a class every site has."""
    _, place, counts = np.unique(sites * 2 + targets, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[place]
    for target in (0, 1):
        mine = targets == target
        weights[mine] /= weights[mine].sum()
    return np.asarray(weights * len(targets) / weights.sum(), np.float64)


def by_site(windows: PooledWindows, rng: np.random.Generator) -> Callable[[int], npt.NDArray[np.int64]]:
    """Return a function that draws row numbers: both classes equally often, within a class every site equally often."""
    chances = site_weights(windows.targets, windows.sites)
    chances /= chances.sum()
    return lambda count: rng.choice(len(windows), count, p=chances)


def change(
    found: PooledFrames, rng: np.random.Generator, gain_db: float, response_db: float, spec: SpectrogramSpec
) -> Inputs:
    """Return windows changed at random: gain (± gain_db), a smooth sensor response, time rotated or reversed."""
    rows = found.shape[1]
    knots = np.linspace(0, rows - 1, 6)
    drawn = rng.normal(0, response_db, (len(found), 6)) + rng.uniform(-gain_db, gain_db, (len(found), 1))
    response = np.stack([np.interp(np.arange(rows), knots, line) for line in drawn])
    x = found + (response / -spec.floor)[:, :, None].astype(np.float32)
    turned: Inputs = np.roll(x, int(rng.integers(found.shape[2])), axis=2)
    turned = turned[:, :, ::-1] if rng.random() < 0.5 else turned
    return np.clip(turned, 0, 1, dtype=np.float32)[..., None]
