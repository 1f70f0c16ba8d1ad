"""Measures: what is left out for speed changes no value."""

import numpy as np
import pytest
from numpy.typing import NDArray

from leakear.edge.health import measures
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers

SPEC = SpectrogramSpec()
N = SPEC.window_samples
RNG = np.random.default_rng(8)


def noise(dbfs: float) -> NDArray[np.float64]:
    return RNG.standard_normal(N) * 10 ** (dbfs / 20)


def partly_stuck() -> NDArray[np.float64]:
    samples = noise(-40)
    samples[30_000:90_000] = samples[30_000]
    return samples


WINDOWS = {
    "noise": noise(-30),
    "so quiet that many stretches hardly move": noise(-97),
    "steps of 16 bits": np.round(noise(-92) * 32768) / 32768,
    "partly stuck": partly_stuck(),
    "stuck": np.full(N, 0.3),
    "zeros": np.zeros(N),
    "equal at both ends of a stretch": np.sin(2 * np.pi * np.arange(N) / 219),
    "at the limits": np.clip(noise(0), -1, 1),
    "at the limit that is just counted": np.clip(noise(0), -0.985, 0.985),
    "just below it": np.clip(noise(0), -0.98, 0.98),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_what_is_left_out_changes_nothing(name: str) -> None:
    samples = WINDOWS[name].astype(np.float32)
    found = measures.measure(samples, short_powers(samples, SPEC), SPEC)
    stretches = samples[: N // 220 * 220].reshape(-1, 220)
    flat = stretches.max(axis=1) - stretches.min(axis=1) < 2e-5
    assert found.flat_ratio == flat.mean()
    assert found.flat_value == (stretches[flat].mean() if flat.any() else 0)
    at_limits = float(np.mean(np.abs(samples) >= np.float32(0.985)))
    plateau = found.clip_ratio if found.clip_ratio > 0.1 else 0.0  # that of a sensor that clips below full scale
    assert found.clip_ratio == max(at_limits, plateau)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 32, -32, 40])
def test_one_value_that_is_no_sound_breaks_the_window(value: float) -> None:
    samples = noise(-30).astype(np.float32)
    samples[777] = value
    assert measures.measure(samples, short_powers(samples, SPEC), SPEC) is measures.BROKEN
    samples[777] = 31.9
    assert measures.measure(samples, short_powers(samples, SPEC), SPEC).finite
