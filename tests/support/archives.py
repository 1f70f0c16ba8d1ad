"""Archives of recordings, made for tests."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000


def write_sound(path: Path, seed: int, seconds: float = 10.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(seed).normal(0, 0.05, round(RATE * seconds))
    with path.open("wb") as file:  # any name
        soundfile.write(file, sound, RATE, "PCM_16", format="WAV")


def make_archive(folder: Path, count: int = 40) -> Path:
    """Write recordings of 10 s of noise: site-S/DATE/NUMBER.wav."""
    for number in range(count):
        write_sound(folder / f"site-{number % 3}" / f"2026-11-{1 + number % 4:02}" / f"{number:03}.wav", number)
    return folder
