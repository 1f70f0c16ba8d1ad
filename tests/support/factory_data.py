"""A small data set of the form that `leakear-train factory` reads."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.train.cli import factory
from leakear.train.data.simulated_windows import Plan

RATE = 4096


def write(folder: Path) -> None:
    """Write eight recordings of four sites in two folds, steady hiss or swelling rumble, and six background sounds."""
    rows = ["path,label,site,fold"]
    (folder / "hk-noise-loggers").mkdir()
    (folder / "background" / "esc-10").mkdir(parents=True)
    for number in range(8):
        rng, leak = np.random.default_rng(number), number % 2
        name = f"{number}.wav"
        hiss = rng.standard_normal(10 * RATE)
        rumble = np.convolve(hiss, np.ones(64) / 8, "same") * (1.2 + np.sin(np.arange(hiss.size) / RATE * 4))
        samples = 0.05 * (hiss if leak else rumble)
        soundfile.write(folder / "hk-noise-loggers" / name, samples, RATE, "PCM_16")
        rows.append(f"{name},{('NoLeak', 'Leak')[leak]},site-{number // 4}{leak},{number // 4}")
    (folder / "hk-noise-loggers" / "manifest.csv").write_text("\n".join(rows) + "\n")
    for number in range(10, 16):  # 12 to 15 are held out
        rain = 0.05 * np.random.default_rng([9, number]).standard_normal(3 * RATE)
        soundfile.write(folder / "background" / "esc-10" / f"1-{number}-A.wav", rain, RATE, "PCM_16")


def few_sites(patch: pytest.MonkeyPatch) -> None:
    """Let a handful of simulated sites stand for hundreds."""
    loud = (25.0, 30.0)
    patch.setattr(factory, "SIMULATED", Plan(500_000, sites=4, per_site=4, snr_db=loud, mixed=0.5))
    patch.setattr(factory, "HELD_SITES", Plan(900_000, sites=4, per_site=4, snr_db=loud, mixed=0.0))
