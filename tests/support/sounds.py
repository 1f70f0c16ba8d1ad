"""Small recordings and a small spectrogram: the real code, quickly."""

import dataclasses
from pathlib import Path

import numpy as np
import soundfile

from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train.data import dataset
from leakear.train.data.dataset import Recording

RATE = 4000
SMALL = SpectrogramSpec("full-scale", sample_rate=RATE, window_seconds=1.0, n_fft=256, hop_length=128)


def sound(seconds: float, rng: np.random.Generator, *, leak: bool, rate: int = RATE) -> np.ndarray:
    """A hiss for a leak, a fainter hum otherwise."""
    n = round(seconds * rate)
    noise = rng.standard_normal(n)
    if leak:
        return 0.1 * noise
    return 0.02 * noise + 0.1 * np.sin(2 * np.pi * rng.uniform(80, 120) * np.arange(n) / rate)


def record(path: Path, *, leak: bool, seconds: float = 1.0, seed: int = 0, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(seconds, np.random.default_rng(seed), leak=leak, rate=rate), rate, "PCM_16")
    return path


def make(folder: Path) -> list[Recording]:
    """Write 24 recordings of three windows at 12 sites, 6 sites with a leak and 6 without, in class folders."""
    for site in range(12):
        kind = "Leak-Metal" if site % 2 else "NoLeak-Metal"
        for take in range(2):
            path = folder / kind / f"s{site:02}-{take}.wav"
            record(path, leak=bool(site % 2), seconds=3, seed=site * 10 + take)
    found, bad = dataset.fingerprint(dataset.load(folder, site_pattern=r"(s\d+)-"))
    assert not bad
    return [dataclasses.replace(r, fold=int(str(r.site)[1:]) // 2 % 3) for r in found]
