"""Windows averaged over time: the input of the trainable layers of the `statistics` network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.edge.spec import OWN_HEADROOM_DB, SpectrogramSpec
from leakear.train.data.clips import Codes
from leakear.train.data.simulated_windows import Windows
from leakear.train.networks.compact import STEP

TILT_DB = 10.0
"""Largest difference of a changed sensor's response between the lowest and the highest row, dB."""
CUT = 0.4
"""Share of changed windows with a cut-off, on either side."""
LOW_CUT_HZ, HIGH_CUT_HZ = (5.0, 200.0), (1200.0, 2500.0)
"""Ranges of the two cut-offs, Hz."""
NOISY = 0.4
"""Share of changed windows with added self-noise."""
NOISE_DB = (-45.0, -12.0)
"""Level of the self-noise over the window's mean level, dB."""
FRAME_DB = 2.0
"""Standard deviation of steady noise in one row of a pooled frame, dB."""

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

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """Frames, targets and sites: n of each."""
        return self.frames, self.targets, self.sites

    def take(self, rows: npt.NDArray[np.int64]) -> "PooledWindows":
        """Return the windows of these row numbers, (k,)."""
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


def change(found: PooledFrames, rng: np.random.Generator, spec: SpectrogramSpec, response_db: float) -> Inputs:
    """Return windows as other sensors would have heard them, time rotated or reversed.

    Each gets a random smooth response (standard deviation `response_db`) and a tilt of up to ± TILT_DB; many get a
    cut-off below and above, and steady self-noise. Gain needs no change: the level is always referred to the window's
    own mean, which is done again here.
    """
    span = np.float32(-spec.floor)
    x = found.astype(np.float32) * span + _responses(len(found), rng, spec, response_db)[:, :, None]
    noisy = np.flatnonzero(rng.random(len(x)) < NOISY)
    x[noisy] = _power_sum(x[noisy], _self_noise(x[noisy], rng, spec))
    if spec.reference == "own":
        x += span - np.float32(OWN_HEADROOM_DB) - x.mean(axis=(1, 2), keepdims=True)
    turned: Inputs = np.roll(x, int(rng.integers(found.shape[2])), axis=2)
    turned = turned[:, :, ::-1] if rng.random() < 0.5 else turned
    return np.clip(turned / span, 0, 1, dtype=np.float32)[..., None]


def _responses(count: int, rng: np.random.Generator, spec: SpectrogramSpec, response_db: float) -> Inputs:
    """Return sensor responses, shape (count, rows), dB."""
    hz = spec.frequencies
    knots = np.linspace(0, len(hz) - 1, 6)
    bent = np.stack([np.interp(np.arange(len(hz)), knots, line) for line in rng.normal(0, response_db, (count, 6))])
    tilt = rng.uniform(-TILT_DB, TILT_DB, (count, 1)) * np.linspace(-0.5, 0.5, len(hz))
    low, high = (a * (b / a) ** rng.random((count, 1)) for a, b in (LOW_CUT_HZ, HIGH_CUT_HZ))
    order = rng.choice([1, 2, 4], (count, 1))
    below = -10 * order * np.log10(1 + (low / hz) ** 2) * (rng.random((count, 1)) < CUT)
    above = -10 * np.log10(1 + (hz / high) ** 8) * (rng.random((count, 1)) < CUT)
    return np.asarray(bent + tilt + below + above, np.float32)


def _self_noise(x: Inputs, rng: np.random.Generator, spec: SpectrogramSpec) -> Inputs:
    """Return steady noise, white or rising towards low frequencies, NOISE_DB from the mean level; shape of `x`, dB."""
    count = len(x)
    slope = rng.uniform(0, 10, (count, 1)) * (rng.random((count, 1)) < 0.5)
    level = x.mean(axis=(1, 2))[:, None] + rng.uniform(*NOISE_DB, (count, 1)) + slope * np.log10(400 / spec.frequencies)
    return np.asarray(level[:, :, None] + FRAME_DB * rng.standard_normal(x.shape, np.float32), np.float32)


def _power_sum(a: Inputs, b: Inputs) -> Inputs:
    """Add two sounds given in dB."""
    per_db = np.float32(np.log(10) / 10)
    return np.asarray(np.logaddexp(a * per_db, b * per_db) / per_db, np.float32)
