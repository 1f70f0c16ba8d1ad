"""Levels and their spread within ten seconds: loggers' recordings, real and simulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leakear.edge.audio.recordings import read_wav
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train.data import dataset
from leakear.train.simulator import Array, Label, Site, clip

SPEC = SpectrogramSpec(reference="full-scale", band_hz=(20, 1800))
PERCENTILES = (5, 25, 50, 75, 95)

Levels = npt.NDArray[np.float64]
"""dBmin (5th percentile of the level over time, dBFS) and spread (95th − 5th, dB) of recordings, shape (n, 2)."""


def levels(samples: Array) -> tuple[float, float]:
    """Return dBmin and spread of the first ten seconds."""
    total = 10 * np.log10((10 ** (spectrogram(samples[: SPEC.window_samples], SPEC) / 10)).sum(axis=0))
    low, high = np.percentile(total, (5, 95))
    return float(low), float(high - low)


def real(data: Path, label: Label) -> Levels:
    """Return those of the real recordings of a class below `data`/hk-noise-loggers."""
    recordings = dataset.load(data / "hk-noise-loggers")
    return np.array([levels(read_wav(found.path, SPEC)) for found in recordings if found.label == label])


def simulated(label: Label, seeds: Iterator[int], count: int) -> Levels:
    """Return those of clips of `count` simulated loggers."""
    loggers = (site for site in map(Site.draw, seeds) if site.sensor.kind == "logger")
    return np.array([levels(clip(next(loggers), label, 1)) for _ in range(count)])
