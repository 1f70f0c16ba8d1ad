"""Small recordings and a small spectrogram: the real code, quickly."""

from pathlib import Path

import numpy as np
import soundfile

from leakear.edge.spectrogram import SpectrogramSpec

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
